package transforms

import (
	"context"

	"millrace/connectors"
)

var hoistFieldConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "field", Type: connectors.ConfigString, Required: true, Importance: connectors.Medium,
	Doc: "The name of the field that the whole becomes.",
})

// hoistField is HoistField: the whole becomes the only field of a struct or map.
type hoistField struct {
	side
	noClose
	structs connectors.StructMaker
	name    string
	plans   plans[*connectors.Schema]
}

// Configure is part of connectors.Transform.
func (h *hoistField) Configure(config map[string]string) error {
	values, err := hoistFieldConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	h.name = values.String("field")
	return nil
}

// Apply is part of connectors.Transform.
func (h *hoistField) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := h.get(r)
	if schema == nil {
		m := connectors.NewMap(1)
		m.Put(h.name, value)
		h.set(r, nil, m)
		return true, nil
	}
	outer, err := h.plans.of(schema, func(s *connectors.Schema) (*connectors.Schema, error) {
		if h.name == "" {
			return nil, dataError("fieldName cannot be null.")
		}
		return connectors.StructOf(connectors.Field{Name: h.name, Schema: s}), nil
	})
	if err != nil {
		return true, err
	}
	s := h.structs.New(outer)
	if err := s.Put(h.name, value); err != nil {
		return true, err
	}
	h.set(r, outer, s)
	return true, nil
}
