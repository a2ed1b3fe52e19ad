package transforms

import (
	"context"
	"strings"

	"millrace/connectors"
)

var insertFieldConfig = connectors.NewConfigDef(
	insertKey("topic.field", "The field to hold the topic. The suffix ! makes it a required field, ? an optional one, as it is without."),
	insertKey("partition.field", "The field to hold the partition, with a suffix as topic.field."),
	insertKey("offset.field", "The field to hold the offset, with a suffix as topic.field. For sinks only."),
	insertKey("timestamp.field", "The field to hold the record's timestamp, with a suffix as topic.field."),
	insertKey("static.field", "The field to hold static.value, with a suffix as topic.field."),
	insertKey("static.value", "The value of static.field."),
	replaceNullConfig,
)

func insertKey(name, doc string) connectors.ConfigKey {
	return connectors.ConfigKey{Name: name, Type: connectors.ConfigString, Importance: connectors.Medium, Doc: doc}
}

// insertField is InsertField: it adds fields with what is known of the record, or a fixed text.
type insertField struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	insertions  []insertion
	staticValue any
	plans       plans[*connectors.Schema]
}

var _ connectors.SinkTransform = (*insertField)(nil)

// An insertion is a field to add: its name and schema, and what it holds.
type insertion struct {
	what   string // the key that names the field
	name   string
	schema *connectors.Schema
}

// sources are what can be inserted, in the order of insertion.
var sources = []struct {
	key    string
	schema *connectors.Schema
}{
	{"topic.field", connectors.OptionalStringSchema},
	{"partition.field", connectors.OptionalInt32Schema},
	{"offset.field", connectors.OptionalInt64Schema},
	{"timestamp.field", connectors.OptionalTimestampSchema},
	{"static.field", connectors.OptionalStringSchema},
}

// Configure is part of connectors.Transform.
func (f *insertField) Configure(config map[string]string) error {
	values, err := insertFieldConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	f.replace = values.Bool(replaceNullKey)
	f.staticValue = values["static.value"]
	f.insertions = nil
	for _, source := range sources {
		if values.IsNull(source.key) {
			continue
		}
		name, required := strings.CutSuffix(values.String(source.key), "!")
		if !required {
			name = strings.TrimSuffix(name, "?")
		}
		f.insertions = append(f.insertions, insertion{source.key, name, source.schema.AsOptional(!required)})
		if source.key == "static.field" && f.staticValue == nil {
			return connectors.InvalidValue("static.value", nil, "No value specified for static field: "+name)
		}
	}
	if f.insertions == nil {
		return &connectors.ConfigError{Msg: "No field insertion configured"}
	}
	return nil
}

// Apply is part of connectors.Transform.
func (f *insertField) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	return true, f.apply(r, nil)
}

// ApplySink is part of connectors.SinkTransform: a sink's records have an offset.
func (f *insertField) ApplySink(_ context.Context, r *connectors.SinkRecord) (bool, error) {
	return true, f.apply(&r.Record, &r.Offset)
}

func (f *insertField) apply(r *connectors.Record, offset *int64) error {
	schema, value := f.get(r)
	if value == nil {
		return nil
	}
	if schema == nil {
		return f.applyMap(r, offset, value)
	}
	old, err := requireStruct(value, "field insertion")
	if err != nil {
		return err
	}
	wider, err := f.plans.of(schema, f.plan)
	if err != nil {
		return err
	}
	s := f.structs.New(wider)
	for i := range schema.Fields {
		s.Set(i, f.field(old, i))
	}
	for i, in := range f.insertions {
		v, err := f.value(in, r, offset)
		if err != nil {
			return err
		}
		if ms, ok := v.(int64); ok && in.what == "timestamp.field" {
			v = connectors.FromMillis(ms)
		}
		if v == nil && in.what == "topic.field" && !in.schema.Optional {
			return dataError("Invalid value: null used for required field: %q, schema type: STRING", in.name)
		}
		s.Set(len(schema.Fields)+i, v)
	}
	f.set(r, wider, s)
	return nil
}

func (f *insertField) applyMap(r *connectors.Record, offset *int64, value any) error {
	m, err := requireMap(value, "field insertion")
	if err != nil {
		return err
	}
	m = m.Clone()
	for _, in := range f.insertions {
		v, err := f.value(in, r, offset)
		if err != nil {
			return err
		}
		if v != nil {
			m.Put(in.name, v)
		}
	}
	f.set(r, nil, m)
	return nil
}

// value returns what to insert; nil if the record has no such thing.
func (f *insertField) value(in insertion, r *connectors.Record, offset *int64) (any, error) {
	switch in.what {
	case "topic.field":
		if r.Topic != "" {
			return r.Topic, nil
		}
	case "partition.field":
		if r.Partition != connectors.NoPartition {
			return r.Partition, nil
		}
	case "offset.field":
		if offset == nil {
			return nil, dataError("Only SinkRecord supported for [field insertion], found: SourceRecord")
		}
		return *offset, nil
	case "timestamp.field":
		if r.Timestamp != connectors.NoTimestamp {
			return r.Timestamp, nil
		}
	case "static.field":
		return f.staticValue, nil
	}
	return nil, nil
}

func (f *insertField) plan(schema *connectors.Schema) (*connectors.Schema, error) {
	fields := append([]connectors.Field(nil), schema.Fields...)
	for _, in := range f.insertions {
		if in.name == "" {
			return nil, dataError("fieldName cannot be null.")
		}
		fields = append(fields, connectors.Field{Name: in.name, Schema: in.schema})
	}
	return structLike(schema, fields), unique(fields)
}
