package jsonschema

import (
	"slices"
	"strconv"
	"time"

	"millrace/connectors"
)

// A writer writes the values of one Connect schema, compiled once.
type writer struct {
	options options
	schema  *connectors.Schema
	oneOf   bool
	plain   bool // a map is an object
	key     *writer
	items   *writer
	fields  []*writer
	names   [][]byte // of fields: "name":
}

// writer compiles a schema.
func (o options) writer(s *connectors.Schema, depth int) (w *writer, err error) {
	if s == nil || depth > maxDepth {
		return nil, dataError("elements of no common type, or nested more than %d deep, cannot be written", maxDepth)
	}
	w = &writer{options: o, schema: s}
	switch s.Type {
	case connectors.TypeArray:
		w.items, err = o.writer(s.Value, depth+1)
	case connectors.TypeMap:
		w.plain = plainKeys(s)
		if w.key, err = o.writer(s.Key, depth+1); err == nil {
			w.items, err = o.writer(s.Value, depth+1)
		}
	case connectors.TypeStruct:
		w.oneOf = s.Name == oneOfName
		for _, f := range s.Fields {
			fw, err := o.writer(f.Schema, depth+1)
			if err != nil {
				return nil, err
			}
			w.fields = append(w.fields, fw)
			w.names = append(w.names, append(appendText(nil, f.Name), ':'))
		}
	}
	return w, err
}

// Append is part of schemaregistry.Writer.
func (w *writer) Append(b []byte, value any) ([]byte, error) { return w.write(b, value) }

func (w *writer) wrong(value any) error {
	return dataError("%s wants another value than %s", w.schema, connectors.TypeName(value))
}

func (w *writer) write(b []byte, value any) ([]byte, error) {
	if value == nil {
		if value = w.schema.Default; value == nil || w.schema.Optional && w.options.ignoreDefault {
			if !w.schema.Optional {
				return nil, dataError("null for %s, which is neither optional nor has a default", w.schema)
			}
			return append(b, "null"...), nil
		}
	}
	s := w.schema
	switch v := value.(type) {
	case string:
		if s.Type == connectors.TypeString {
			return appendText(b, v), nil
		}
	case int64:
		if s.Type == connectors.TypeInt64 {
			return strconv.AppendInt(b, v, 10), nil
		}
	case int32:
		if s.Type == connectors.TypeInt32 {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
	case int16:
		if s.Type == connectors.TypeInt16 {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
	case int8:
		if s.Type == connectors.TypeInt8 {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
	case bool:
		if s.Type == connectors.TypeBoolean {
			return strconv.AppendBool(b, v), nil
		}
	case float64:
		if s.Type == connectors.TypeFloat64 {
			return appendFloat(b, v, 64), nil
		}
	case float32:
		if s.Type == connectors.TypeFloat32 {
			return appendFloat(b, float64(v), 32), nil
		}
	case []byte:
		if s.Type == connectors.TypeBytes && s.Name != connectors.DecimalName {
			return appendBase64(b, v), nil
		}
	case connectors.Decimal:
		return w.decimal(b, v)
	case time.Time:
		if s.Type == connectors.TypeInt32 && (s.Name == connectors.DateName || s.Name == connectors.TimeName) ||
			s.Type == connectors.TypeInt64 && s.Name == connectors.TimestampName {
			n, err := encodeTime(s.Name, v)
			return strconv.AppendInt(b, n, 10), err
		}
	case []any:
		if s.Type == connectors.TypeArray {
			return w.list(b, v)
		}
	case *connectors.Map:
		if s.Type == connectors.TypeMap {
			return w.mapping(b, v)
		}
	case *connectors.Struct:
		if s.Type == connectors.TypeStruct && (v.Schema() == s || sameFields(v.Schema(), s)) {
			return w.structure(b, v)
		}
	}
	return nil, w.wrong(value)
}

// sameFields compares struct schemas: a struct does not carry whether the place that it stands in is optional.
func sameFields(a, b *connectors.Schema) bool {
	return slices.EqualFunc(a.Fields, b.Fields, func(x, y connectors.Field) bool {
		return x.Name == y.Name && (x.Schema == y.Schema || x.Schema.Equal(y.Schema))
	})
}

func (w *writer) decimal(b []byte, d connectors.Decimal) ([]byte, error) {
	if w.schema.Name != connectors.DecimalName {
		return nil, w.wrong(d)
	}
	scale, err := w.schema.Scale()
	if err != nil {
		return nil, err
	}
	switch {
	case d.Scale != scale:
		return nil, dataError("decimal has scale %d, its schema %d", d.Scale, scale)
	case w.options.numeric:
		return append(b, d.String()...), nil
	}
	return appendBase64(b, d.Bytes()), nil
}

func (w *writer) list(b []byte, list []any) ([]byte, error) {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = w.items.write(b, e); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func (w *writer) mapping(b []byte, m *connectors.Map) ([]byte, error) {
	first, last := byte('['), byte(']')
	if w.plain {
		first, last = '{', '}'
	}
	b = append(b, first)
	for i := range m.Len() {
		e := m.At(i)
		if i > 0 {
			b = append(b, ',')
		}
		if !w.plain {
			b = append(b, `{"key":`...)
		}
		var err error
		if b, err = w.key.write(b, e.Key); err != nil {
			return nil, err
		}
		if w.plain {
			b = append(b, ':')
		} else {
			b = append(b, `,"value":`...)
		}
		if b, err = w.items.write(b, e.Value); err != nil {
			return nil, err
		}
		if !w.plain {
			b = append(b, '}')
		}
	}
	return append(b, last), nil
}

func (w *writer) structure(b []byte, st *connectors.Struct) ([]byte, error) {
	if w.oneOf {
		for i, f := range w.fields {
			if v := st.Raw(i); v != nil {
				return f.write(b, v)
			}
		}
		return append(b, "null"...), nil
	}
	b = append(b, '{')
	comma := false
	for i, f := range w.fields {
		v := st.Raw(i)
		if v == nil && w.options.optional && f.schema.Optional && (f.schema.Default == nil || w.options.ignoreDefault) {
			continue // what is not required is left out
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(b, w.names[i]...)
		var err error
		if b, err = f.write(b, v); err != nil {
			return nil, &connectors.DataError{Msg: "field " + w.schema.Fields[i].Name, Cause: err}
		}
	}
	return append(b, '}'), nil
}
