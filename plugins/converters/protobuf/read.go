package protobuf

import (
	"math"
	"time"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/connectors"
)

// A messageReader reads one kind of message, compiled once.
type messageReader struct {
	schema   *connectors.Schema
	fields   []*fieldReader
	byNumber map[protoreflect.FieldNumber]int // index in fields
	zeros    []any                            // of the struct's fields when the message does not have them
}

// A special is a message that is a value of its own in Connect.
type special uint8

const (
	specialTimestamp special = iota + 1
	specialDate
	specialTime
	specialDecimal
	specialWrapper
)

// A fieldReader reads the values of a field.
type fieldReader struct {
	kind       protoreflect.Kind
	special    special
	schema     *connectors.Schema
	index      int // of the struct's field
	branch     int // of the field in the struct of a oneof, -1 if it is in none
	list       bool
	isMap      bool
	key, value *fieldReader // of a map; value also of a wrapper
	message    *messageReader
	symbols    map[protoreflect.EnumNumber]string
}

// zero is the value of a field that the message does not have: nil if that can be told from the type's zero.
func (f *fieldReader) zero(fd protoreflect.FieldDescriptor) any {
	switch {
	case f.isMap:
		return new(connectors.Map)
	case f.list:
		return []any{}
	case fd.HasPresence():
		return nil
	}
	v, err := f.scalar(0, nil)
	if err != nil {
		return nil
	}
	return v
}

func wireError(n int) error {
	return &connectors.DataError{Msg: "Protobuf payload is cut short or damaged", Cause: protowire.ParseError(n)}
}

// read reads a message into a struct.
func (r *messageReader) read(st *connectors.Struct, data []byte, depth int) error {
	if depth > maxDepth {
		return dataError("Protobuf messages are nested more than %d deep", maxDepth)
	}
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return wireError(n)
		}
		data = data[n:]
		i, ok := r.byNumber[number]
		if !ok {
			if n = protowire.ConsumeFieldValue(number, wire, data); n < 0 {
				return wireError(n)
			}
			data = data[n:]
			continue
		}
		n, err := r.fields[i].read(st, wire, data, depth)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// start returns a struct with the zeros of all fields.
func (r *messageReader) start() *connectors.Struct {
	st := connectors.NewStruct(r.schema)
	for i, zero := range r.zeros {
		if zero == nil {
			continue
		}
		if _, ok := zero.(*connectors.Map); ok {
			zero = new(connectors.Map) // grows in place
		}
		st.Set(i, zero)
	}
	return st
}

// read reads one occurrence of the field into its struct and returns its length.
func (f *fieldReader) read(st *connectors.Struct, wire protowire.Type, data []byte, depth int) (int, error) {
	switch {
	case f.isMap:
		entry, n, err := bytesOf(wire, data)
		if err != nil {
			return 0, err
		}
		m, _ := st.Raw(f.index).(*connectors.Map)
		if m == nil {
			m = new(connectors.Map)
			st.Set(f.index, m)
		}
		return n, f.entry(m, entry, depth)
	case f.list:
		list, _ := st.Raw(f.index).([]any)
		list, n, err := f.append(list, wire, data, depth)
		st.Set(f.index, list)
		return n, err
	}
	holder, index := st, f.index
	if f.branch >= 0 { // the last field of a oneof counts
		union := connectors.NewStruct(st.Schema().Fields[f.index].Schema)
		if old, ok := st.Raw(f.index).(*connectors.Struct); ok && old.Raw(f.branch) != nil {
			union.Set(f.branch, old.Raw(f.branch))
		}
		st.Set(f.index, union)
		holder, index = union, f.branch
	}
	if f.message != nil {
		// A message that comes in several parts is one.
		part, n, err := bytesOf(wire, data)
		if err != nil {
			return 0, err
		}
		sub, ok := holder.Raw(index).(*connectors.Struct)
		if !ok {
			sub = f.message.start()
			holder.Set(index, sub)
		}
		return n, f.message.read(sub, part, depth+1)
	}
	v, n, err := f.one(wire, data, depth)
	if err != nil {
		return 0, err
	}
	holder.Set(index, v)
	return n, nil
}

// append reads one element, or several packed ones.
func (f *fieldReader) append(list []any, wire protowire.Type, data []byte, depth int) ([]any, int, error) {
	own := wireType(f.kind)
	if wire != protowire.BytesType || own == protowire.BytesType {
		v, n, err := f.one(wire, data, depth)
		return append(list, v), n, err
	}
	packed, size, err := bytesOf(wire, data)
	for err == nil && len(packed) > 0 {
		var v any
		var n int
		if v, n, err = f.one(own, packed, depth); err == nil {
			list, packed = append(list, v), packed[n:]
		}
	}
	return list, size, err
}

func bytesOf(wire protowire.Type, data []byte) ([]byte, int, error) {
	if wire != protowire.BytesType {
		return nil, 0, dataError("Protobuf field has wire type %d, want 2", wire)
	}
	b, n := protowire.ConsumeBytes(data)
	if n < 0 {
		return nil, 0, wireError(n)
	}
	return b[:len(b):len(b)], n, nil
}

func wireType(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.Sfixed32Kind, protoreflect.Fixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Sfixed64Kind, protoreflect.Fixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	}
	return protowire.VarintType
}

