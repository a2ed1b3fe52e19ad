package mirror

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// The records of the internal topics, all numbers big endian, a text with its length in two bytes before it:
//
//	             key                             value
//	offset sync  topic, int32 partition          int64 upstream offset, int64 downstream offset
//	checkpoint   group, topic, int32 partition   int16 version 0, int64 upstream, int64 downstream, metadata
//	heartbeat    source alias, target alias      int16 version 0, int64 milliseconds

// A topicPartition is a partition of the source or of the target.
type topicPartition struct {
	topic     string
	partition int32
}

func (tp topicPartition) String() string { return fmt.Sprintf("%s-%d", tp.topic, tp.partition) }

// An offsetSync says that the record of the source at upstream became the one of the target at downstream.
type offsetSync struct {
	topicPartition
	upstream, downstream int64
}

func (s offsetSync) key() []byte { return appendPartition(nil, s.topicPartition) }

func (s offsetSync) value() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.upstream))
	return binary.BigEndian.AppendUint64(b, uint64(s.downstream))
}

func readOffsetSync(key, value []byte) (s offsetSync, err error) {
	k, v := reader{b: key}, reader{b: value}
	s.topicPartition = k.partition()
	s.upstream, s.downstream = v.int64(), v.int64()
	return s, errors.Join(k.end("key"), v.end("value"))
}

// A checkpoint says where in the target a group goes on that has read the source up to upstream.
type checkpoint struct {
	group string
	// The partition has its name in the target.
	topicPartition
	upstream, downstream int64
	metadata             string
}

func (c checkpoint) key() []byte { return appendPartition(appendText(nil, c.group), c.topicPartition) }

func (c checkpoint) value() []byte {
	b := binary.BigEndian.AppendUint64([]byte{0, 0}, uint64(c.upstream))
	b = binary.BigEndian.AppendUint64(b, uint64(c.downstream))
	return appendText(b, c.metadata)
}

func readCheckpoint(key, value []byte) (c checkpoint, err error) {
	k, v := reader{b: key}, reader{b: value}
	c.group = k.text()
	c.topicPartition = k.partition()
	v.version()
	c.upstream, c.downstream, c.metadata = v.int64(), v.int64(), v.text()
	return c, errors.Join(k.end("key"), v.end("value"))
}

// A heartbeat says that the way from source to target was open at a time.
type heartbeat struct {
	source, target string
	timestamp      int64
}

func (h heartbeat) key() []byte { return appendText(appendText(nil, h.source), h.target) }

func (h heartbeat) value() []byte {
	return binary.BigEndian.AppendUint64([]byte{0, 0}, uint64(h.timestamp))
}

func readHeartbeat(key, value []byte) (h heartbeat, err error) {
	k, v := reader{b: key}, reader{b: value}
	h.source, h.target = k.text(), k.text()
	v.version()
	h.timestamp = v.int64()
	return h, errors.Join(k.end("key"), v.end("value"))
}

// appendText appends a text of at most 32767 bytes; all that Kafka takes as names are shorter.
func appendText(b []byte, s string) []byte {
	if len(s) > math.MaxInt16 {
		s = s[:math.MaxInt16]
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendPartition(b []byte, tp topicPartition) []byte {
	return binary.BigEndian.AppendUint32(appendText(b, tp.topic), uint32(tp.partition))
}

// A reader takes values off b until one is not there.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = fmt.Errorf("%d bytes are missing", n-len(r.b))
	}
	if r.err != nil {
		return make([]byte, min(n, 8))
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) int64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

func (r *reader) text() string {
	n := int16(binary.BigEndian.Uint16(r.take(2)))
	if n < 0 && r.err == nil {
		r.err = fmt.Errorf("a text of length %d", n)
	}
	if r.err != nil {
		return ""
	}
	text := string(r.take(int(n)))
	if r.err != nil {
		return ""
	}
	if !utf8.ValidString(text) {
		r.err = errors.New("a text is not UTF-8")
	}
	return text
}

func (r *reader) partition() topicPartition {
	topic := r.text()
	return topicPartition{topic, int32(binary.BigEndian.Uint32(r.take(4)))}
}

func (r *reader) version() {
	if v := int16(binary.BigEndian.Uint16(r.take(2))); v != 0 && r.err == nil {
		r.err = fmt.Errorf("version %d is not known", v)
	}
}

// end reports what went wrong. As in Kafka, bytes that follow do not matter.
func (r *reader) end(what string) error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, r.err)
}
