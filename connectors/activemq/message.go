package activemq

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-stomp/stomp/v3/frame"

	"millrace/connectors"
	"millrace/connectors/internal/template"
)

// A jmsHeader is the record header of a STOMP header, with the type of its value.
type jmsHeader struct {
	name   string
	schema *connectors.Schema
}

// jmsHeaders are the STOMP headers that JMS defines. Those with an empty name belong to the protocol.
var jmsHeaders = map[string]jmsHeader{
	"message-id":           {"JMSMessageID", connectors.StringSchema},
	"destination":          {"JMSDestination", connectors.StringSchema},
	"original-destination": {"JMSOriginalDestination", connectors.StringSchema},
	"correlation-id":       {"JMSCorrelationID", connectors.StringSchema},
	"reply-to":             {"JMSReplyTo", connectors.StringSchema},
	"type":                 {"JMSType", connectors.StringSchema},
	"timestamp":            {"JMSTimestamp", connectors.Int64Schema},
	"expires":              {"JMSExpiration", connectors.Int64Schema},
	"priority":             {"JMSPriority", connectors.Int32Schema},
	"redelivered":          {"JMSRedelivered", connectors.BooleanSchema},
	"persistent":           {"JMSDeliveryMode", connectors.Int32Schema},
	"JMSXUserID":           {"JMSXUserID", connectors.StringSchema},
	"JMSXGroupID":          {"JMSXGroupID", connectors.StringSchema},
	"JMSXGroupSeq":         {"JMSXGroupSeq", connectors.StringSchema},
	"subscription":         {}, "ack": {}, "content-length": {}, "receipt": {}, "transaction": {}, "amq-msg-type": {},
}

// The delivery modes of JMS.
const (
	nonPersistent int32 = 1
	persistent    int32 = 2
)

// convert makes a record of a message. It fails for a message that gives no topic.
func (t *sourceTask) convert(r *connectors.SourceRecord, f *frame.Frame, now int64) error {
	c := t.config
	r.Partition, r.Timestamp = connectors.NoPartition, now
	if r.Topic = c.constTopic; r.Topic == "" {
		var err error
		if r.Topic, err = t.topicOf(f); err != nil {
			return err
		}
	}
	if c.keyHeader != "" {
		if key, ok := f.Header.Contains(c.keyHeader); ok {
			r.KeySchema, r.Key = connectors.OptionalStringSchema, destinationName(c.keyHeader, key)
		}
	}
	_, isBytes := f.Header.Contains(frame.ContentLength)
	if kind, ok := f.Header.Contains("amq-msg-type"); ok {
		isBytes = kind == "bytes"
	}
	switch {
	case c.format == "bytes", c.format == "auto" && isBytes, c.format == "auto" && !utf8.Valid(f.Body):
		r.ValueSchema, r.Value = connectors.BytesSchema, f.Body
	default:
		r.ValueSchema, r.Value = connectors.StringSchema, string(f.Body)
	}
	if len(f.Body) == 0 && !isBytes && !t.warned {
		t.warned = true
		t.log.Warn("a message is empty; map and object messages need activemq.transformation, such as jms-map-json",
			"message_id", f.Header.Get(frame.MessageId))
	}
	t.addHeaders(r, f)
	return nil
}

// addHeaders fills in record headers, and the timestamp that is among them.
func (t *sourceTask) addHeaders(r *connectors.SourceRecord, f *frame.Frame) {
	c := t.config
	n := f.Header.Len()
	if c.jmsHeaders {
		r.Headers = make(connectors.Headers, 0, n+1)
	}
	mode := nonPersistent
	for i := range n {
		name, text := f.Header.GetAt(i)
		jms, known := jmsHeaders[name]
		switch {
		case known && jms.name == "", !known && !c.properties:
			continue
		case !known:
			r.Headers = append(r.Headers, connectors.Header{Key: c.prefix + name, Schema: connectors.StringSchema, Value: text})
			continue
		case name == "persistent":
			if text == "true" {
				mode = persistent
			}
			continue
		}
		value, ok := headerValue(name, jms.schema, text)
		if !ok {
			continue
		}
		if sent, ok := value.(int64); ok && name == "timestamp" && sent > 0 && c.jmsTime {
			r.Timestamp = sent
		}
		if c.jmsHeaders {
			r.Headers = append(r.Headers, connectors.Header{Key: c.prefix + jms.name, Schema: jms.schema, Value: value})
		}
	}
	if c.jmsHeaders {
		r.Headers = append(r.Headers, connectors.Header{Key: c.prefix + "JMSDeliveryMode", Schema: connectors.Int32Schema, Value: mode})
	}
}

// headerValue reads the text of a JMS header; ok is false if it is not of its type.
func headerValue(name string, schema *connectors.Schema, text string) (value any, ok bool) {
	switch schema.Type {
	case connectors.TypeInt64:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	case connectors.TypeInt32:
		n, err := strconv.ParseInt(text, 10, 32)
		return int32(n), err == nil
	case connectors.TypeBoolean:
		return text == "true", true
	}
	return destinationName(name, text), true
}

// destinationName gives the headers that name destinations Java's form.
func destinationName(header, text string) string {
	switch header {
	case "destination", "original-destination", "reply-to":
		return javaName(text)
	}
	return text
}

func (t *sourceTask) topicOf(f *frame.Frame) (string, error) {
	topic, err := t.config.topic.Expand(func(variable, argument string) (string, error) {
		name := variable
		if variable == "header:" {
			name = argument
		}
		text, ok := f.Header.Contains(name)
		if !ok && variable == "original-destination" {
			text, ok = f.Header.Contains(frame.Destination)
		}
		if !ok {
			return "", &connectors.DataError{Msg: "topic " + t.config.topic.String() + ": message " +
				f.Header.Get(frame.MessageId) + " has no header " + name}
		}
		return plainName(text), nil
	})
	if err != nil {
		return "", err
	}
	return template.LegalTopic(topic), nil
}