// one reads a value and returns its length.
func (f *fieldReader) one(wire protowire.Type, data []byte, depth int) (any, int, error) {
	if want := wireType(f.kind); wire != want {
		return nil, 0, dataError("Protobuf field of type %s has wire type %d, want %d", f.kind, wire, want)
	}
	var u uint64
	var b []byte
	var n int
	switch wire {
	case protowire.VarintType:
		u, n = protowire.ConsumeVarint(data)
	case protowire.Fixed32Type:
		var u32 uint32
		u32, n = protowire.ConsumeFixed32(data)
		u = uint64(u32)
	case protowire.Fixed64Type:
		u, n = protowire.ConsumeFixed64(data)
	default:
		b, n = protowire.ConsumeBytes(data)
	}
	if n < 0 {
		return nil, 0, wireError(n)
	}
	if f.kind != protoreflect.MessageKind {
		v, err := f.scalar(u, b)
		return v, n, err
	}
	if f.message != nil {
		sub := f.message.start()
		return sub, n, f.message.read(sub, b, depth+1)
	}
	v, err := f.specialValue(b, depth)
	return v, n, err
}

// scalar makes the Connect value of what the wire has: bits of a number, or bytes.
func (f *fieldReader) scalar(u uint64, b []byte) (any, error) {
	switch f.kind {
	case protoreflect.BoolKind:
		return u != 0, nil
	case protoreflect.Sint32Kind:
		return f.small(int32(protowire.DecodeZigZag(u & math.MaxUint32))), nil
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return f.small(int32(u)), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return int64(uint32(u)), nil
	case protoreflect.Sint64Kind:
		return protowire.DecodeZigZag(u), nil
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return int64(u), nil
	case protoreflect.FloatKind:
		return math.Float32frombits(uint32(u)), nil
	case protoreflect.DoubleKind:
		return math.Float64frombits(u), nil
	case protoreflect.StringKind:
		return unsafe.String(unsafe.SliceData(b), len(b)), nil // the payload is never changed
	case protoreflect.BytesKind:
		if b == nil {
			b = []byte{}
		}
		return b[:len(b):len(b)], nil
	case protoreflect.EnumKind:
		symbol, ok := f.symbols[protoreflect.EnumNumber(int32(u))]
		if !ok {
			return nil, dataError("Protobuf enum has no value with number %d", int32(u))
		}
		return symbol, nil
	}
	return nil, dataError("a %s cannot be read", f.kind)
}

func (f *fieldReader) small(n int32) any {
	switch f.schema.Type {
	case connectors.TypeInt8:
		return int8(n)
	case connectors.TypeInt16:
		return int16(n)
	}
	return n
}

// entry reads an entry of a map.
func (f *fieldReader) entry(m *connectors.Map, data []byte, depth int) error {
	var key, value any
	err := each(data, func(number protowire.Number, wire protowire.Type, data []byte) (n int, err error) {
		switch number {
		case 1:
			key, n, err = f.key.one(wire, data, depth+1)
		case 2:
			value, n, err = f.value.one(wire, data, depth+1)
		default:
			n = protowire.ConsumeFieldValue(number, wire, data)
		}
		return n, err
	})
	if err != nil {
		return err
	}
	if key == nil {
		key, err = f.key.absent()
	}
	if err == nil && value == nil {
		value, err = f.value.absent()
	}
	m.Put(key, value)
	return err
}

// absent is the value of what an entry of a map does not have.
func (f *fieldReader) absent() (any, error) {
	switch {
	case f.message != nil:
		return f.message.start(), nil
	case f.kind == protoreflect.MessageKind:
		return f.specialValue(nil, 0)
	}
	return f.scalar(0, nil)
}

// each calls read at the value of every field; it returns the value's length, negative if it is damaged.
func each(data []byte, read func(number protowire.Number, wire protowire.Type, data []byte) (int, error)) error {
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return wireError(n)
		}
		data = data[n:]
		n, err := read(number, wire, data)
		if err != nil {
			return err
		}
		if n < 0 {
			return wireError(n)
		}
		data = data[n:]
	}
	return nil
}

// specialValue makes the Connect value of a message that is one of its own.
func (f *fieldReader) specialValue(data []byte, depth int) (any, error) {
	var numbers [5]int64 // by field number
	var unscaled []byte
	var wrapped any
	err := each(data, func(number protowire.Number, wire protowire.Type, data []byte) (n int, err error) {
		switch {
		case f.special == specialWrapper && number == 1:
			wrapped, n, err = f.value.one(wire, data, depth+1)
		case wire == protowire.VarintType && number < protowire.Number(len(numbers)):
			var u uint64
			u, n = protowire.ConsumeVarint(data)
			numbers[number] = int64(u)
		case wire == protowire.BytesType && number == 1:
			unscaled, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, wire, data)
		}
		return n, err
	})
	if err != nil {
		return nil, err
	}
	switch f.special {
	case specialWrapper:
		if wrapped == nil {
			return f.value.scalar(0, nil)
		}
		return wrapped, nil
	case specialTimestamp:
		return connectors.FromMillis(numbers[1]*1000 + numbers[2]/1e6), nil
	case specialDate:
		for _, n := range numbers {
			if n != int64(int32(n)) {
				return nil, dataError("%d is too big for a date", n)
			}
		}
		return time.Date(int(numbers[1]), time.Month(numbers[2]), int(numbers[3]), 0, 0, 0, 0, time.UTC), nil
	case specialTime:
		ms := ((numbers[1]*60+numbers[2])*60+numbers[3])*1000 + numbers[4]/1e6
		if ms != int64(int32(ms)) {
			return nil, dataError("%d hours and %d minutes are too much for a time of day", numbers[1], numbers[2])
		}
		return connectors.TimeFromMillis(int32(ms))
	}
	if len(unscaled) == 0 {
		unscaled = []byte{0}
	}
	return connectors.DecimalFromBytes(unscaled, int32(numbers[3]))
}
