package converters

import (
	"encoding/binary"
	"fmt"
	"math"

	"millrace/connectors"
)

// A primitiveKind is one of the converters of numbers and booleans.
type primitiveKind struct {
	class, name string
	size        int
	schema      *connectors.Schema
	// write appends value; false if it has another type.
	write func(b []byte, value any) ([]byte, bool)
	read  func(data []byte) (any, error)
}

var booleanKind = &primitiveKind{
	class: "BooleanConverter", name: "boolean", size: 1, schema: connectors.OptionalBooleanSchema,
	write: func(b []byte, value any) ([]byte, bool) {
		v, ok := value.(bool)
		if v {
			return append(b, 1), ok
		}
		return append(b, 0), ok
	},
	read: func(data []byte) (any, error) {
		if data[0] > 1 {
			return nil, fmt.Errorf("unexpected byte %d, want 0 or 1", int8(data[0]))
		}
		return data[0] == 1, nil
	},
}

var primitives = []*primitiveKind{
	booleanKind,
	{
		class: "ShortConverter", name: "short", size: 2, schema: connectors.OptionalInt16Schema,
		write: func(b []byte, value any) ([]byte, bool) {
			v, ok := value.(int16)
			return binary.BigEndian.AppendUint16(b, uint16(v)), ok
		},
		read: func(data []byte) (any, error) { return int16(binary.BigEndian.Uint16(data)), nil },
	},
	{
		class: "IntegerConverter", name: "integer", size: 4, schema: connectors.OptionalInt32Schema,
		write: func(b []byte, value any) ([]byte, bool) {
			v, ok := value.(int32)
			return binary.BigEndian.AppendUint32(b, uint32(v)), ok
		},
		read: func(data []byte) (any, error) { return int32(binary.BigEndian.Uint32(data)), nil },
	},
	{
		class: "LongConverter", name: "long", size: 8, schema: connectors.OptionalInt64Schema,
		write: func(b []byte, value any) ([]byte, bool) {
			v, ok := value.(int64)
			return binary.BigEndian.AppendUint64(b, uint64(v)), ok
		},
		read: func(data []byte) (any, error) { return int64(binary.BigEndian.Uint64(data)), nil },
	},
	{
		class: "FloatConverter", name: "float", size: 4, schema: connectors.OptionalFloat32Schema,
		write: func(b []byte, value any) ([]byte, bool) {
			v, ok := value.(float32)
			if v != v {
				return binary.BigEndian.AppendUint32(b, 0x7FC00000), ok // Java has one NaN
			}
			return binary.BigEndian.AppendUint32(b, math.Float32bits(v)), ok
		},
		read: func(data []byte) (any, error) { return math.Float32frombits(binary.BigEndian.Uint32(data)), nil },
	},
	{
		class: "DoubleConverter", name: "double", size: 8, schema: connectors.OptionalFloat64Schema,
		write: func(b []byte, value any) ([]byte, bool) {
			v, ok := value.(float64)
			if v != v {
				return binary.BigEndian.AppendUint64(b, 0x7FF8000000000000), ok // Java has one NaN
			}
			return binary.BigEndian.AppendUint64(b, math.Float64bits(v)), ok
		},
		read: func(data []byte) (any, error) { return math.Float64frombits(binary.BigEndian.Uint64(data)), nil },
	},
}

// primitive converts one type to its bytes, big endian. When writing, schemas only matter to the BooleanConverter, as in Kafka.
type primitive struct {
	kind  *primitiveKind
	arena arena
}

var _ connectors.Converter = (*primitive)(nil)

func (p *primitive) Configure(map[string]string, bool) error { return nil }

func (p *primitive) FromConnect(_ string, _ connectors.Headers, schema *connectors.Schema, value any) ([]byte, error) {
	if p.kind == booleanKind && schema != nil && schema.Type != connectors.TypeBoolean {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("Invalid schema type for BooleanConverter: %s", schema.Type)}
	}
	if value == nil {
		return nil, nil
	}
	b, ok := p.kind.write(p.arena.begin(), value)
	switch {
	case !ok && p.kind == booleanKind:
		return nil, &connectors.DataError{
			Msg: fmt.Sprintf("BooleanConverter is not compatible with objects of type %s", connectors.TypeName(value)),
		}
	case !ok:
		return nil, &connectors.DataError{
			Msg: fmt.Sprintf("Failed to serialize to %s (was %s): the value must have just that type", p.kind.name, connectors.TypeName(value)),
		}
	}
	return p.arena.end(b), nil
}

func (p *primitive) ToConnect(_ string, _ connectors.Headers, data []byte) (connectors.SchemaAndValue, error) {
	v := connectors.SchemaAndValue{Schema: p.kind.schema}
	if data == nil {
		return v, nil
	}
	err := fmt.Errorf("size of data is %d, not %d", len(data), p.kind.size)
	if len(data) == p.kind.size {
		v.Value, err = p.kind.read(data)
	}
	if err != nil {
		return v, &connectors.DataError{Msg: fmt.Sprintf("Failed to deserialize %s", p.kind.name), Cause: err}
	}
	return v, nil
}

func (p *primitive) Close() error { return nil }
