package wire

import (
	"fmt"
	"slices"

	pb "google.golang.org/protobuf/proto"

	"millrace/connectors"
	"millrace/plugins/external/proto"
)

// plain are the SDK's own schemas by type and optionality: decoded schemas without a name are these, so that they are found equal
// by pointer.
var plain = map[[2]int]*connectors.Schema{}

func init() {
	for _, s := range []*connectors.Schema{
		connectors.Int8Schema, connectors.Int16Schema, connectors.Int32Schema, connectors.Int64Schema, connectors.Float32Schema,
		connectors.Float64Schema, connectors.BooleanSchema, connectors.StringSchema, connectors.BytesSchema,
		connectors.OptionalInt8Schema, connectors.OptionalInt16Schema, connectors.OptionalInt32Schema,
		connectors.OptionalInt64Schema, connectors.OptionalFloat32Schema, connectors.OptionalFloat64Schema,
		connectors.OptionalBooleanSchema, connectors.OptionalStringSchema, connectors.OptionalBytesSchema,
	} {
		plain[plainKey(s)] = s
	}
}

func plainKey(s *connectors.Schema) [2]int {
	if s.Optional {
		return [2]int{int(s.Type), 1}
	}
	return [2]int{int(s.Type), 0}
}

// appendSchema appends s as the message Schema.
func appendSchema(b []byte, s *connectors.Schema, depth int) ([]byte, error) {
	m, err := schemaMessage(s, depth)
	if err != nil {
		return b, err
	}
	return pb.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
}

func schemaMessage(s *connectors.Schema, depth int) (m *proto.Schema, err error) {
	if s == nil {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("a schema is nested deeper than %d levels or contains itself", maxDepth)}
	}
	m = &proto.Schema{
		Type: proto.Schema_Type(s.Type), Optional: s.Optional, Name: s.Name, Version: s.Version, Doc: s.Doc, Parameters: s.Parameters,
	}
	if s.Default != nil {
		if m.Default, err = Value(s, s.Default); err != nil {
			return nil, err
		}
	}
	for _, f := range s.Fields {
		field, err := schemaMessage(f.Schema, depth+1)
		if err != nil {
			return nil, err
		}
		m.Fields = append(m.Fields, &proto.Schema_Field{Name: f.Name, Schema: field})
	}
	if m.Key, err = schemaMessage(s.Key, depth+1); err != nil {
		return nil, err
	}
	m.Value, err = schemaMessage(s.Value, depth+1)
	return m, err
}

// readSchema decodes the message Schema.
func readSchema(data []byte) (*connectors.Schema, error) {
	m := new(proto.Schema)
	if err := pb.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return fromSchemaMessage(m, 0)
}

func fromSchemaMessage(m *proto.Schema, depth int) (*connectors.Schema, error) {
	if m == nil {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("schema: nested deeper than %d levels", maxDepth)
	}
	if m.GetType() <= proto.Schema_NONE || m.GetType() > proto.Schema_STRUCT {
		return nil, fmt.Errorf("schema: unknown type %d", m.GetType())
	}
	s := &connectors.Schema{
		Type: connectors.Type(m.GetType()), Optional: m.GetOptional(), Name: m.GetName(), Version: m.Version, Doc: m.GetDoc(),
	}
	if len(m.GetParameters()) > 0 {
		s.Parameters = m.GetParameters()
	}
	for _, f := range m.GetFields() {
		if s.Type != connectors.TypeStruct || f.GetSchema() == nil ||
			slices.ContainsFunc(s.Fields, func(g connectors.Field) bool { return g.Name == f.GetName() }) {
			return nil, fmt.Errorf("schema: field %q: fields are for structs, have a schema, and a name of their own", f.GetName())
		}
		schema, err := fromSchemaMessage(f.GetSchema(), depth+1)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, connectors.Field{Name: f.GetName(), Schema: schema})
	}
	var err error
	if s.Key, err = fromSchemaMessage(m.GetKey(), depth+1); err != nil {
		return nil, err
	}
	if s.Value, err = fromSchemaMessage(m.GetValue(), depth+1); err != nil {
		return nil, err
	}
	if m.GetDefault() != nil {
		if s.Default, err = FromValue(s, m.GetDefault()); err != nil {
			return nil, fmt.Errorf("schema: default: %w", err)
		}
	}
	if p := plain[plainKey(s)]; p != nil && s.Name == "" && s.Version == nil && s.Doc == "" && s.Parameters == nil && s.Default == nil &&
		s.Key == nil && s.Value == nil {
		return p, nil
	}
	return s, nil
}

// Value returns value as a message. A struct in it must have the schema that its place says.
func Value(schema *connectors.Schema, value any) (*proto.Value, error) {
	var e Encoder
	e.reset()
	data, err := e.value(nil, schema, value, 0)
	if err != nil {
		return nil, err
	}
	if len(e.head) > 0 {
		return nil, &connectors.DataError{Msg: "a value has a struct of a schema that its place does not say"}
	}
	m := new(proto.Value)
	return m, pb.Unmarshal(data, m)
}

// FromValue is the reverse of Value.
func FromValue(schema *connectors.Schema, m *proto.Value) (any, error) {
	data, err := pb.Marshal(m)
	if err != nil {
		return nil, err
	}
	return new(Decoder).value(data, schema, 0)
}

// Map returns a source partition or offset, nil for none, as a message.
func Map(m map[string]any) (*proto.Value, error) {
	if m == nil {
		return new(proto.Value), nil
	}
	return Value(nil, m)
}

// FromMap is the reverse of Map.
func FromMap(m *proto.Value) (map[string]any, error) {
	v, err := FromValue(nil, m)
	if err != nil {
		return nil, err
	}
	return asObject(v)
}

// asObject returns a decoded value that must be a map with string keys or null.
func asObject(value any) (map[string]any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	case *connectors.Map:
		m := make(map[string]any, v.Len())
		for k, e := range v.All() {
			key, ok := k.(string)
			if !ok {
				return nil, fmt.Errorf("a source partition or offset has a key of type %T, want a string", k)
			}
			m[key] = e
		}
		return m, nil
	}
	return nil, fmt.Errorf("a source partition or offset is a %s, want a map", connectors.TypeName(value))
}
