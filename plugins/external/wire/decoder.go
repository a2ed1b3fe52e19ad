package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"millrace/connectors"
)

// A Decoder reads what an Encoder has written, message by message. It is used by one goroutine at a time. The zero Decoder is
// ready.
type Decoder struct {
	schemas    []*connectors.Schema
	topics     []string
	partitions []*connectors.SourcePartition
}

// Sources decodes a message of a source's records. They keep data, which the caller does not change afterwards.
func (d *Decoder) Sources(data []byte) ([]connectors.SourceRecord, error) {
	n, err := d.dictionaries(data)
	if err != nil || n == 0 {
		return nil, err
	}
	records := make([]connectors.SourceRecord, 0, n)
	err = each(data, func(f field) error {
		if f.number != 5 {
			return nil
		}
		records = append(records, connectors.SourceRecord{})
		r := &records[len(records)-1]
		if err := d.record(f.data, &r.Record, func(f field) error { return d.sourceField(f, r) }); err != nil {
			return fmt.Errorf("record %d: %w", len(records)-1, err)
		}
		return nil
	})
	return records, err
}

// Sinks is Sources for the records of a sink.
func (d *Decoder) Sinks(data []byte) ([]connectors.SinkRecord, error) {
	n, err := d.dictionaries(data)
	if err != nil || n == 0 {
		return nil, err
	}
	records := make([]connectors.SinkRecord, 0, n)
	err = each(data, func(f field) error {
		if f.number != 5 {
			return nil
		}
		records = append(records, connectors.SinkRecord{TimestampType: connectors.NoTimestampType})
		r := &records[len(records)-1]
		original, moved := connectors.TopicPartition{}, false
		err := d.record(f.data, &r.Record, func(f field) error {
			if f.number == 13 || f.number == 14 {
				moved = true
			}
			return d.sinkField(f, r, &original)
		})
		if err != nil {
			return fmt.Errorf("record %d: %w", len(records)-1, err)
		}
		if !moved {
			original = connectors.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		}
		r.Original = original
		return nil
	})
	return records, err
}

// dictionaries reads everything but the records, whose number it returns.
func (d *Decoder) dictionaries(data []byte) (records int, err error) {
	err = each(data, func(f field) error {
		switch f.number {
		case 1:
			d.schemas, d.topics, d.partitions = nil, nil, nil
			return nil
		case 2, 3, 4, 5:
		default:
			return nil
		}
		if err := f.is(protowire.BytesType); err != nil {
			return err
		}
		switch f.number {
		case 2:
			s, err := readSchema(f.data)
			if err != nil {
				return err
			}
			d.schemas = append(d.schemas, s)
		case 3:
			topic, err := f.text()
			if err != nil {
				return err
			}
			d.topics = append(d.topics, topic)
		case 4:
			v, err := d.value(f.data, nil, 0)
			if err != nil {
				return fmt.Errorf("source partition: %w", err)
			}
			m, err := asObject(v)
			if err != nil {
				return err
			}
			d.partitions = append(d.partitions, connectors.NewSourcePartition(m))
		case 5:
			records++
		}
		if len(d.schemas) > maxSchemas || len(d.topics) > maxTopics || len(d.partitions) > maxPartitions {
			return fmt.Errorf("a dictionary grew beyond %d schemas, %d topics or %d source partitions", maxSchemas, maxTopics, maxPartitions)
		}
		return nil
	})
	return records, err
}

// record decodes the fields that the records of sources and sinks share and hands on the others.
func (d *Decoder) record(data []byte, r *connectors.Record, other func(field) error) error {
	r.Partition, r.Timestamp = connectors.NoPartition, connectors.NoTimestamp
	// Field numbers may come in any order: values are decoded when their schemas are known.
	var key, value []byte
	topic := uint64(0)
	headers := 0
	for b := data; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			return err
		}
		b = rest
		switch f.number {
		case 1:
			topic = f.n
		case 2:
			n, err := f.signed(32)
			if err != nil {
				return err
			}
			r.Partition = int32(n)
		case 3:
			if r.KeySchema, err = d.schema(f.n); err != nil {
				return err
			}
		case 4:
			key = f.data
		case 5:
			if r.ValueSchema, err = d.schema(f.n); err != nil {
				return err
			}
		case 6:
			value = f.data
		case 7:
			if r.Timestamp, err = f.signed(64); err != nil {
				return err
			}
		case 8:
			headers++
		default:
			if err := other(f); err != nil {
				return err
			}
		}
	}
	var err error
	if r.Topic, err = d.topic(topic); err != nil {
		return err
	}
	if r.Key, err = d.value(key, r.KeySchema, 0); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if r.Value, err = d.value(value, r.ValueSchema, 0); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if headers > 0 {
		return d.headers(data, r, headers)
	}
	return nil
}

func (d *Decoder) headers(data []byte, r *connectors.Record, n int) error {
	r.Headers = make(connectors.Headers, 0, n)
	return each(data, func(f field) error {
		if f.number != 8 {
			return nil
		}
		var h connectors.Header
		var value []byte
		err := each(f.data, func(f field) (err error) {
			switch f.number {
			case 1:
				h.Key, err = f.text()
			case 2:
				h.Schema, err = d.schema(f.n)
			case 3:
				value = f.data
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if h.Value, err = d.value(value, h.Schema, 0); err != nil {
			return fmt.Errorf("header %q: %w", h.Key, err)
		}
		r.Headers = append(r.Headers, h)
		return nil
	})
}

func (d *Decoder) sourceField(f field, r *connectors.SourceRecord) error {
	switch f.number {
	case 9:
		if f.n > uint64(len(d.partitions)) {
			return fmt.Errorf("source partition %d of %d", f.n, len(d.partitions))
		}
		if f.n > 0 {
			r.SourcePartition = d.partitions[f.n-1]
		}
	case 10:
		if err := f.is(protowire.BytesType); err != nil {
			return err
		}
		// Few offsets are ever looked at: they are checked now and decoded when asked for.
		if err := checkOffset(f.data); err != nil {
			return fmt.Errorf("source offset: %w", err)
		}
		if len(f.data) > 0 {
			r.SourceOffset = (*encodedOffset)(&f.data)
		}
	}
	return nil
}

func (d *Decoder) sinkField(f field, r *connectors.SinkRecord, original *connectors.TopicPartition) (err error) {
	var n int64
	switch f.number {
	case 11:
		r.Offset = int64(f.n)
	case 12:
		if n, err = f.signed(8); err == nil && (n < 0 || n > 1) {
			err = fmt.Errorf("timestamp type %d, want 0 or 1", n)
		}
		r.TimestampType = connectors.TimestampType(n)
	case 13:
		original.Topic, err = d.topic(f.n)
	case 14:
		n, err = f.signed(32)
		original.Partition = int32(n)
	}
	return err
}

func (d *Decoder) topic(index uint64) (string, error) {
	if index >= uint64(len(d.topics)) {
		return "", fmt.Errorf("topic %d of %d", index, len(d.topics))
	}
	return d.topics[index], nil
}

func (d *Decoder) schema(id uint64) (*connectors.Schema, error) {
	if id > uint64(len(d.schemas)) {
		return nil, fmt.Errorf("schema %d of %d", id, len(d.schemas))
	}
	if id == 0 {
		return nil, nil
	}
	return d.schemas[id-1], nil
}

// each calls f with each field of a message.
func each(data []byte, f func(field) error) error {
	for len(data) > 0 {
		field, rest, err := next(data)
		if err != nil {
			return err
		}
		if err := f(field); err != nil {
			return err
		}
		data = rest
	}
	return nil
}
