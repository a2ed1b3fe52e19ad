package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"millrace/connectors"
)

// The two versions of the schema differ in one field.
var (
	recordSchema  = newRecordSchema(1)
	recordSchema2 = newRecordSchema(2, connectors.Field{Name: "string", Schema: &connectors.Schema{Type: connectors.TypeString, Default: "abc"}})
)

func newRecordSchema(version int32, more ...connectors.Field) *connectors.Schema {
	s := connectors.StructOf(slices.Concat([]connectors.Field{
		{Name: "boolean", Schema: connectors.BooleanSchema},
		{Name: "int", Schema: connectors.Int32Schema},
		{Name: "long", Schema: connectors.Int64Schema},
		{Name: "float", Schema: connectors.Float32Schema},
		{Name: "double", Schema: connectors.Float64Schema},
		{Name: "partitioning", Schema: connectors.Int32Schema},
	}, more, []connectors.Field{
		{Name: "id", Schema: connectors.Int32Schema},
		{Name: "seqno", Schema: connectors.Int64Schema},
	})...)
	s.Name, s.Version = "record", &version
	return s
}

type schemaSourceTask struct {
	out        *lines
	gen        generator
	limit      int64 // records since the start
	multiple   bool
	partitions int64
	buf        []byte
}

var _ connectors.SourceTask = (*schemaSourceTask)(nil)

func (t *schemaSourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	values, err := parse(schemaSourceDef(), "SchemaSourceTask", config)
	if err != nil {
		return err
	}
	t.limit = values.Long(keyNumMessages)
	t.multiple = strings.EqualFold(values.String(keyMultipleSchema), "true")
	t.partitions = int64(values.Int(keyPartitionCount))
	return t.gen.start(ctx, tc, values)
}

func (t *schemaSourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	left := t.limit - (t.gen.next - t.gen.first)
	if left <= 0 {
		sleep(ctx, pollTime)
		return nil, nil
	}
	records := t.gen.records(ctx, left)
	t.buf = t.buf[:0]
	for i := range records {
		r := &records[i]
		n := numberOf(r)
		r.Partition = t.gen.id
		r.KeySchema, r.Key = connectors.StringSchema, "key"
		value := t.value(n)
		r.ValueSchema, r.Value = value.Schema(), value
		t.buf = fmt.Appendf(t.buf, "{\"task\": %d, \"seqno\": %d}\n", t.gen.id, n)
	}
	return records, t.out.write(t.buf)
}

// value returns the record of a number: the same constants in all of them.
func (t *schemaSourceTask) value(n int64) *connectors.Struct {
	s := connectors.NewStruct(recordSchema)
	fields := []any{true, int32(12), int64(12), float32(12.2), 12.2, int32(n % t.partitions), t.gen.id, n}
	if t.multiple && (n-t.gen.first)%2 != 0 {
		s = connectors.NewStruct(recordSchema2)
		fields = slices.Insert(fields, 6, any("def"))
	}
	for i, v := range fields {
		s.Set(i, v)
	}
	return s
}

func (t *schemaSourceTask) Stop(context.Context) error { return nil }
