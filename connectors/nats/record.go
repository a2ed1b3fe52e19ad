package nats

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"millrace/connectors"
	"millrace/connectors/internal/template"
)

// coreRecord makes the source record of a core message: the subject as key, the data as value.
func (c *sourceConfig) coreRecord(m *nats.Msg, now int64) connectors.SourceRecord {
	r := c.record(m.Subject, m.Data, m.Header, now)
	if m.Reply != "" {
		r.Headers = append(r.Headers, connectors.Header{Key: "nats.reply", Schema: connectors.StringSchema, Value: m.Reply})
	}
	return r
}

// streamRecord makes the source record of a stream's message, with the stream's timestamp and sequence.
func (c *sourceConfig) streamRecord(d delivery) (connectors.SourceRecord, error) {
	m := d.msg
	meta, err := m.Metadata()
	if err != nil {
		return connectors.SourceRecord{}, fmt.Errorf("message of subject %q is none of a stream: %w", m.Subject(), err)
	}
	r := c.record(m.Subject(), m.Data(), m.Headers(), meta.Timestamp.UnixMilli())
	r.Headers = append(r.Headers, connectors.Header{Key: "nats.sequence", Schema: connectors.Int64Schema, Value: int64(meta.Sequence.Stream)})
	r.Handle = d.ticket
	return r, nil
}

func (c *sourceConfig) record(subject string, data []byte, header nats.Header, timestamp int64) connectors.SourceRecord {
	topic, err := c.topic.Expand(func(string, string) (string, error) { return template.LegalTopic(subject), nil })
	if err != nil { // the variable above cannot fail
		panic(err)
	}
	headers := make(connectors.Headers, 0, len(header)+2)
	for key, values := range header {
		for _, v := range values {
			headers = append(headers, connectors.Header{Key: key, Schema: connectors.StringSchema, Value: v})
		}
	}
	headers = append(headers, connectors.Header{Key: "nats.subject", Schema: connectors.StringSchema, Value: subject})
	return connectors.SourceRecord{Record: connectors.Record{
		Topic:     topic,
		Partition: connectors.NoPartition,
		KeySchema: connectors.StringSchema, Key: subject,
		ValueSchema: connectors.BytesSchema, Value: data,
		Timestamp: timestamp,
		Headers:   headers,
	}}
}
