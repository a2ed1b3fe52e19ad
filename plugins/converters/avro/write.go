package avro

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"millrace/connectors"
)

// A writer writes the values of one Connect schema with one Avro schema, compiled once from both.
type writer struct {
	op       op
	schema   *connectors.Schema
	key      *writer // of entries
	items    *writer // of an array or map; the type that opOptional holds
	fields   []writerField
	branches []*writer // of a union, by the fields of the struct
	indexes  []int     // the branches' places in the union
	index    int       // of the branch that opOptional holds
	null     int       // -1 if there is none
	symbols  map[string]int
	size     int
	wide     bool // opFloat64: the value is a float32
	keepNull bool // null is not replaced by the default
	nullable bool // the Avro schema is a union with null
}

// A writerField is a field of a record: the from-th of the struct, or always the same bytes if from is -1.
type writerField struct {
	from   int
	writer *writer
	fixed  []byte
}

func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

func appendLong(b []byte, n int64) []byte { return binary.AppendUvarint(b, zigzag(n)) }

// encodeTime returns the number that a date, time or timestamp is encoded as.
func encodeTime(name string, t time.Time) (int64, error) {
	switch name {
	case connectors.DateName:
		n, err := connectors.DaysOf(t)
		return int64(n), err
	case connectors.TimeName:
		n, err := connectors.MillisOfDay(t)
		return int64(n), err
	}
	return t.UnixMilli(), nil
}

func (w *writer) wrong(value any) error {
	return dataError("%s wants another value than %s", w.schema, connectors.TypeName(value))
}

func (w *writer) write(b []byte, value any) ([]byte, error) {
	if value == nil {
		if value = w.schema.Default; value == nil || w.keepNull {
			return w.writeNull(b)
		}
	}
	switch w.op {
	case opBoolean:
		v, ok := value.(bool)
		if !ok {
			return nil, w.wrong(value)
		}
		if v {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case opInt8, opInt16, opInt32, opInt64, opDate, opTime, opTimestamp:
		n, err := w.integer(value)
		return appendLong(b, n), err
	case opFloat32:
		v, ok := value.(float32)
		if !ok {
			return nil, w.wrong(value)
		}
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(v)), nil
	case opFloat64:
		v, ok := value.(float64)
		if narrow, isNarrow := value.(float32); isNarrow && w.wide {
			v, ok = float64(narrow), true
		}
		if !ok {
			return nil, w.wrong(value)
		}
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v)), nil
	case opString:
		v, ok := value.(string)
		if !ok {
			return nil, w.wrong(value)
		}
		return append(appendLong(b, int64(len(v))), v...), nil
	case opBytes, opFixed:
		return w.binary(b, value)
	case opEnum:
		v, ok := value.(string)
		if !ok {
			return nil, w.wrong(value)
		}
		n, ok := w.symbols[v]
		if !ok {
			return nil, dataError("%q is no symbol of the Avro enum", v)
		}
		return appendLong(b, int64(n)), nil
	case opArray:
		return w.array(b, value)
	case opMap, opEntries:
		return w.mapping(b, value)
	case opRecord:
		return w.record(b, value)
	case opOptional:
		return w.items.write(appendLong(b, int64(w.index)), value)
	}
	return w.union(b, value)
}

func (w *writer) writeNull(b []byte) ([]byte, error) {
	if !w.nullable {
		return nil, dataError("null for %s, which is neither optional nor has a default", w.schema)
	}
	return appendLong(b, int64(w.null)), nil
}

func (w *writer) integer(value any) (int64, error) {
	switch v := value.(type) {
	case int32:
		if w.schema.Type == connectors.TypeInt32 && w.op == opInt32 {
			return int64(v), nil
		}
	case int64:
		if w.schema.Type == connectors.TypeInt64 && w.op == opInt64 {
			return v, nil
		}
	case int8:
		if w.schema.Type == connectors.TypeInt8 {
			return int64(v), nil
		}
	case int16:
		if w.schema.Type == connectors.TypeInt16 {
			return int64(v), nil
		}
	case time.Time:
		if w.op == opDate || w.op == opTime || w.op == opTimestamp {
			return encodeTime(w.schema.Name, v)
		}
	}
	return 0, w.wrong(value)
}

func (w *writer) binary(b []byte, value any) ([]byte, error) {
	data, ok := value.([]byte)
	if d, isDecimal := value.(connectors.Decimal); isDecimal && w.schema.Name == connectors.DecimalName {
		scale, err := w.schema.Scale()
		if err != nil {
			return nil, err
		}
		if d.Scale != scale {
			return nil, dataError("decimal has scale %d, its schema %d", d.Scale, scale)
		}
		data, ok = d.Bytes(), true
		if n := w.size - len(data); w.op == opFixed && n > 0 { // extended by its sign
			fill := byte(0)
			if data[0]&0x80 != 0 {
				fill = 0xFF
			}
			data = append(slices.Repeat([]byte{fill}, n), data...)
		}
	}
	switch {
	case !ok:
		return nil, w.wrong(value)
	case w.op == opBytes:
		b = appendLong(b, int64(len(data)))
	case len(data) != w.size:
		return nil, dataError("Avro fixed wants %d bytes, got %d", w.size, len(data))
	}
	return append(b, data...), nil
}

func (w *writer) array(b []byte, value any) ([]byte, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, w.wrong(value)
	}
	if len(list) > 0 {
		b = appendLong(b, int64(len(list)))
	}
	for _, e := range list {
		var err error
		if b, err = w.items.write(b, e); err != nil {
			return nil, err
		}
	}
	return append(b, 0), nil
}

func (w *writer) mapping(b []byte, value any) ([]byte, error) {
	m, ok := value.(*connectors.Map)
	if !ok {
		return nil, w.wrong(value)
	}
	if m.Len() > 0 {
		b = appendLong(b, int64(m.Len()))
	}
	for i := range m.Len() {
		e := m.At(i)
		var err error
		if b, err = w.key.write(b, e.Key); err != nil {
			return nil, err
		}
		if b, err = w.items.write(b, e.Value); err != nil {
			return nil, err
		}
	}
	return append(b, 0), nil
}

func (w *writer) record(b []byte, value any) ([]byte, error) {
	st, ok := value.(*connectors.Struct)
	if !ok || st.Schema() != w.schema && !sameFields(st.Schema(), w.schema) {
		return nil, w.wrong(value)
	}
	for i := range w.fields {
		f := &w.fields[i]
		if f.from < 0 {
			b = append(b, f.fixed...)
			continue
		}
		var err error
		if b, err = f.writer.write(b, st.Raw(f.from)); err != nil {
			return nil, &connectors.DataError{Msg: "field " + w.schema.Fields[f.from].Name, Cause: err}
		}
	}
	return b, nil
}

// sameFields compares struct schemas: a struct does not carry whether the place that it stands in is optional.
func sameFields(a, b *connectors.Schema) bool {
	return slices.EqualFunc(a.Fields, b.Fields, func(x, y connectors.Field) bool {
		return x.Name == y.Name && (x.Schema == y.Schema || x.Schema.Equal(y.Schema))
	})
}

func (w *writer) union(b []byte, value any) ([]byte, error) {
	st, ok := value.(*connectors.Struct)
	if !ok || st.Schema() != w.schema && !sameFields(st.Schema(), w.schema) {
		return nil, w.wrong(value)
	}
	for i := range w.branches {
		if v := st.Raw(i); v != nil {
			return w.branches[i].write(appendLong(b, int64(w.indexes[i])), v)
		}
	}
	return w.writeNull(b)
}
