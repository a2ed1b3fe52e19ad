package connectors

import (
	"maps"
	"slices"
	"strconv"
)

var typeNames = [...]string{
	TypeInt8: "INT8", TypeInt16: "INT16", TypeInt32: "INT32", TypeInt64: "INT64", TypeFloat32: "FLOAT32", TypeFloat64: "FLOAT64",
	TypeBoolean: "BOOLEAN", TypeString: "STRING", TypeBytes: "BYTES", TypeArray: "ARRAY", TypeMap: "MAP", TypeStruct: "STRUCT",
}

// String returns the type's name in Connect's messages: INT8, STRUCT.
func (t Type) String() string {
	if int(t) < len(typeNames) && t > 0 {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Schemas of the logical types without a parameter; DecimalSchema makes those of Decimal.
var (
	DateSchema      = &Schema{Type: TypeInt32, Name: DateName, Version: version(1)}
	TimeSchema      = &Schema{Type: TypeInt32, Name: TimeName, Version: version(1)}
	TimestampSchema = &Schema{Type: TypeInt64, Name: TimestampName, Version: version(1)}

	OptionalDateSchema      = DateSchema.AsOptional(true)
	OptionalTimeSchema      = TimeSchema.AsOptional(true)
	OptionalTimestampSchema = TimestampSchema.AsOptional(true)
)

func version(v int32) *int32 { return &v }

// scaleParameter is the parameter of a Decimal schema.
const scaleParameter = "scale"

// DecimalSchema returns a schema for decimals of one scale.
func DecimalSchema(scale int32) *Schema {
	return &Schema{
		Type: TypeBytes, Name: DecimalName, Version: version(1),
		Parameters: map[string]string{scaleParameter: strconv.Itoa(int(scale))},
	}
}

// ArrayOf returns a schema for lists of element.
func ArrayOf(element *Schema) *Schema { return &Schema{Type: TypeArray, Value: element} }

// MapOf returns a schema for maps.
func MapOf(key, value *Schema) *Schema { return &Schema{Type: TypeMap, Key: key, Value: value} }

// StructOf returns a schema for structs of fields. Names are not repeated.
func StructOf(fields ...Field) *Schema { return &Schema{Type: TypeStruct, Fields: fields} }

// AsOptional returns s or a copy of it that is optional or not.
func (s *Schema) AsOptional(optional bool) *Schema {
	if s.Optional == optional {
		return s
	}
	c := *s
	c.Optional = optional
	return &c
}

// FieldIndex returns the place of a field in Fields, -1 if there is none of that name.
func (s *Schema) FieldIndex(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Field returns the schema of a field, nil if there is none of that name.
func (s *Schema) Field(name string) *Schema {
	if i := s.FieldIndex(name); i >= 0 {
		return s.Fields[i].Schema
	}
	return nil
}

// Scale returns the scale of a Decimal schema.
func (s *Schema) Scale() (int32, error) {
	text, ok := s.Parameters[scaleParameter]
	if !ok {
		return 0, &DataError{Msg: "Invalid Decimal schema: scale parameter not found."}
	}
	scale, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, &DataError{Msg: "Invalid scale parameter found in Decimal schema: " + text}
	}
	return int32(scale), nil
}

// Equal reports whether two schemas say the same. Nil equals nil only.
func (s *Schema) Equal(o *Schema) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil {
		return false
	}
	return s.Type == o.Type && s.Optional == o.Optional && s.Name == o.Name && s.Doc == o.Doc &&
		(s.Version == nil) == (o.Version == nil) && (s.Version == nil || *s.Version == *o.Version) &&
		maps.Equal(s.Parameters, o.Parameters) && s.Key.Equal(o.Key) && s.Value.Equal(o.Value) &&
		slices.EqualFunc(s.Fields, o.Fields, func(a, b Field) bool { return a.Name == b.Name && a.Schema.Equal(b.Schema) }) &&
		equalDefaults(s.Default, o.Default)
}

// equalDefaults compares without the schema of a struct, which is the one whose default it is.
func equalDefaults(a, b any) bool {
	s, ok1 := a.(*Struct)
	o, ok2 := b.(*Struct)
	if ok1 && ok2 {
		return slices.EqualFunc(s.values, o.values, EqualValues)
	}
	return EqualValues(a, b)
}

// String returns the short form of messages: Schema{INT8}, Schema{name:STRUCT}.
func (s *Schema) String() string {
	if s.Name != "" {
		return "Schema{" + s.Name + ":" + s.Type.String() + "}"
	}
	return "Schema{" + s.Type.String() + "}"
}
