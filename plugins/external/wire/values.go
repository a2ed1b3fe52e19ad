package wire

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"millrace/connectors"
)

// maxDepth bounds the nesting of values and schemas.
const maxDepth = 100

// The fields of the message Value.
const (
	valueInt8 protowire.Number = iota + 1
	valueInt16
	valueInt32
	valueInt64
	valueFloat32
	valueFloat64
	valueBoolean
	valueString
	valueBytes
	valueArray
	valueMap
	valueStruct
	valueDecimal
	valueTime
	valueObject
)

// field appends value as a field of type Value. schema is what the reader will know of the value.
func (e *Encoder) field(b []byte, number protowire.Number, schema *connectors.Schema, value any, depth int) ([]byte, error) {
	b, at := open(b, number)
	b, err := e.value(b, schema, value, depth)
	return closeAt(b, at), err
}

// value appends the fields of a Value.
func (e *Encoder) value(b []byte, schema *connectors.Schema, value any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return b, &connectors.DataError{Msg: fmt.Sprintf("a value is nested deeper than %d levels", maxDepth)}
	}
	switch v := value.(type) {
	case nil:
	case string:
		b = appendText(b, valueString, v)
	case []byte:
		b = protowire.AppendTag(b, valueBytes, protowire.BytesType)
		b = protowire.AppendBytes(b, v)
	case int64:
		b = appendInt(b, valueInt64, v)
	case int32:
		b = appendInt(b, valueInt32, int64(v))
	case int16:
		b = appendInt(b, valueInt16, int64(v))
	case int8:
		b = appendInt(b, valueInt8, int64(v))
	case int:
		b = appendInt(b, valueInt64, int64(v))
	case bool:
		b = protowire.AppendTag(b, valueBoolean, protowire.VarintType)
		b = protowire.AppendVarint(b, protowire.EncodeBool(v))
	case float64:
		b = protowire.AppendTag(b, valueFloat64, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, math.Float64bits(v))
	case float32:
		b = protowire.AppendTag(b, valueFloat32, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, math.Float32bits(v))
	case time.Time:
		b = appendInt(b, valueTime, v.UnixMilli())
	case connectors.Decimal:
		if v.Unscaled == nil {
			return b, &connectors.DataError{Msg: "a Decimal has no digits"}
		}
		var at int
		b, at = open(b, valueDecimal)
		b = protowire.AppendTag(b, 1, protowire.BytesType)
		b = protowire.AppendBytes(b, v.Bytes())
		b = appendInt(b, 2, int64(v.Scale))
		b = closeAt(b, at)
	case *connectors.Struct:
		return e.structure(b, schema, v, depth)
	case []any:
		return e.array(b, schema, v, depth)
	case *connectors.Map:
		return e.mapping(b, schema, v, depth)
	case map[string]any:
		return e.object(b, v, depth)
	default:
		return b, &connectors.DataError{Msg: fmt.Sprintf("a value of type %T cannot cross to another process", value)}
	}
	return b, nil
}

func (e *Encoder) structure(b []byte, schema *connectors.Schema, s *connectors.Struct, depth int) (_ []byte, err error) {
	own := s.Schema()
	b, at := open(b, valueStruct)
	if own != schema {
		// The id is found before anything is appended for it: an entry of the dictionary goes to head, not here.
		id, err := e.schema(own)
		if err != nil {
			return b, err
		}
		b = appendUint(b, 1, uint64(id))
	}
	for i := range own.Fields {
		if b, err = e.field(b, 2, own.Fields[i].Schema, s.Raw(i), depth+1); err != nil {
			return b, err
		}
	}
	return closeAt(b, at), nil
}

func (e *Encoder) array(b []byte, schema *connectors.Schema, values []any, depth int) (_ []byte, err error) {
	var element *connectors.Schema
	if schema != nil {
		element = schema.Value
	}
	b, at := open(b, valueArray)
	for _, v := range values {
		if b, err = e.field(b, 1, element, v, depth+1); err != nil {
			return b, err
		}
	}
	return closeAt(b, at), nil
}

func (e *Encoder) mapping(b []byte, schema *connectors.Schema, m *connectors.Map, depth int) (_ []byte, err error) {
	var key, value *connectors.Schema
	if schema != nil {
		key, value = schema.Key, schema.Value
	}
	b, at := open(b, valueMap)
	for k, v := range m.All() {
		if b, err = e.field(b, 1, key, k, depth+1); err != nil {
			return b, err
		}
		if b, err = e.field(b, 2, value, v, depth+1); err != nil {
			return b, err
		}
	}
	return closeAt(b, at), nil
}

func (e *Encoder) object(b []byte, m map[string]any, depth int) (_ []byte, err error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b, at := open(b, valueObject)
	for _, k := range keys {
		if b, err = e.field(b, 1, nil, k, depth+1); err != nil {
			return b, err
		}
		if b, err = e.field(b, 2, nil, m[k], depth+1); err != nil {
			return b, err
		}
	}
	return closeAt(b, at), nil
}

func appendInt(b []byte, number protowire.Number, n int64) []byte {
	b = protowire.AppendTag(b, number, protowire.VarintType)
	return protowire.AppendVarint(b, protowire.EncodeZigZag(n))
}

// appendText appends a string; protobuf allows none that is not UTF-8, so what is not becomes U+FFFD, as it does in Java.
func appendText(b []byte, number protowire.Number, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendString(b, s)
}

// appendUint leaves out a zero, as protobuf does.
func appendUint(b []byte, number protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, number, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

// open begins a field that has a length, leaving one byte for it; closeAt writes the length, moving the bytes if it needs more.
func open(b []byte, number protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	b = append(b, 0)
	return b, len(b)
}

func closeAt(b []byte, at int) []byte {
	n := len(b) - at
	if n < 0x80 {
		b[at-1] = byte(n)
		return b
	}
	size := protowire.SizeVarint(uint64(n))
	b = append(b, make([]byte, size-1)...)
	copy(b[at+size-1:], b[at:at+n])
	protowire.AppendVarint(b[:at-1], uint64(n))
	return b
}
