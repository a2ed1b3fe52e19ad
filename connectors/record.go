package connectors

import "context"

// NoPartition and NoTimestamp mark an unset partition and timestamp of a Record.
const (
	NoPartition int32 = -1
	NoTimestamp int64 = -1
)

// A Record is one datum between a connector and the log: what transforms see and change. Key and Value hold the Go
// types listed at Schema; with a nil schema they are schemaless. Timestamp is milliseconds since the epoch, UTC.
type Record struct {
	Topic       string
	Partition   int32
	KeySchema   *Schema
	Key         any
	ValueSchema *Schema
	Value       any
	Timestamp   int64
	Headers     Headers
}

// A SourceRecord is a Record on its way into the log, with the place in the foreign system where reading goes on after it.
//
// SourcePartition and SourceOffset may both be nil: then nothing is remembered for the record. Records of one source
// partition share one *SourcePartition, made once, so that the runtime recognises it without looking inside.
type SourceRecord struct {
	Record
	SourcePartition *SourcePartition
	SourceOffset    SourceOffset
	// Handle is the task's own: the runtime carries it back untouched in RecordCommitter.CommitRecords.
	Handle any
}

// A SourcePartition names a part of the foreign system that has one position (a file, a subject). It is immutable.
type SourcePartition struct{ fields map[string]any }

// NewSourcePartition takes ownership of fields: JSON-like values only (string, bool, int64, float64, nil, maps, lists).
func NewSourcePartition(fields map[string]any) *SourcePartition {
	return &SourcePartition{fields: fields}
}

// Map returns the fields; the caller does not change them.
func (p *SourcePartition) Map() map[string]any { return p.fields }

// A SourceOffset is a position within a source partition. Only the last acknowledged one of a partition is ever asked for
// its Map, so a task can use a cheap type for it (an integer) and build the map on demand.
type SourceOffset interface {
	Map() map[string]any
}

// OffsetMap is a SourceOffset that is its own map.
type OffsetMap map[string]any

// Map returns m itself.
func (m OffsetMap) Map() map[string]any { return m }

// A TimestampType says who set a record's timestamp (KIP-32).
type TimestampType int8

// The timestamp types of the record format.
const (
	NoTimestampType TimestampType = -1
	CreateTime      TimestampType = 0
	LogAppendTime   TimestampType = 1
)

// A TopicPartition names a partition of the log.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// A SinkRecord is a Record read from the log. Topic and Partition may have been changed by transforms; Original and Offset say
// where it really was (KIP-793).
type SinkRecord struct {
	Record
	Offset        int64
	TimestampType TimestampType
	Original      TopicPartition
}

// A Header is one entry of Headers.
type Header struct {
	Key    string
	Schema *Schema
	Value  any
}

// Headers are an ordered multi-map.
type Headers []Header

// Last returns the last header named key.
func (h Headers) Last(key string) (Header, bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Key == key {
			return h[i], true
		}
	}
	return Header{}, false
}

// SchemaAndValue is a value with its schema; a nil Schema is schemaless.
type SchemaAndValue struct {
	Schema *Schema
	Value  any
}

// A Converter turns keys or values into the bytes of a record and back. One instance serves one task and is used by one
// goroutine at a time. Errors are *DataError unless they are worth retrying.
type Converter interface {
	Configure(config map[string]string, isKey bool) error
	// FromConnect returns nil for a null. The bytes are read-only and may share memory with value.
	FromConnect(topic string, headers Headers, schema *Schema, value any) ([]byte, error)
	// ToConnect may keep data: the caller does not change it afterwards.
	ToConnect(topic string, headers Headers, data []byte) (SchemaAndValue, error)
	Close() error
}

// A HeaderConverter does the same for header values.
type HeaderConverter interface {
	Configure(config map[string]string) error
	FromConnectHeader(topic, key string, schema *Schema, value any) ([]byte, error)
	ToConnectHeader(topic, key string, data []byte) (SchemaAndValue, error)
	Close() error
}

// A Transform changes records one at a time. Apply changes r itself but never the values r refers to: those are
// copied on write, since the untransformed record may still be needed. keep false drops the record.
type Transform interface {
	Configure(config map[string]string) error
	Apply(ctx context.Context, r *Record) (keep bool, err error)
	Close() error
}

// SinkTransform is an optional ability of a Transform that needs to know where a sink's record was: for records of sinks the
// runtime calls ApplySink in place of Apply.
type SinkTransform interface {
	ApplySink(ctx context.Context, r *SinkRecord) (keep bool, err error)
}

// A Predicate decides whether a Transform is applied to r.
type Predicate interface {
	Configure(config map[string]string) error
	Test(r *Record) (bool, error)
	Close() error
}
