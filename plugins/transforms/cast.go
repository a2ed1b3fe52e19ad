package transforms

import (
	"context"
	"fmt"
	"strings"

	"millrace/connectors"
)

var castConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "spec", Type: connectors.ConfigList, Required: true, Importance: connectors.High, Validator: castCheck{},
	Doc: "Fields and the types to cast them to, field:type; or one type for the whole key or value. " +
		"Types are int8, int16, int32, int64, float32, float64, boolean and string.",
}, replaceNullConfig)

// cast is Cast: it changes the types of fields, or of the whole.
type cast struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	whole  connectors.Type
	fields []castField
	plans  plans[*castPlan]
}

type castField struct {
	name string
	to   connectors.Type
}

// A castPlan has the new schema and, for each field, the type to cast to; 0 leaves it.
type castPlan struct {
	schema *connectors.Schema
	to     []connectors.Type
}

var castTypes = map[string]connectors.Type{
	"INT8": connectors.TypeInt8, "INT16": connectors.TypeInt16, "INT32": connectors.TypeInt32, "INT64": connectors.TypeInt64,
	"FLOAT32": connectors.TypeFloat32, "FLOAT64": connectors.TypeFloat64, "BOOLEAN": connectors.TypeBoolean,
	"STRING": connectors.TypeString,
}

const castTargets = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"

// castCheck checks a spec, before it is parsed once more by Configure.
type castCheck struct{}

func (castCheck) String() string {
	return "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>"
}

func (castCheck) Check(_ string, value any) error {
	spec, ok := value.([]string)
	if !ok || len(spec) == 0 {
		return &connectors.ConfigError{Msg: "Must specify at least one field to cast."}
	}
	_, _, err := parseCast(spec)
	return err
}

func parseCast(spec []string) (whole connectors.Type, fields []castField, err error) {
	for _, item := range spec {
		parts := splitColons(item)
		if len(parts) > 2 {
			return 0, nil, connectors.InvalidValue("renames", spec, "Invalid rename mapping: "+item)
		}
		t, err := castType(spec, strings.TrimSpace(parts[len(parts)-1]))
		if err != nil {
			return 0, nil, err
		}
		if len(parts) == 1 {
			whole = t
		} else {
			fields = append(fields, castField{strings.TrimSpace(parts[0]), t})
		}
	}
	if whole != 0 && len(spec) > 1 {
		return 0, nil, &connectors.ConfigError{
			Msg: "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
		}
	}
	return whole, fields, nil
}

func castType(spec []string, name string) (connectors.Type, error) {
	upper := strings.ToUpper(name)
	if t, ok := castTypes[upper]; ok {
		return t, nil
	}
	switch upper {
	case "BYTES", "ARRAY", "MAP", "STRUCT":
		return 0, &connectors.ConfigError{
			Msg: fmt.Sprintf("Cast transformation does not support casting to %s; supported types are %s", upper, castTargets),
		}
	}
	return 0, connectors.InvalidValue("spec", spec, "Invalid type found in casting spec: "+name)
}

// splitColons splits as Java does: empty parts at the end are dropped.
func splitColons(s string) []string {
	parts := strings.Split(s, ":")
	for len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// Configure is part of connectors.Transform.
func (c *cast) Configure(config map[string]string) error {
	values, err := castConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	c.replace = values.Bool(replaceNullKey)
	c.whole, c.fields, err = parseCast(values.List("spec"))
	return err
}

// Apply is part of connectors.Transform.
func (c *cast) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := c.get(r)
	if value == nil {
		return true, nil
	}
	if schema == nil {
		v, err := c.schemaless(value)
		if err == nil {
			c.set(r, nil, v)
		}
		return true, err
	}
	plan, err := c.plans.of(schema, c.plan)
	if err != nil {
		return true, err
	}
	v, err := c.withSchema(plan, schema, value)
	if err == nil {
		c.set(r, plan.schema, v)
	}
	return true, err
}

func (c *cast) schemaless(value any) (any, error) {
	if c.whole != 0 {
		return castValue(nil, value, c.whole)
	}
	m, err := requireMap(value, "cast types")
	if err != nil {
		return nil, err
	}
	m = m.Clone()
	for _, f := range c.fields {
		old, _ := m.Get(f.name)
		v, err := castValue(nil, old, f.to)
		if err != nil {
			return nil, err
		}
		m.Put(f.name, v)
	}
	return m, nil
}

func (c *cast) withSchema(plan *castPlan, schema *connectors.Schema, value any) (any, error) {
	if c.whole != 0 {
		return castValue(schema, value, c.whole)
	}
	old, err := requireStruct(value, "cast types")
	if err != nil {
		return nil, err
	}
	s := c.structs.New(plan.schema)
	for i, f := range schema.Fields {
		v := c.field(old, i)
		if plan.to[i] != 0 {
			if v, err = castValue(f.Schema, v, plan.to[i]); err != nil {
				return nil, err
			}
		}
		s.Set(i, v)
	}
	return s, nil
}

func (c *cast) plan(schema *connectors.Schema) (*castPlan, error) {
	if c.whole != 0 {
		s := basics(schema, c.whole)
		s.Optional = schema.Optional
		var err error
		s.Default, err = castValue(schema, schema.Default, c.whole)
		return &castPlan{schema: s}, err
	}
	if schema.Type != connectors.TypeStruct {
		return nil, dataError("Cannot list fields on non-struct type")
	}
	plan := &castPlan{to: make([]connectors.Type, len(schema.Fields))}
	fields := make([]connectors.Field, len(schema.Fields))
	for i, f := range schema.Fields {
		fields[i] = f
		for _, spec := range c.fields { // the last of several wins
			if spec.name == f.Name {
				plan.to[i] = spec.to
			}
		}
		if plan.to[i] == 0 {
			continue
		}
		d, err := castValue(f.Schema, f.Schema.Default, plan.to[i])
		if err != nil {
			return nil, err
		}
		fields[i].Schema = &connectors.Schema{Type: plan.to[i], Optional: f.Schema.Optional, Default: d}
	}
	plan.schema = structLike(schema, fields)
	plan.schema.Optional = schema.Optional
	return plan, nil
}
