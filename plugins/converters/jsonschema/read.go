package jsonschema

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"

	"millrace/connectors"
)

// An op is what a reader does.
type op uint8

const (
	opBoolean op = iota + 1
	opInt8
	opInt16
	opInt32
	opInt64
	opFloat32
	opFloat64
	opString
	opBytes
	opDecimal
	opDate
	opTime
	opTimestamp
	opArray
	opMap
	opEntries // a map as an array of objects of key and value
	opStruct
	opOneOf
)

// A reader reads the values of one JSON Schema, compiled once.
type reader struct {
	op      op
	schema  *connectors.Schema
	key     *reader // of entries
	items   *reader
	fields  []*reader // of a struct; the types of a oneOf
	index   map[string]int
	symbols map[string]bool // of an enum, nil if it is none
	scale   int32
}

// Read is part of schemaregistry.Reader.
func (r *reader) Read(payload []byte) (connectors.SchemaAndValue, error) {
	s := newScanner(payload)
	v, err := r.read(s, 0)
	if err != nil {
		return connectors.SchemaAndValue{}, err
	}
	if s.peek(); s.pos < len(s.data) {
		return connectors.SchemaAndValue{}, s.unexpected("the end")
	}
	return connectors.SchemaAndValue{Schema: r.schema, Value: v}, nil
}

func (r *reader) read(s *scanner, depth int) (any, error) {
	if s.steps--; s.steps < 0 {
		return nil, dataError("JSON of %d bytes fits too many types of its schema in part", len(s.data))
	}
	if depth > maxDepth {
		return nil, dataError("JSON is nested more than %d deep", maxDepth)
	}
	if s.peek() == 'n' {
		if !s.word("null") {
			return nil, s.unexpected("a value")
		}
		return r.absent()
	}
	switch r.op {
	case opBoolean:
		switch {
		case s.word("true"):
			return true, nil
		case s.word("false"):
			return false, nil
		}
		return nil, s.unexpected("true or false")
	case opInt8, opInt16, opInt32, opInt64, opDate, opTime, opTimestamp:
		n, err := r.integer(s)
		if err != nil {
			return nil, err
		}
		return r.fromInteger(n)
	case opFloat32, opFloat64:
		return r.float(s)
	case opString:
		v, err := s.text()
		if err != nil {
			return nil, err
		}
		if r.symbols != nil && !r.symbols[v] {
			return nil, dataError("%q is no symbol of the enum", v)
		}
		return v, nil
	case opBytes:
		b, err := base64Text(s)
		if err != nil {
			return nil, err
		}
		return b, nil
	case opDecimal:
		return r.decimal(s)
	case opArray:
		list := []any{}
		err := s.list(func() error {
			v, err := r.items.read(s, depth+1)
			list = append(list, v)
			return err
		})
		return list, err
	case opMap, opEntries:
		return r.mapping(s, depth)
	case opStruct:
		return r.structure(s, depth)
	}
	return r.oneOf(s, depth)
}

// absent is the value of a null or a missing property.
func (r *reader) absent() (any, error) {
	if r.schema.Default != nil {
		return r.schema.Default, nil
	}
	if r.schema.Optional {
		return nil, nil
	}
	return nil, dataError("null for %s, which is neither optional nor has a default", r.schema)
}

func (r *reader) integer(s *scanner) (int64, error) {
	text, err := s.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err == nil {
		return n, nil
	}
	if d, ok := connectors.ParseDecimal(string(text)); ok { // 1.0 and 1e3 are integers too
		if whole, ok := d.Int(); ok && whole.IsInt64() && (connectors.Decimal{Unscaled: whole}).Float() == d.Float() {
			return whole.Int64(), nil
		}
	}
	return 0, dataError("%q is no integer of 64 bits", text)
}

func (r *reader) fromInteger(n int64) (any, error) {
	low, high := int64(math.MinInt32), int64(math.MaxInt32)
	switch r.op {
	case opInt64:
		return n, nil
	case opTimestamp:
		return connectors.FromMillis(n), nil
	case opInt8:
		low, high = math.MinInt8, math.MaxInt8
	case opInt16:
		low, high = math.MinInt16, math.MaxInt16
	}
	if n < low || n > high {
		return nil, dataError("%d is out of the range of %s", n, r.schema)
	}
	switch r.op {
	case opInt8:
		return int8(n), nil
	case opInt16:
		return int16(n), nil
	case opDate:
		return connectors.DateFromDays(int32(n)), nil
	case opTime:
		return connectors.TimeFromMillis(int32(n))
	}
	return int32(n), nil
}

