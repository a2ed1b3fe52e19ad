package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"millrace/connectors"
)

// Dictionaries begin anew at these sizes, so that neither side grows without end. A decoder refuses more.
const (
	maxSchemas    = 1 << 10
	maxTopics     = 1 << 16
	maxPartitions = 1 << 16
)

// An Encoder writes the records of one direction of one stream. It is used by one goroutine at a time. The zero Encoder is
// ready.
type Encoder struct {
	schemas    map[*connectors.Schema]uint32
	texts      map[string]uint32 // encoded schemas, for schemas that are made anew for each record
	topics     map[string]uint32
	partitions map[*connectors.SourcePartition]uint32
	lastTopic  string
	lastIndex  uint32

	// head has the new entries of dictionaries, body the records, out both.
	head, body, out, scratch []byte
}

// reset makes the dictionaries empty and says so to the decoder.
func (e *Encoder) reset() {
	e.schemas = make(map[*connectors.Schema]uint32)
	e.texts = make(map[string]uint32)
	e.topics = make(map[string]uint32)
	e.partitions = make(map[*connectors.SourcePartition]uint32)
	e.lastTopic = ""
}

// begin starts a message.
func (e *Encoder) begin() {
	e.head, e.body = e.head[:0], e.body[:0]
	if e.schemas == nil || len(e.schemas) >= maxSchemas/2 || len(e.topics) >= maxTopics/2 || len(e.partitions) >= maxPartitions/2 {
		e.reset()
		e.head = protowire.AppendTag(e.head, 1, protowire.VarintType)
		e.head = protowire.AppendVarint(e.head, 1)
	}
}

// full reports whether the message should end here.
func (e *Encoder) full(records int) bool {
	return records >= PieceRecords || len(e.body)+len(e.head) >= PieceBytes || len(e.texts) >= maxSchemas-64 ||
		len(e.topics) >= maxTopics-64 || len(e.partitions) >= maxPartitions-64
}

// end returns the message, valid until the next call. After an error the dictionaries of the two sides may differ: they begin anew.
func (e *Encoder) end(n int, err error) ([]byte, int, error) {
	if err != nil {
		e.schemas = nil
		return nil, 0, err
	}
	e.out = append(append(e.out[:0], e.head...), e.body...)
	return e.out, n, nil
}

// Sources encodes as many records as make a piece and returns how many those are. The bytes are valid until the next call.
// An error is about the record after n others, of which none is sent.
func (e *Encoder) Sources(records []connectors.SourceRecord) (data []byte, n int, err error) {
	e.begin()
	for n < len(records) && !e.full(n) {
		r := &records[n]
		var at int
		e.body, at = open(e.body, 5)
		if err := e.record(&r.Record); err != nil {
			return e.end(n, err)
		}
		if r.SourcePartition != nil {
			id, err := e.partition(r.SourcePartition)
			if err != nil {
				return e.end(n, err)
			}
			e.body = appendUint(e.body, 9, uint64(id))
		}
		if r.SourceOffset != nil {
			if m := r.SourceOffset.Map(); m != nil {
				if e.body, err = e.field(e.body, 10, nil, m, 0); err != nil {
					return e.end(n, err)
				}
			}
		}
		e.body = closeAt(e.body, at)
		n++
	}
	return e.end(n, nil)
}

