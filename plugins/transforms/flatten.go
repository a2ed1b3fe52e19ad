package transforms

import (
	"context"

	"millrace/connectors"
)

var flattenConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "delimiter", Type: connectors.ConfigString, Default: ".", Importance: connectors.Medium,
	Doc: "What stands between the names of a field and of the one it was in.",
})

// flatten is Flatten: fields of nested structs and maps move to the top, with the names on the way joined.
type flatten struct {
	side
	noClose
	structs   connectors.StructMaker
	delimiter string
	plans     plans[*connectors.Schema]
}

// Configure is part of connectors.Transform.
func (f *flatten) Configure(config map[string]string) error {
	values, err := flattenConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	f.delimiter = values.String("delimiter")
	return nil
}

// Apply is part of connectors.Transform.
func (f *flatten) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := f.get(r)
	if value == nil {
		return true, nil
	}
	if schema == nil {
		m, err := requireMap(value, "flattening")
		if err != nil {
			return true, err
		}
		flat := connectors.NewMap(m.Len())
		if err := f.flattenMap(m, "", flat); err != nil {
			return true, err
		}
		f.set(r, nil, flat)
		return true, nil
	}
	s, err := requireStruct(value, "flattening")
	if err != nil {
		return true, err
	}
	flatSchema, err := f.plans.of(schema, f.plan)
	if err != nil {
		return true, err
	}
	flat := f.structs.New(flatSchema)
	fill(flat, s, schema, 0)
	f.set(r, flatSchema, flat)
	return true, nil
}

func (f *flatten) name(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + f.delimiter + name
}

func (f *flatten) flattenMap(m *connectors.Map, prefix string, flat *connectors.Map) error {
	for k, v := range m.All() {
		key, ok := k.(string)
		if !ok {
			return dataError("Flatten transformation does not support the key %s of type %s: keys must be strings",
				connectors.Text(k), connectors.TypeName(k))
		}
		name := f.name(prefix, key)
		switch v := v.(type) {
		case *connectors.Map:
			if err := f.flattenMap(v, name, flat); err != nil {
				return err
			}
		case *connectors.Struct:
			return dataError("Flatten transformation does not support %s for record without schemas (for field %s).",
				connectors.TypeName(v), name)
		default:
			if s, err := connectors.InferSchema(v); err != nil || s == nil {
				if _, isList := v.([]any); !isList && v != nil {
					return dataError("Flatten transformation was passed a value of type %s which is not supported by Connect's data API",
						connectors.TypeName(v))
				}
			}
			flat.Put(name, v)
		}
	}
	return nil
}

func (f *flatten) plan(schema *connectors.Schema) (*connectors.Schema, error) {
	d, _ := schema.Default.(*connectors.Struct)
	fields, err := f.fields(nil, schema, "", schema.Optional, d)
	if err == nil {
		err = unique(fields)
	}
	return structLike(schema, fields), err
}

// fields appends the flat fields of a struct schema. They are optional if something around them is, and have their part of
// the default of what is around them.
func (f *flatten) fields(flat []connectors.Field, schema *connectors.Schema, prefix string, optional bool, defaults *connectors.Struct) ([]connectors.Field, error) {
	for i, field := range schema.Fields {
		name := f.name(prefix, field.Name)
		fieldOptional := optional || field.Schema.Optional
		d := field.Schema.Default
		if d == nil && defaults != nil {
			d = defaults.At(i)
		}
		switch field.Schema.Type {
		case connectors.TypeMap:
			return nil, dataError("Flatten transformation does not support %s for record with schemas (for field %s).", field.Schema.Type, name)
		case connectors.TypeStruct:
			inner, _ := d.(*connectors.Struct)
			var err error
			if flat, err = f.fields(flat, field.Schema, name, fieldOptional, inner); err != nil {
				return nil, err
			}
		default:
			s := *field.Schema
			s.Optional, s.Default = fieldOptional, d
			flat = append(flat, connectors.Field{Name: name, Schema: &s})
		}
	}
	return flat, nil
}

// fill sets the fields of flat from next on to those of s, of the given schema, and returns the one after them. Those of
// a null struct stay null, whatever its default.
func fill(flat, s *connectors.Struct, schema *connectors.Schema, next int) int {
	for i, field := range schema.Fields {
		if field.Schema.Type == connectors.TypeStruct {
			var inner *connectors.Struct
			if s != nil {
				inner, _ = s.Raw(i).(*connectors.Struct)
			}
			next = fill(flat, inner, field.Schema, next)
			continue
		}
		if s != nil {
			flat.Set(next, s.At(i))
		}
		next++
	}
	return next
}
