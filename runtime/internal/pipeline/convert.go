package pipeline

import (
	"context"

	"millrace/connectors"
)

// WriteKey converts the key of r to bytes.
func (p *Pipeline) WriteKey(ctx context.Context, r *connectors.Record) ([]byte, *Failure) {
	data, err := p.Key.FromConnect(r.Topic, r.Headers, r.KeySchema, r.Key)
	if err != nil {
		return p.writeAgain(ctx, KeyConverter, p.KeyClass, p.Key, r, r.KeySchema, r.Key, err)
	}
	return data, nil
}

// WriteValue converts the value of r to bytes.
func (p *Pipeline) WriteValue(ctx context.Context, r *connectors.Record) ([]byte, *Failure) {
	data, err := p.Value.FromConnect(r.Topic, r.Headers, r.ValueSchema, r.Value)
	if err != nil {
		return p.writeAgain(ctx, ValueConverter, p.ValueClass, p.Value, r, r.ValueSchema, r.Value, err)
	}
	return data, nil
}

// writeAgain retries; it stands apart so that a record that passes costs no closure.
func (p *Pipeline) writeAgain(ctx context.Context, stage Stage, class string, c connectors.Converter, r *connectors.Record,
	schema *connectors.Schema, value any, err error,
) (data []byte, failure *Failure) {
	err = p.Errors.retry(ctx, err, func() (err error) {
		data, err = c.FromConnect(r.Topic, r.Headers, schema, value)
		return err
	})
	if err != nil {
		return nil, &Failure{Stage: stage, Class: class, Err: err}
	}
	return data, nil
}

// WriteHeader converts a header's value to bytes.
func (p *Pipeline) WriteHeader(ctx context.Context, topic string, h connectors.Header) ([]byte, *Failure) {
	data, err := p.Header.FromConnectHeader(topic, h.Key, h.Schema, h.Value)
	if err != nil {
		return p.writeHeaderAgain(ctx, topic, h, err)
	}
	return data, nil
}

func (p *Pipeline) writeHeaderAgain(ctx context.Context, topic string, h connectors.Header, err error) (data []byte, failure *Failure) {
	err = p.Errors.retry(ctx, err, func() (err error) {
		data, err = p.Header.FromConnectHeader(topic, h.Key, h.Schema, h.Value)
		return err
	})
	if err != nil {
		return nil, &Failure{Stage: HeaderConverter, Class: p.HeaderClass, Err: err}
	}
	return data, nil
}

// Read fills r from a consumed record: key, value, then headers. headers is memory for them that may be shared by a batch;
// the grown slice comes back.
func (p *Pipeline) Read(ctx context.Context, in *Consumed, r *connectors.SinkRecord, headers connectors.Headers) (connectors.Headers, *Failure) {
	key, failure := p.read(ctx, KeyConverter, p.KeyClass, p.Key, in, in.Key)
	if failure != nil {
		return headers, failure
	}
	value, failure := p.read(ctx, ValueConverter, p.ValueClass, p.Value, in, in.Value)
	if failure != nil {
		return headers, failure
	}
	r.Topic, r.Partition = in.Topic, in.Partition
	r.KeySchema, r.Key = key.Schema, key.Value
	r.ValueSchema, r.Value = value.Schema, value.Value
	r.Original = connectors.TopicPartition{Topic: in.Topic, Partition: in.Partition}
	r.Offset = in.Offset
	r.Timestamp, r.TimestampType = connectors.NoTimestamp, connectors.NoTimestampType
	if t := in.Attrs.TimestampType(); t >= 0 {
		r.Timestamp, r.TimestampType = in.Timestamp.UnixMilli(), connectors.TimestampType(t)
	}
	if len(in.Headers) == 0 {
		return headers, nil
	}
	start := len(headers)
	for _, h := range in.Headers {
		sv, err := p.Header.ToConnectHeader(in.Topic, h.Key, h.Value)
		if err != nil {
			var failure *Failure
			if sv, failure = p.readHeaderAgain(ctx, in, h.Key, h.Value, err); failure != nil {
				return headers[:start], failure
			}
		}
		headers = append(headers, connectors.Header{Key: h.Key, Schema: sv.Schema, Value: sv.Value})
	}
	r.Headers = headers[start:len(headers):len(headers)]
	return headers, nil
}

func (p *Pipeline) read(ctx context.Context, stage Stage, class string, c connectors.Converter, in *Consumed, data []byte) (connectors.SchemaAndValue, *Failure) {
	sv, err := c.ToConnect(in.Topic, nil, data)
	if err != nil {
		return p.readAgain(ctx, stage, class, c, in, data, err)
	}
	return sv, nil
}

func (p *Pipeline) readAgain(ctx context.Context, stage Stage, class string, c connectors.Converter, in *Consumed, data []byte, err error,
) (sv connectors.SchemaAndValue, failure *Failure) {
	err = p.Errors.retry(ctx, err, func() (err error) {
		sv, err = c.ToConnect(in.Topic, nil, data)
		return err
	})
	if err != nil {
		return sv, &Failure{Stage: stage, Class: class, Err: err, Consumed: in}
	}
	return sv, nil
}

func (p *Pipeline) readHeaderAgain(ctx context.Context, in *Consumed, key string, data []byte, err error) (sv connectors.SchemaAndValue, failure *Failure) {
	err = p.Errors.retry(ctx, err, func() (err error) {
		sv, err = p.Header.ToConnectHeader(in.Topic, key, data)
		return err
	})
	if err != nil {
		return sv, &Failure{Stage: HeaderConverter, Class: p.HeaderClass, Err: err, Consumed: in}
	}
	return sv, nil
}