func (r *reader) float(s *scanner) (any, error) {
	var text string
	if s.peek() == '"' { // NaN and the infinities
		var err error
		if text, err = s.text(); err != nil {
			return nil, err
		}
		if text != "NaN" && text != "Infinity" && text != "-Infinity" {
			return nil, dataError("%q is no number", text)
		}
	} else {
		b, err := s.number()
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	bits := 64
	if r.op == opFloat32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return nil, dataError("%q is no number of %d bits", text, bits)
	}
	if bits == 32 {
		return float32(f), nil
	}
	return f, nil
}

func base64Text(s *scanner) ([]byte, error) {
	text, err := s.text()
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, dataError("a text that should be bytes is no base64: %v", err)
	}
	return b, nil
}

func (r *reader) decimal(s *scanner) (any, error) {
	if s.peek() == '"' {
		b, err := base64Text(s)
		if err != nil {
			return nil, err
		}
		d, err := connectors.DecimalFromBytes(b, r.scale)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	text, err := s.number()
	if err != nil {
		return nil, err
	}
	d, ok := connectors.ParseDecimal(string(text))
	if !ok {
		return nil, dataError("%q is no decimal", text)
	}
	return r.scaled(d)
}

func (r *reader) mapping(s *scanner, depth int) (any, error) {
	m := new(connectors.Map)
	if r.op == opMap {
		return m, s.object(func(name string) error {
			v, err := r.items.read(s, depth+1)
			m.Put(name, v)
			return err
		})
	}
	return m, s.list(func() error {
		var key, value any
		err := s.object(func(name string) (err error) {
			switch name {
			case keyField:
				key, err = r.key.read(s, depth+1)
			case valueField:
				value, err = r.items.read(s, depth+1)
			default:
				err = s.skip(depth + 1)
			}
			return err
		})
		if err != nil {
			return err
		}
		if key == nil {
			if key, err = r.key.absent(); err != nil {
				return err
			}
		}
		if value == nil {
			if value, err = r.items.absent(); err != nil {
				return err
			}
		}
		m.Put(key, value)
		return nil
	})
}

func (r *reader) structure(s *scanner, depth int) (any, error) {
	st := connectors.NewStruct(r.schema)
	next := 0 // fields mostly come in their order
	err := s.object(func(name string) error {
		i := next
		if i >= len(r.fields) || r.schema.Fields[i].Name != name {
			var ok bool
			if i, ok = r.index[name]; !ok {
				return s.skip(depth + 1)
			}
		}
		next = i + 1
		v, err := r.fields[i].read(s, depth+1)
		if err != nil {
			return &connectors.DataError{Msg: "field " + name, Cause: err}
		}
		st.Set(i, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, f := range r.fields {
		if st.Raw(i) == nil {
			v, err := f.absent()
			if err != nil {
				return nil, &connectors.DataError{Msg: "field " + r.schema.Fields[i].Name, Cause: err}
			}
			st.Set(i, v)
		}
	}
	return st, nil
}

// oneOf takes the first type that the value fits.
func (r *reader) oneOf(s *scanner, depth int) (any, error) {
	start := s.pos
	var first error
	for i, branch := range r.fields {
		s.pos = start
		v, err := branch.read(s, depth+1)
		if err == nil {
			st := connectors.NewStruct(r.schema)
			st.Set(i, v)
			return st, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, &connectors.DataError{Msg: "the value fits no type of a oneOf", Cause: first}
}

// scaled gives a decimal the scale of its schema, if no digit is lost.
func (r *reader) scaled(d connectors.Decimal) (any, error) {
	const most = 1000 // digits to add
	n := int64(r.scale) - int64(d.Scale)
	switch {
	case n == 0:
		return d, nil
	case n > 0 && n <= most:
		factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil)
		return connectors.Decimal{Unscaled: factor.Mul(factor, d.Unscaled), Scale: r.scale}, nil
	}
	return nil, dataError("decimal %s does not have scale %d, as its schema says", d, r.scale)
}
