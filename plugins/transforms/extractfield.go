package transforms

import (
	"context"
	"strings"

	"millrace/connectors"
)

var extractFieldConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "field", Type: connectors.ConfigString, Required: true, Importance: connectors.Medium,
	Doc: "The field to take; with field.syntax.version=V2 the path to it.",
}, replaceNullConfig, fieldSyntaxConfig)

// extractField is ExtractField: a field becomes the whole.
type extractField struct {
	side
	noClose
	nulls
	path  string
	steps []string
	plans plans[*extractPlan]
}

// An extractPlan has the place of the field in each struct on the way, and its schema.
type extractPlan struct {
	indexes []int
	schema  *connectors.Schema
}

// Configure is part of connectors.Transform.
func (e *extractField) Configure(config map[string]string) error {
	values, err := extractFieldConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	e.replace = values.Bool(replaceNullKey)
	e.path = values.String("field")
	e.steps = []string{e.path}
	if strings.EqualFold(values.String("field.syntax.version"), "V2") {
		e.steps, err = parsePath(e.path)
	}
	return err
}

// Apply is part of connectors.Transform.
func (e *extractField) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := e.get(r)
	if schema == nil {
		v, err := e.fromMap(value)
		if err == nil {
			e.set(r, nil, v)
		}
		return true, err
	}
	if _, err := requireStructOrNull(value, "field extraction"); err != nil {
		return true, err
	}
	plan, err := e.plans.of(schema, e.plan)
	if err != nil {
		return true, err
	}
	for _, i := range plan.indexes {
		s, ok := value.(*connectors.Struct)
		if !ok { // a null on the way
			value = nil
			break
		}
		value = e.field(s, i)
	}
	e.set(r, plan.schema, value)
	return true, nil
}

func requireStructOrNull(value any, purpose string) (*connectors.Struct, error) {
	if value == nil {
		return nil, nil
	}
	return requireStruct(value, purpose)
}

func (e *extractField) fromMap(value any) (any, error) {
	purpose := "field extraction"
	for _, step := range e.steps {
		if value == nil {
			return nil, nil
		}
		m, err := requireMap(value, purpose)
		if err != nil {
			return nil, err
		}
		value, _ = m.Get(step)
		purpose = "nested field access"
	}
	return value, nil
}

func (e *extractField) plan(schema *connectors.Schema) (*extractPlan, error) {
	plan := &extractPlan{schema: schema}
	for _, step := range e.steps {
		if plan.schema.Type != connectors.TypeStruct {
			return nil, dataError("Cannot look up fields on non-struct type")
		}
		i := plan.schema.FieldIndex(step)
		if i < 0 {
			return nil, dataError("Unknown field: %s", e.path)
		}
		plan.indexes = append(plan.indexes, i)
		plan.schema = plan.schema.Fields[i].Schema
	}
	return plan, nil
}
