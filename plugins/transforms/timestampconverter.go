package transforms

import (
	"context"
	"fmt"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/connectors/javatime"
)

var timestampConverterConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "field", Type: connectors.ConfigString, Default: "", Importance: connectors.High,
		Doc: "The field that has the timestamp; empty if the whole key or value is one.",
	},
	connectors.ConfigKey{
		Name: "target.type", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
		Validator: connectors.In("string", "unix", "Date", "Time", "Timestamp"), Doc: "What to make of the timestamp.",
	},
	connectors.ConfigKey{
		Name: "format", Type: connectors.ConfigString, Default: "", Importance: connectors.Medium,
		Doc: "The pattern of timestamps in strings, as Java's SimpleDateFormat has it. Needed to read and to write strings.",
	},
	connectors.ConfigKey{
		Name: "unix.precision", Type: connectors.ConfigString, Default: "milliseconds", Importance: connectors.Low,
		Validator: connectors.In("nanoseconds", "microseconds", "milliseconds", "seconds"),
		Doc:       "The unit of timestamps in numbers, read or written.",
	},
	replaceNullConfig,
)

// timestampConverter is TimestampConverter: it changes how a moment is held.
type timestampConverter struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	name   string
	target timeForm
	format *javatime.Format
	unit   time.Duration
	plans  plans[*timestampPlan]
}

// A timeForm is a way to hold a moment: one of the target types.
type timeForm string

const (
	formString    timeForm = "string"
	formUnix      timeForm = "unix"
	formDate      timeForm = "Date"
	formTime      timeForm = "Time"
	formTimestamp timeForm = "Timestamp"
)

// A timestampPlan has the new schema, how the old one holds the moment, and the place of the field in a struct.
type timestampPlan struct {
	schema *connectors.Schema
	from   timeForm
	index  int
}

// Configure is part of connectors.Transform.
func (t *timestampConverter) Configure(config map[string]string) error {
	values, err := timestampConverterConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	t.replace = values.Bool(replaceNullKey)
	t.name = values.String("field")
	t.target = timeForm(values.String("target.type"))
	t.unit = map[string]time.Duration{
		"nanoseconds": time.Nanosecond, "microseconds": time.Microsecond, "milliseconds": time.Millisecond, "seconds": time.Second,
	}[values.String("unix.precision")]
	pattern := values.String("format")
	t.format = nil
	if strings.TrimSpace(pattern) == "" {
		if t.target == formString {
			return &connectors.ConfigError{Msg: "TimestampConverter requires format option to be specified when using string timestamps"}
		}
		return nil
	}
	if t.format, err = javatime.Compile(pattern); err != nil {
		return connectors.InvalidValue("format", pattern, fmt.Sprintf(
			"TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: %s: %v", pattern, err))
	}
	return nil
}

// Apply is part of connectors.Transform.
func (t *timestampConverter) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := t.get(r)
	if schema == nil {
		v, err := t.schemaless(value)
		if err == nil {
			t.set(r, nil, v)
		}
		return true, err
	}
	if t.name != "" {
		if _, err := requireStructOrNull(value, "converting timestamp formats"); err != nil {
			return true, err
		}
	}
	plan, err := t.plans.of(schema, t.plan)
	if err != nil {
		return true, err
	}
	v, err := t.withSchema(plan, value)
	if err == nil {
		t.set(r, plan.schema, v)
	}
	return true, err
}

func (t *timestampConverter) schemaless(value any) (any, error) {
	if value == nil || t.name == "" {
		return t.inferred(value)
	}
	m, err := requireMap(value, "converting timestamp formats")
	if err != nil {
		return nil, err
	}
	v, _ := m.Get(t.name)
	if v, err = t.inferred(v); err != nil {
		return nil, err
	}
	m = m.Clone()
	m.Put(t.name, v)
	return m, nil
}

// inferred converts a moment that is held as its Go type says.
func (t *timestampConverter) inferred(value any) (any, error) {
	switch value.(type) {
	case nil:
		return nil, nil
	case time.Time:
		return t.convert(formTimestamp, value)
	case int64:
		return t.convert(formUnix, value)
	case string:
		return t.convert(formString, value)
	}
	return nil, dataError("TimestampConverter does not support %s objects as timestamps", connectors.TypeName(value))
}

func (t *timestampConverter) withSchema(plan *timestampPlan, value any) (any, error) {
	if t.name == "" || value == nil {
		return t.convert(plan.from, value)
	}
	old := value.(*connectors.Struct) // Apply has looked
	s := t.structs.New(plan.schema)
	for i := range plan.schema.Fields {
		v := t.field(old, i)
		if i == plan.index {
			var err error
			if v, err = t.convert(plan.from, v); err != nil {
				return nil, err
			}
		}
		s.Set(i, v)
	}
	return s, nil
}

func (t *timestampConverter) plan(schema *connectors.Schema) (*timestampPlan, error) {
	if t.name == "" {
		from, err := formOf(schema)
		return &timestampPlan{schema: t.targetSchema(schema.Optional), from: from}, err
	}
	plan := &timestampPlan{index: schema.FieldIndex(t.name)}
	fields := append([]connectors.Field(nil), schema.Fields...)
	if plan.index >= 0 {
		old := fields[plan.index].Schema
		var err error
		if plan.from, err = formOf(old); err != nil {
			return nil, err
		}
		fields[plan.index].Schema = t.targetSchema(old.Optional)
	}
	plan.schema = structLike(schema, fields)
	plan.schema.Optional = schema.Optional
	if schema.Default != nil {
		d, err := t.withSchema(plan, schema.Default)
		if err != nil {
			return nil, err
		}
		plan.schema.Default = d
	}
	return plan, nil
}

// formOf returns how values of a schema hold moments.
func formOf(s *connectors.Schema) (timeForm, error) {
	switch {
	case s.Name == connectors.TimestampName:
		return formTimestamp, nil
	case s.Name == connectors.DateName:
		return formDate, nil
	case s.Name == connectors.TimeName:
		return formTime, nil
	case s.Type == connectors.TypeString:
		return formString, nil
	case s.Type == connectors.TypeInt64:
		return formUnix, nil
	}
	return "", dataError("Schema %s does not correspond to a known timestamp type format", s)
}

func (t *timestampConverter) targetSchema(optional bool) *connectors.Schema {
	s := map[timeForm]*connectors.Schema{
		formString: connectors.StringSchema, formUnix: connectors.Int64Schema, formDate: connectors.DateSchema,
		formTime: connectors.TimeSchema, formTimestamp: connectors.TimestampSchema,
	}[t.target]
	return s.AsOptional(optional)
}
