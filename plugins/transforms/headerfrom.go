package transforms

import (
	"context"
	"slices"

	"millrace/connectors"
)

var headerFromConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "fields", Type: connectors.ConfigList, Required: true, Importance: connectors.High,
		Validator: connectors.NonEmptyList(), Doc: "The fields that become headers.",
	},
	connectors.ConfigKey{
		Name: "headers", Type: connectors.ConfigList, Required: true, Importance: connectors.High,
		Validator: connectors.NonEmptyList(), Doc: "The names of the headers, one for each field, in the same order.",
	},
	connectors.ConfigKey{
		Name: "operation", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
		Validator: connectors.In("move", "copy"), Doc: "move also removes the fields, copy leaves them.",
	},
	replaceNullConfig,
)

// headerFrom is HeaderFrom: it makes headers of fields.
type headerFrom struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	fields, headers []string
	operation       string
	plans           plans[*headerPlan]
}

// A headerPlan has the places of the fields that become headers, and what stays: the new schema and the places of its fields
// in the old one.
type headerPlan struct {
	from   []int
	schema *connectors.Schema
	stay   []int
}

// Configure is part of connectors.Transform.
func (h *headerFrom) Configure(config map[string]string) error {
	values, err := headerFromConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	h.replace = values.Bool(replaceNullKey)
	h.fields, h.headers = values.List("fields"), values.List("headers")
	h.operation = values.String("operation")
	if len(h.fields) != len(h.headers) {
		return &connectors.ConfigError{Msg: "'fields' config must have the same number of elements as 'headers' config."}
	}
	return nil
}

// Apply is part of connectors.Transform.
func (h *headerFrom) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := h.get(r)
	if schema == nil {
		return true, h.applyMap(r, value)
	}
	old, err := requireStruct(value, "header "+h.operation)
	if err != nil {
		return true, err
	}
	plan, err := h.plans.of(schema, h.plan)
	if err != nil {
		return true, err
	}
	headers := slices.Clip(r.Headers)
	for i, from := range plan.from {
		headers = append(headers, connectors.Header{Key: h.headers[i], Schema: schema.Fields[from].Schema, Value: h.field(old, from)})
	}
	r.Headers = headers
	if h.operation == "move" {
		s := h.structs.New(plan.schema)
		for i, from := range plan.stay {
			s.Set(i, h.field(old, from))
		}
		h.set(r, plan.schema, s)
	}
	return true, nil
}

func (h *headerFrom) applyMap(r *connectors.Record, value any) error {
	m, err := requireMap(value, "header "+h.operation)
	if err != nil {
		return err
	}
	headers := slices.Clip(r.Headers)
	for i, name := range h.fields {
		v, _ := m.Get(name)
		headers = append(headers, connectors.Header{Key: h.headers[i], Value: v})
	}
	r.Headers = headers
	if h.operation == "move" {
		m = m.Clone()
		for _, name := range h.fields {
			m.Delete(name)
		}
		h.set(r, nil, m)
	}
	return nil
}

func (h *headerFrom) plan(schema *connectors.Schema) (*headerPlan, error) {
	plan := &headerPlan{}
	for _, name := range h.fields {
		i := schema.FieldIndex(name)
		if i < 0 {
			return nil, dataError("Field does not exist: %s", name)
		}
		plan.from = append(plan.from, i)
	}
	var fields []connectors.Field
	for i, f := range schema.Fields {
		if !slices.Contains(h.fields, f.Name) {
			fields = append(fields, f)
			plan.stay = append(plan.stay, i)
		}
	}
	plan.schema = structLike(schema, fields)
	return plan, nil
}
