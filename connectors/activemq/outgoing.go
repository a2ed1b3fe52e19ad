package activemq

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-stomp/stomp/v3/frame"

	"millrace/connectors"
)

// maxHeaderValue keeps a header line under the 10 KiB at which ActiveMQ closes the connection.
const maxHeaderValue = 9 << 10

// sendHeaders are the STOMP headers that record headers of these names set.
var sendHeaders = map[string]string{
	"JMSCorrelationID": "correlation-id", "JMSReplyTo": "reply-to", "JMSType": "type", "JMSXGroupID": "JMSXGroupID",
}

// assigned are the headers that the broker or this configuration sets: a record that came from a broker has those of the
// message it was.
var assigned = map[string]bool{
	"JMSMessageID": true, "JMSDestination": true, "JMSOriginalDestination": true, "JMSTimestamp": true, "JMSExpiration": true,
	"JMSPriority": true, "JMSDeliveryMode": true, "JMSRedelivered": true, "JMSXUserID": true, "JMSXDeliveryCount": true,
	"JMSXGroupSeq": true,
}

// protocolHeaders mean something to the broker in a SEND frame.
var protocolHeaders = map[string]bool{
	"destination": true, "receipt": true, "transaction": true, "content-length": true, "id": true, "ack": true, "message-id": true,
	"selector": true, "subscription": true, "persistent": true, "expires": true, "priority": true, "timestamp": true, "reply-to": true,
	"correlation-id": true, "type": true, "redelivered": true, "amq-msg-type": true, "transformation": true, "login": true,
	"passcode": true, "session": true, "heart-beat": true, "original-destination": true, "destination-type": true,
}

// message makes a SEND frame of a record. The frame is nil for a null that is ignored.
func (t *sinkTask) message(r *connectors.SinkRecord) (message, error) {
	c := t.config
	body, isBytes, err := c.body(r)
	if err != nil {
		return message{}, err
	}
	if r.Value == nil && c.nulls == "ignore" {
		return message{}, nil
	}
	target, err := t.target(r)
	if err != nil {
		return message{}, err
	}
	f := frame.New(frame.SEND, frame.Destination, target)
	f.Body = body
	switch {
	case isBytes: // a content-length makes it a bytes message
		f.Header.Add(frame.ContentLength, strconv.Itoa(len(body)))
	case bytes.IndexByte(body, 0) >= 0:
		f.Header.Add(frame.ContentLength, strconv.Itoa(len(body)))
		f.Header.Add("amq-msg-type", "text")
	}
	if c.persistent {
		f.Header.Add("persistent", "true")
	}
	if c.priority != "" {
		f.Header.Add("priority", c.priority)
	}
	if c.ttl > 0 {
		f.Header.Add("expires", strconv.FormatInt(time.Now().UnixMilli()+c.ttl, 10))
	}
	t.properties(f, r)
	size := len(body)
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		size += len(name) + len(value)
	}
	return message{frame: f, record: r, size: size}, nil
}

// body is a value as the body of a message, and whether that is a bytes message.
func (c *sinkConfig) body(r *connectors.SinkRecord) (body []byte, isBytes bool, err error) {
	switch v := r.Value.(type) {
	case nil:
		if c.nulls == "fail" {
			return nil, false, &connectors.DataError{Msg: "the record has no value, and behavior.on.null.values is fail"}
		}
		return nil, c.messageType == "bytes", nil
	case string:
		return []byte(v), c.messageType == "bytes", nil
	case []byte:
		if c.messageType == "text" {
			if !utf8.Valid(v) {
				return nil, false, &connectors.DataError{Msg: "the value is not UTF-8, so it cannot be a text message"}
			}
			return v, false, nil
		}
		return v, true, nil
	case *connectors.Struct, *connectors.Map, []any:
		body, err := plainJSON(v)
		if err != nil {
			return nil, false, &connectors.DataError{Msg: "the value cannot be JSON", Cause: err}
		}
		return body, c.messageType == "bytes", nil
	default:
		return connectors.AppendText(nil, v), c.messageType == "bytes", nil
	}
}

// plainJSON is a value as JSON; <, > and & stay as they are.
func plainJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(plain(value))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// plain turns structs and maps into what encoding/json takes.
func plain(value any) any {
	switch v := value.(type) {
	case *connectors.Struct:
		m := make(map[string]any, len(v.Schema().Fields))
		for i, f := range v.Schema().Fields {
			m[f.Name] = plain(v.At(i))
		}
		return m
	case *connectors.Map:
		m := make(map[string]any, v.Len())
		for key, e := range v.All() {
			m[connectors.Text(key)] = plain(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = plain(e)
		}
		return l
	case time.Time:
		return v.UnixMilli()
	case connectors.Decimal:
		return json.Number(v.String())
	}
	return value
}

// target is the STOMP destination of a record.
func (t *sinkTask) target(r *connectors.SinkRecord) (string, error) {
	name, err := t.config.target.ExpandSink(r)
	if err != nil {
		return "", err
	}
	if target, ok := t.targets[name]; ok {
		return target, nil
	}
	d, err := parseDestination(name, t.config.kind, t.config.kindSet)
	if err != nil {
		return "", &connectors.DataError{Msg: "destination", Cause: err}
	}
	if len(t.targets) > 10000 { // templates may have many values
		clear(t.targets)
	}
	t.targets[name] = d.stomp()
	return d.stomp(), nil
}

// properties adds the headers of a record, and what else of it the configuration wants in the message.
func (t *sinkTask) properties(f *frame.Frame, r *connectors.SinkRecord) {
	c := t.config
	if c.headers {
		for _, h := range r.Headers {
			if assigned[h.Key] || h.Key == "" || h.Value == nil {
				continue
			}
			name, ok := sendHeaders[h.Key]
			if name == "reply-to" {
				if d, err := parseDestination(connectors.Text(h.Value), "queue", false); err == nil {
					t.add(f, name, d.stomp())
				}
				continue
			}
			if !ok {
				name = h.Key
			}
			if !ok && (protocolHeaders[name] || strings.HasPrefix(name, "activemq.")) {
				name = "kafka_" + name
			}
			t.add(f, name, headerText(h.Value))
		}
	}
	if c.metadata {
		t.add(f, "KAFKA_TOPIC", r.Original.Topic)
		t.add(f, "KAFKA_PARTITION", strconv.Itoa(int(r.Original.Partition)))
		t.add(f, "KAFKA_OFFSET", strconv.FormatInt(r.Offset, 10))
	}
	if (c.key || c.group) && r.Key != nil {
		key := headerText(r.Key)
		if c.key {
			f.Header.Del("correlation-id")
			t.add(f, "correlation-id", key)
		}
		if c.group {
			f.Header.Del("JMSXGroupID")
			t.add(f, "JMSXGroupID", key)
		}
	}
}

// add adds a header. The broker closes the connection on one that is too long, so that is left out and logged once a name.
func (t *sinkTask) add(f *frame.Frame, name, value string) {
	if len(name)+len(value) > maxHeaderValue || strings.ContainsRune(name+value, 0) {
		if !t.noted[name] && len(t.noted) < 1000 {
			t.noted[name] = true
			t.log.Warn("header does not fit a STOMP frame and is left out", "header", name, "bytes", len(value))
		}
		return
	}
	f.Header.Add(name, value)
}

// headerText is the text of a header's value: bytes as they are if they are text, else in base64.
func headerText(value any) string {
	if b, ok := value.([]byte); ok {
		if utf8.Valid(b) {
			return string(b)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	if text, err := connectors.AppendHeaderText(nil, value); err == nil {
		return string(text)
	}
	return fmt.Sprint(value)
}
