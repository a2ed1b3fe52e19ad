package protobuf

import (
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/connectors"
)

// A messageWriter writes the structs of one schema as one kind of message, compiled once from both.
type messageWriter struct {
	schema *connectors.Schema
	fields []*fieldWriter
}

// A fieldWriter writes the values of a field.
type fieldWriter struct {
	schema  *connectors.Schema // of one value
	index   int                // of the struct's field
	branch  int                // of the field in the struct of a oneof, -1 if it is in none
	number  protowire.Number
	kind    protoreflect.Kind
	special special
	list    bool
	packed  bool
	isMap   bool
	// presence says that a zero is written too.
	presence   bool
	key, value *fieldWriter // of a map; value also of a wrapper
	message    *messageWriter
	symbols    map[string]protoreflect.EnumNumber
}

func (w *messageWriter) write(b []byte, value any) ([]byte, error) {
	st, ok := value.(*connectors.Struct)
	if !ok || st.Schema() != w.schema && !sameFields(st.Schema(), w.schema) {
		return nil, dataError("%s wants another value than %s", w.schema, connectors.TypeName(value))
	}
	for _, f := range w.fields {
		v := st.At(f.index)
		if union, ok := v.(*connectors.Struct); ok && f.branch >= 0 {
			v = union.At(f.branch)
		}
		if v == nil {
			if !f.optional(w.schema) {
				return nil, dataError("null for field %s, which is neither optional nor has a default", w.schema.Fields[f.index].Name)
			}
			continue
		}
		var err error
		if b, err = f.write(b, v); err != nil {
			return nil, &connectors.DataError{Msg: "field " + w.schema.Fields[f.index].Name, Cause: err}
		}
	}
	return b, nil
}

// optional reports whether the field may be null.
func (f *fieldWriter) optional(s *connectors.Schema) bool {
	return f.branch >= 0 || s.Fields[f.index].Schema.Optional
}

// sameFields compares struct schemas: a struct does not carry whether the place that it stands in is optional.
func sameFields(a, b *connectors.Schema) bool {
	return slices.EqualFunc(a.Fields, b.Fields, func(x, y connectors.Field) bool {
		return x.Name == y.Name && (x.Schema == y.Schema || x.Schema.Equal(y.Schema))
	})
}

func (f *fieldWriter) wrong(value any) error {
	return dataError("%s wants another value than %s", f.schema, connectors.TypeName(value))
}

