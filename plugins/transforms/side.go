package transforms

import (
	"fmt"

	"millrace/connectors"
)

// A side says what a transform works on: keys or values.
type side struct{ key bool }

func (s side) get(r *connectors.Record) (*connectors.Schema, any) {
	if s.key {
		return r.KeySchema, r.Key
	}
	return r.ValueSchema, r.Value
}

func (s side) set(r *connectors.Record, schema *connectors.Schema, value any) {
	if s.key {
		r.KeySchema, r.Key = schema, value
	} else {
		r.ValueSchema, r.Value = schema, value
	}
}

// dataError returns the error of a record that a transform cannot work on.
func dataError(format string, args ...any) error {
	return &connectors.DataError{Msg: fmt.Sprintf(format, args...)}
}

func requireMap(value any, purpose string) (*connectors.Map, error) {
	m, ok := value.(*connectors.Map)
	if !ok {
		return nil, dataError("Only Map objects supported in absence of schema for [%s], found: %s", purpose, connectors.TypeName(value))
	}
	return m, nil
}

func requireStruct(value any, purpose string) (*connectors.Struct, error) {
	s, ok := value.(*connectors.Struct)
	if !ok {
		return nil, dataError("Only Struct objects supported for [%s], found: %s", purpose, connectors.TypeName(value))
	}
	return s, nil
}

// nulls says how a null in a field with a default is read.
type nulls struct{ replace bool }

const replaceNullKey = "replace.null.with.default"

var replaceNullConfig = connectors.ConfigKey{
	Name: replaceNullKey, Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Medium,
	Doc: "Read the default of a field that has one where the field is null.",
}

func (n nulls) field(s *connectors.Struct, i int) any {
	if n.replace {
		return s.At(i)
	}
	return s.Raw(i)
}

// basics returns a copy of a schema's name, version, documentation and parameters with another type.
func basics(s *connectors.Schema, t connectors.Type) *connectors.Schema {
	return &connectors.Schema{Type: t, Name: s.Name, Version: s.Version, Doc: s.Doc, Parameters: s.Parameters}
}

// structLike returns a struct schema with the basics, optionality and default of s but other fields.
func structLike(s *connectors.Schema, fields []connectors.Field) *connectors.Schema {
	c := basics(s, connectors.TypeStruct)
	c.Fields = fields
	return c
}

// unique fails if two fields have one name.
func unique(fields []connectors.Field) error {
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		if seen[f.Name] {
			return dataError("Cannot create field because of field name duplication %s", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// noClose is embedded by transforms that hold nothing.
type noClose struct{}

// Close is part of connectors.Transform and connectors.Predicate.
func (noClose) Close() error { return nil }