// Sinks is Sources for the records of a sink.
func (e *Encoder) Sinks(records []connectors.SinkRecord) (data []byte, n int, err error) {
	e.begin()
	for n < len(records) && !e.full(n) {
		r := &records[n]
		var at int
		e.body, at = open(e.body, 5)
		if err := e.record(&r.Record); err != nil {
			return e.end(n, err)
		}
		e.body = appendUint(e.body, 11, uint64(r.Offset))
		if r.TimestampType != connectors.NoTimestampType {
			e.body = protowire.AppendTag(e.body, 12, protowire.VarintType)
			e.body = protowire.AppendVarint(e.body, protowire.EncodeZigZag(int64(r.TimestampType)))
		}
		if r.Original.Topic != r.Topic || r.Original.Partition != r.Partition {
			e.body = protowire.AppendTag(e.body, 13, protowire.VarintType)
			e.body = protowire.AppendVarint(e.body, uint64(e.topic(r.Original.Topic)))
			e.body = protowire.AppendTag(e.body, 14, protowire.VarintType)
			e.body = protowire.AppendVarint(e.body, protowire.EncodeZigZag(int64(r.Original.Partition)))
		}
		e.body = closeAt(e.body, at)
		n++
	}
	return e.end(n, nil)
}

// record appends the fields that the records of sources and sinks share.
func (e *Encoder) record(r *connectors.Record) error {
	e.body = appendUint(e.body, 1, uint64(e.topic(r.Topic)))
	if r.Partition != connectors.NoPartition {
		e.body = protowire.AppendTag(e.body, 2, protowire.VarintType)
		e.body = protowire.AppendVarint(e.body, protowire.EncodeZigZag(int64(r.Partition)))
	}
	if err := e.pair(3, r.KeySchema, 4, r.Key); err != nil {
		return err
	}
	if err := e.pair(5, r.ValueSchema, 6, r.Value); err != nil {
		return err
	}
	if r.Timestamp != connectors.NoTimestamp {
		e.body = protowire.AppendTag(e.body, 7, protowire.VarintType)
		e.body = protowire.AppendVarint(e.body, protowire.EncodeZigZag(r.Timestamp))
	}
	for i := range r.Headers {
		h := &r.Headers[i]
		var at int
		e.body, at = open(e.body, 8)
		e.body = appendText(e.body, 1, h.Key)
		if err := e.pair(2, h.Schema, 3, h.Value); err != nil {
			return err
		}
		e.body = closeAt(e.body, at)
	}
	return nil
}

// pair appends a schema and a value of it as two fields.
func (e *Encoder) pair(schemaField protowire.Number, schema *connectors.Schema, field protowire.Number, value any) error {
	if schema != nil {
		id, err := e.schema(schema)
		if err != nil {
			return err
		}
		e.body = appendUint(e.body, schemaField, uint64(id))
	}
	if value == nil {
		return nil
	}
	var err error
	e.body, err = e.field(e.body, field, schema, value, 0)
	return err
}

func (e *Encoder) topic(name string) uint32 {
	if name == e.lastTopic && name != "" {
		return e.lastIndex
	}
	id, ok := e.topics[name]
	if !ok {
		id = uint32(len(e.topics))
		e.topics[name] = id
		e.head = appendText(e.head, 3, name)
	}
	e.lastTopic, e.lastIndex = name, id
	return id
}

func (e *Encoder) partition(p *connectors.SourcePartition) (uint32, error) {
	if id, ok := e.partitions[p]; ok {
		return id, nil
	}
	var err error
	if e.head, err = e.field(e.head, 4, nil, p.Map(), 0); err != nil {
		return 0, err
	}
	id := uint32(len(e.partitions) + 1)
	e.partitions[p] = id
	return id, nil
}

func (e *Encoder) schema(s *connectors.Schema) (uint32, error) {
	if id, ok := e.schemas[s]; ok {
		return id, nil
	}
	text, err := appendSchema(e.scratch[:0], s, 0)
	if err != nil {
		return 0, err
	}
	e.scratch = text[:0]
	id, ok := e.texts[string(text)]
	if !ok {
		id = uint32(len(e.texts) + 1)
		e.texts[string(text)] = id
		e.head = protowire.AppendTag(e.head, 2, protowire.BytesType)
		e.head = protowire.AppendBytes(e.head, text)
	}
	if len(e.schemas) < maxSchemas { // else they are all new: the texts must do
		e.schemas[s] = id
	}
	return id, nil
}