// write appends a value that is not null, with its tag.
func (f *fieldWriter) write(b []byte, value any) ([]byte, error) {
	switch {
	case f.isMap:
		m, ok := value.(*connectors.Map)
		if !ok {
			return nil, f.wrong(value)
		}
		return f.mapping(b, m)
	case !f.list:
		return f.tagged(b, value, f.presence)
	}
	list, ok := value.([]any)
	if !ok {
		return nil, f.wrong(value)
	}
	if f.packed && len(list) > 0 {
		return nested(protowire.AppendTag(b, f.number, protowire.BytesType), func(b []byte) (_ []byte, err error) {
			for _, e := range list {
				if b, err = f.bare(b, e); err != nil {
					return nil, err
				}
			}
			return b, nil
		})
	}
	for _, e := range list {
		var err error
		if b, err = f.tagged(b, e, true); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (f *fieldWriter) mapping(b []byte, m *connectors.Map) (_ []byte, err error) {
	for i := range m.Len() {
		e := m.At(i)
		b = protowire.AppendTag(b, f.number, protowire.BytesType)
		b, err = nested(b, func(b []byte) (_ []byte, err error) {
			if e.Key != nil {
				if b, err = f.key.tagged(b, e.Key, true); err != nil {
					return nil, err
				}
			}
			if e.Value == nil {
				return b, nil
			}
			return f.value.tagged(b, e.Value, true)
		})
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// tagged appends a tag and a value; a zero only if asked to.
func (f *fieldWriter) tagged(b []byte, value any, zeros bool) ([]byte, error) {
	start := len(b)
	b = protowire.AppendTag(b, f.number, wireType(f.kind))
	end := len(b)
	b, err := f.bare(b, value)
	if err != nil {
		return nil, err
	}
	if !zeros && f.kind != protoreflect.MessageKind && isZero(b[end:]) {
		return b[:start], nil
	}
	return b, nil
}

// isZero reports whether an encoded value is the zero of its type; an empty text has its length only.
func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// bare appends a value without its tag.
func (f *fieldWriter) bare(b []byte, value any) ([]byte, error) {
	if f.kind == protoreflect.MessageKind {
		return nested(b, func(b []byte) ([]byte, error) {
			if f.message != nil {
				return f.message.write(b, value)
			}
			return f.specialValue(b, value)
		})
	}
	switch v := value.(type) {
	case bool:
		if f.schema.Type == connectors.TypeBoolean {
			return protowire.AppendVarint(b, protowire.EncodeBool(v)), nil
		}
	case int8:
		if f.schema.Type == connectors.TypeInt8 {
			return f.integer(b, int64(v))
		}
	case int16:
		if f.schema.Type == connectors.TypeInt16 {
			return f.integer(b, int64(v))
		}
	case int32:
		if f.schema.Type == connectors.TypeInt32 {
			return f.integer(b, int64(v))
		}
	case int64:
		if f.schema.Type == connectors.TypeInt64 {
			return f.integer(b, v)
		}
	case float32:
		if f.schema.Type == connectors.TypeFloat32 {
			if f.kind == protoreflect.DoubleKind {
				return protowire.AppendFixed64(b, math.Float64bits(float64(v))), nil
			}
			return protowire.AppendFixed32(b, math.Float32bits(v)), nil
		}
	case float64:
		if f.schema.Type == connectors.TypeFloat64 {
			return protowire.AppendFixed64(b, math.Float64bits(v)), nil
		}
	case string:
		if f.schema.Type != connectors.TypeString {
			break
		}
		if f.kind != protoreflect.EnumKind {
			return protowire.AppendString(b, v), nil
		}
		n, ok := f.symbols[v]
		if !ok {
			return nil, dataError("%q is no symbol of the Protobuf enum", v)
		}
		return protowire.AppendVarint(b, uint64(int64(n))), nil
	case []byte:
		if f.schema.Type == connectors.TypeBytes {
			return protowire.AppendBytes(b, v), nil
		}
	}
	return nil, f.wrong(value)
}

func (f *fieldWriter) integer(b []byte, n int64) ([]byte, error) {
	switch f.kind {
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		if n != int64(uint32(n)) {
			return nil, dataError("%d is out of the range of Protobuf's %s", n, f.kind)
		}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		if n != int64(int32(n)) {
			return nil, dataError("%d is out of the range of Protobuf's %s", n, f.kind)
		}
	}
	switch f.kind {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(b, protowire.EncodeZigZag(n)), nil
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.AppendFixed32(b, uint32(n)), nil
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.AppendFixed64(b, uint64(n)), nil
	}
	return protowire.AppendVarint(b, uint64(n)), nil
}

// specialValue appends the fields of a message that is a value of its own.
func (f *fieldWriter) specialValue(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case time.Time:
		switch f.special {
		case specialTimestamp:
			ms := v.UnixMilli()
			seconds := ms / 1000
			if ms%1000 < 0 {
				seconds--
			}
			return appendNumbers(b, seconds, (ms-seconds*1000)*1e6), nil
		case specialDate:
			year, month, day := v.UTC().Date()
			return appendNumbers(b, int64(year), int64(month), int64(day)), nil
		case specialTime:
			n, err := connectors.MillisOfDay(v)
			ms := int64(n)
			return appendNumbers(b, ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000*1e6), err
		}
	case connectors.Decimal:
		if f.special != specialDecimal {
			break
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), v.Bytes())
		if v.Scale != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(int64(v.Scale)))
		}
		return b, nil
	}
	if f.special == specialWrapper {
		return f.value.tagged(b, value, false)
	}
	return nil, f.wrong(value)
}

// appendNumbers appends fields 1, 2 and so on, but for zeros.
func appendNumbers(b []byte, numbers ...int64) []byte {
	for i, n := range numbers {
		if n != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(i+1), protowire.VarintType), uint64(n))
		}
	}
	return b
}

// nested appends what write does with its length before it.
func nested(b []byte, write func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(b)
	b, err := write(append(b, 0)) // room for a length below 128
	if err != nil {
		return nil, err
	}
	size := uint64(len(b) - start - 1)
	if more := protowire.SizeVarint(size) - 1; more > 0 {
		b = slices.Grow(b, more)
		b = b[:len(b)+more]
		copy(b[start+1+more:], b[start+1:])
	}
	protowire.AppendVarint(b[:start], size)
	return b, nil
}
