package connectors

import "math/big"

// A Type is the shape of a value.
type Type uint8

// The types, with the Go type of their values. Logical types (by schema name) have Go types of their own: see Schema.
const (
	TypeInt8    Type = iota + 1 // int8
	TypeInt16                   // int16
	TypeInt32                   // int32
	TypeInt64                   // int64
	TypeFloat32                 // float32
	TypeFloat64                 // float64
	TypeBoolean                 // bool
	TypeString                  // string
	TypeBytes                   // []byte
	TypeArray                   // []any
	TypeMap                     // *Map
	TypeStruct                  // *Struct
)

// A Schema describes a value. Schemas are immutable once shared, and compared by pointer first.
//
// A null value is nil. Logical types keep these Go values: Decimal for DecimalName, time.Time in UTC for DateName,
// TimeName and TimestampName.
type Schema struct {
	Type       Type
	Optional   bool
	Name       string
	Version    *int32
	Doc        string
	Parameters map[string]string
	// Default is the value of an absent field; nil is none.
	Default any
	// Fields of a struct, in order.
	Fields []Field
	// Key of a map.
	Key *Schema
	// Value of a map and elements of an array. A nil element schema means elements of no common type.
	Value *Schema
}

// A Field is a named member of a struct.
type Field struct {
	Name   string
	Schema *Schema
}

// The names of the logical types of Kafka Connect (version 1 of each).
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
)

// Schemas of plain values. Connectors use these, not copies.
var (
	Int8Schema    = &Schema{Type: TypeInt8}
	Int16Schema   = &Schema{Type: TypeInt16}
	Int32Schema   = &Schema{Type: TypeInt32}
	Int64Schema   = &Schema{Type: TypeInt64}
	Float32Schema = &Schema{Type: TypeFloat32}
	Float64Schema = &Schema{Type: TypeFloat64}
	BooleanSchema = &Schema{Type: TypeBoolean}
	StringSchema  = &Schema{Type: TypeString}
	BytesSchema   = &Schema{Type: TypeBytes}

	OptionalInt8Schema    = &Schema{Type: TypeInt8, Optional: true}
	OptionalInt16Schema   = &Schema{Type: TypeInt16, Optional: true}
	OptionalInt32Schema   = &Schema{Type: TypeInt32, Optional: true}
	OptionalInt64Schema   = &Schema{Type: TypeInt64, Optional: true}
	OptionalFloat32Schema = &Schema{Type: TypeFloat32, Optional: true}
	OptionalFloat64Schema = &Schema{Type: TypeFloat64, Optional: true}
	OptionalBooleanSchema = &Schema{Type: TypeBoolean, Optional: true}
	OptionalStringSchema  = &Schema{Type: TypeString, Optional: true}
	OptionalBytesSchema   = &Schema{Type: TypeBytes, Optional: true}
)

// A Decimal is Unscaled * 10^-Scale, a Java BigDecimal.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// A Struct is a value of a struct schema. Fields not set are nil.
type Struct struct {
	schema *Schema
	values []any
}

// NewStruct returns an empty struct of schema. Struct and Map are not safe for use by several goroutines.
func NewStruct(schema *Schema) *Struct {
	return &Struct{schema: schema, values: make([]any, len(schema.Fields))}
}

// A StructMaker makes structs, many from one allocation: for transforms and converters, whose structs come and go together. Its zero
// value is ready; like a Struct it is not safe for use by several goroutines.
type StructMaker struct {
	structs []Struct
	values  []any
}

// madeAtOnce are the structs of one allocation; valuesAtOnce are the values of one, unless a struct has more.
const (
	madeAtOnce   = 64
	valuesAtOnce = 256
)

// New is NewStruct.
func (m *StructMaker) New(schema *Schema) *Struct {
	n := len(schema.Fields)
	if len(m.structs) == 0 {
		m.structs = make([]Struct, madeAtOnce)
	}
	if len(m.values) < n {
		m.values = make([]any, max(n, valuesAtOnce))
	}
	s := &m.structs[0]
	s.schema, s.values = schema, m.values[:n:n]
	m.structs, m.values = m.structs[1:], m.values[n:]
	return s
}

// Schema returns the struct's schema.
func (s *Struct) Schema() *Schema { return s.schema }

// A Map is a value of a map schema: keys of any type, in the order of insertion. The zero Map is empty and ready.
type Map struct {
	entries []MapEntry
	index   map[any]int // of the keys that Go can compare; nil until there are many
}

// A MapEntry is one entry of a Map.
type MapEntry struct{ Key, Value any }
