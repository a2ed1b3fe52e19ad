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
	nulls
	topic, partition, offset, timestamp, static insertion
	staticValue                                 string
	plans                                       plans[*connectors.Schema]
}

var _ connectors.SinkTransform = (*insertField)(nil)

// An insertion names a field; no name is no insertion.
type insertion struct {
	name     string
	set      bool
	required bool
}

func parseInsertion(values connectors.Values, key string) insertion {
	if values.IsNull(key) {
		return insertion{}
	}
	spec := values.String(key)
	if name, ok := strings.CutSuffix(spec, "!"); ok {
		return insertion{name, true, true}
	}
	return insertion{strings.TrimSuffix(spec, "?"), true, false}
}

// Configure is part of connectors.Transform.
func (f *insertField) Configure(config map[string]string) error {
	values, err := insertFieldConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	f.replace = values.Bool(replaceNullKey)
	f.topic = parseInsertion(values, "topic.field")
	f.partition = parseInsertion(values, "partition.field")
	f.offset = parseInsertion(values, "offset.field")
	f.timestamp = parseInsertion(values, "timestamp.field")
	f.static = parseInsertion(values, "static.field")
	f.staticValue = values.String("static.value")
	if !f.topic.set && !f.partition.set && !f.offset.set && !f.timestamp.set && !f.static.set {
		return &connectors.ConfigError{Msg: "No field insertion configured"}
	}
	if f.static.set && values.IsNull("static.value") {
		return connectors.InvalidValue("static.value", nil, "No value specified for static field: "+f.static.name)
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
		m, err := requireMap(value, "field insertion")
		if err != nil {
			return err
		}
		m = m.Clone()
		err = f.each(r, offset, false, func(in insertion, _ *connectors.Schema, v any) error {
			if v != nil {
				m.Put(in.name, v)
			}
			return nil
		})
		if err == nil {
			f.set(r, nil, m)
		}
		return err
	}
	old, err := requireStruct(value, "field insertion")
	if err != nil {
		return err
	}
	wider, err := f.plans.of(schema, func(s *connectors.Schema) (*connectors.Schema, error) { return f.plan(s, r, offset) })
	if err != nil {
		return err
	}
	s := connectors.NewStruct(wider)
	for i := range schema.Fields {
		s.Set(i, f.field(old, i))
	}
	next := len(schema.Fields)
	err = f.each(r, offset, true, func(_ insertion, _ *connectors.Schema, v any) error {
		s.Set(next, v)
		next++
		return nil
	})
	if err == nil {
		f.set(r, wider, s)
	}
	return err
}

// each calls insert for every field to insert, with its schema and value, nil if the record has none.
func (f *insertField) each(r *connectors.Record, offset *int64, logical bool, insert func(insertion, *connectors.Schema, any) error) error {
	var topic, partition, timestamp, at any
	if r.Topic != "" {
		topic = r.Topic
	} else if f.topic.set && f.topic.required {
		return dataError("Invalid value: null used for required field: %q, schema type: STRING", f.topic.name)
	}
	if r.Partition != connectors.NoPartition {
		partition = r.Partition
	}
	if r.Timestamp != connectors.NoTimestamp {
		timestamp = r.Timestamp
		if logical {
			timestamp = connectors.FromMillis(r.Timestamp)
		}
	}
	if f.offset.set {
		if offset == nil {
			return dataError("Only SinkRecord supported for [field insertion], found: SourceRecord")
		}
		at = *offset
	}
	for _, step := range []struct {
		insertion
		schema *connectors.Schema
		value  any
	}{
		{f.topic, connectors.OptionalStringSchema, topic},
		{f.partition, connectors.OptionalInt32Schema, partition},
		{f.offset, connectors.OptionalInt64Schema, at},
		{f.timestamp, connectors.OptionalTimestampSchema, timestamp},
		{f.static, connectors.OptionalStringSchema, f.staticValue},
	} {
		if !step.set {
			continue
		}
		if err := insert(step.insertion, step.schema.AsOptional(!step.required), step.value); err != nil {
			return err
		}
	}
	return nil
}

func (f *insertField) plan(schema *connectors.Schema, r *connectors.Record, offset *int64) (*connectors.Schema, error) {
	fields := append([]connectors.Field(nil), schema.Fields...)
	err := f.each(r, offset, true, func(in insertion, s *connectors.Schema, _ any) error {
		if in.name == "" {
			return dataError("fieldName cannot be null.")
		}
		fields = append(fields, connectors.Field{Name: in.name, Schema: s})
		return nil
	})
	if err == nil {
		err = unique(fields)
	}
	return structLike(schema, fields), err
}
