package converters

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"millrace/connectors"
)

// Reading is lenient in Kafka's ways: a value of another kind than its schema says becomes 0, false, an empty list or null;
// integers wrap around, also those without a schema beyond 64 bits; the text behind the first value is not looked at; byte
// order marks and UTF-16 are understood. Maps, structs and logical types are strict.

// A dataError is a value that does not fit its schema; other errors of this file are syntax errors.
type dataError = connectors.DataError

func syntaxError(err error) error {
	if d, ok := err.(*dataError); ok {
		return d
	}
	return &dataError{Msg: "Converting byte[] to Kafka Connect data failed due to serialization error", Cause: err}
}

// ToConnect is part of connectors.Converter.
func (c *JSON) ToConnect(_ string, _ connectors.Headers, data []byte) (connectors.SchemaAndValue, error) {
	if data == nil {
		return connectors.SchemaAndValue{}, nil
	}
	if c.lastRead != nil && bytes.HasPrefix(data, c.lastRead) {
		if v, ok := c.readKnown(data); ok {
			return v, nil
		}
	}
	r := reader{scanner: scanner{data: toUTF8(data)}, replaceNull: c.replaceNull, structs: &c.structs}
	v, err := c.readAny(&r)
	if err != nil {
		return connectors.SchemaAndValue{}, syntaxError(err)
	}
	return v, nil
}

func (c *JSON) readAny(r *reader) (connectors.SchemaAndValue, error) {
	var none connectors.SchemaAndValue
	switch {
	case c.schemas && c.fixed == nil:
		return c.readEnvelope(r)
	case c.schemas:
		v, err := r.value(c.fixed, 0)
		return connectors.SchemaAndValue{Schema: c.fixed, Value: v}, err
	}
	k, err := r.kind()
	if err != nil || k == kindMissing {
		return none, err
	}
	v, err := r.schemaless(0)
	return connectors.SchemaAndValue{Value: v}, err
}

// readKnown reads an envelope that begins as the last one did, up to the payload. It does not matter why it fails: then the
// envelope is read again, with care.
func (c *JSON) readKnown(data []byte) (connectors.SchemaAndValue, bool) {
	r := reader{scanner: scanner{data: data, pos: len(c.lastRead)}, replaceNull: c.replaceNull, structs: &c.structs}
	v, err := r.value(c.lastReadSchema, 1)
	if err != nil || !r.take('}') {
		return connectors.SchemaAndValue{}, false
	}
	return connectors.SchemaAndValue{Schema: c.lastReadSchema, Value: v}, true
}

func noEnvelope() error {
	return &dataError{Msg: `JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. ` +
		"If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."}
}

// readEnvelope reads {"schema":..,"payload":..}. Everything is checked for syntax before anything is converted.
func (c *JSON) readEnvelope(r *reader) (connectors.SchemaAndValue, error) {
	var none connectors.SchemaAndValue
	k, err := r.kind()
	if err != nil {
		return none, err
	}
	if k != kindObject {
		if k != kindMissing {
			if _, err := r.skip(0); err != nil {
				return none, err
			}
		}
		return none, noEnvelope()
	}
	var schema, payload []byte
	var schemaStart, payloadStart, members int
	others := false
	err = r.members(0, func(name string) error {
		members++
		r.space()
		start := r.pos
		raw, err := r.skip(1)
		switch name {
		case "schema":
			schema, schemaStart = raw, start
		case "payload":
			payload, payloadStart = raw, start
		default:
			others = true
		}
		return err
	})
	if err != nil {
		return none, err
	}
	if schema == nil || payload == nil || others {
		return none, noEnvelope()
	}
	s, err := c.readSchema(schema)
	if err != nil {
		return none, err
	}
	p := reader{scanner: scanner{data: payload}, replaceNull: r.replaceNull, structs: r.structs}
	v, err := p.value(s, 1)
	if err != nil {
		return none, err
	}
	if members == 2 && schemaStart < payloadStart {
		c.lastRead = append([]byte(nil), r.data[:payloadStart]...)
		c.lastReadSchema = s
	}
	return connectors.SchemaAndValue{Schema: s, Value: v}, nil
}

// A reader turns JSON into values.
type reader struct {
	scanner
	replaceNull bool
	// lax says that a value of the wrong kind became a null, which a struct may not take.
	lax     bool
	structs *connectors.StructMaker
}

// value reads a value of a schema; a nil schema is schemaless.
func (r *reader) value(s *connectors.Schema, depth int) (any, error) {
	if s == nil {
		return r.schemaless(depth)
	}
	k, err := r.kind()
	if err != nil {
		return nil, err
	}
	if k == kindNull {
		if err := r.word("null"); err != nil {
			return nil, err
		}
		return r.null(s)
	}
	if s.Name != "" {
		if v, done, err := r.logical(s, k, depth); done {
			return v, err
		}
	}
	switch s.Type {
	case connectors.TypeInt8, connectors.TypeInt16, connectors.TypeInt32, connectors.TypeInt64:
		n, err := r.integer(k, depth)
		switch s.Type {
		case connectors.TypeInt8:
			return int8(n), err
		case connectors.TypeInt16:
			return int16(n), err
		case connectors.TypeInt32:
			return int32(n), err
		}
		return n, err
	case connectors.TypeFloat32:
		f, err := r.float(k, depth, 32)
		return float32(f), err
	case connectors.TypeFloat64:
		return r.float(k, depth, 64)
	case connectors.TypeBoolean:
		if k == kindBoolean {
			return r.boolean()
		}
		_, err := r.skip(depth)
		return false, err
	case connectors.TypeString:
		if k == kindString {
			return r.text()
		}
		return r.laxNull(depth)
	case connectors.TypeBytes:
		if k == kindString {
			return r.bytes("Invalid bytes field")
		}
		return r.laxNull(depth)
	case connectors.TypeArray:
		return r.list(s, k, depth)
	case connectors.TypeMap:
		return r.mapping(s, k, depth)
	}
	return r.structure(s, k, depth)
}

// null returns what a null means for a schema.
func (r *reader) null(s *connectors.Schema) (any, error) {
	switch {
	case s.Default != nil && r.replaceNull:
		return s.Default, nil
	case s.Optional:
		return nil, nil
	}
	return nil, &dataError{Msg: fmt.Sprintf("Invalid null value for required %s field", s.Type)}
}

// laxNull skips a value of the wrong kind.
func (r *reader) laxNull(depth int) (any, error) {
	r.lax = true
	_, err := r.skip(depth)
	return nil, err
}

func (r *reader) integer(k kind, depth int) (int64, error) {
	if k != kindNumber {
		_, err := r.skip(depth)
		return 0, err
	}
	text, whole, err := r.number()
	if err != nil {
		return 0, err
	}
	return wrapped(text, whole), nil
}

// wrapped returns the integer part of a number, cut to 64 bits.
func wrapped(text []byte, whole bool) int64 {
	if whole && len(text) <= 18 {
		digits, sign := text, int64(1)
		if text[0] == '-' {
			digits, sign = text[1:], -1
		}
		var n int64
		for _, c := range digits {
			n = 10*n + int64(c-'0')
		}
		return sign * n
	}
	d, ok := connectors.ParseDecimal(string(text))
	if !ok {
		return 0 // an exponent beyond all bounds
	}
	n, ok := d.Int()
	if !ok {
		return 0
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return int64(low.Uint64())
}

func (r *reader) float(k kind, depth, bits int) (float64, error) {
	if k != kindNumber {
		_, err := r.skip(depth)
		return 0, err
	}
	text, _, err := r.number()
	if err != nil {
		return 0, err
	}
	return parseFloat(text, bits), nil
}

// parseFloat reads a number by way of a decimal, as Kafka does: there is no negative zero, and out of range is an infinity.
func parseFloat(text []byte, bits int) float64 {
	f, _ := strconv.ParseFloat(string(text), bits)
	if f == 0 {
		return 0
	}
	return f
}

func (r *reader) bytes(failure string) (any, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil { // Kafka's decoder passes over blanks
		b, err = base64.StdEncoding.DecodeString(strings.Map(dropBlank, text))
	}
	if err != nil {
		return nil, &dataError{Msg: failure, Cause: err}
	}
	return b, nil
}

func dropBlank(c rune) rune {
	if c <= ' ' {
		return -1
	}
	return c
}

// schemaless reads a value by what it looks like.
func (r *reader) schemaless(depth int) (any, error) {
	k, err := r.kind()
	if err != nil {
		return nil, err
	}
	switch k {
	case kindNull:
		return nil, r.word("null")
	case kindBoolean:
		return r.boolean()
	case kindString:
		return r.text()
	case kindNumber:
		text, whole, err := r.number()
		if err != nil {
			return nil, err
		}
		if whole {
			return wrapped(text, true), nil
		}
		return parseFloat(text, 64), nil
	case kindArray:
		list := []any{}
		err := r.elements(depth, func() error {
			v, err := r.schemaless(depth + 1)
			list = append(list, v)
			return err
		})
		return list, err
	case kindObject:
		m := new(connectors.Map)
		return m, r.members(depth, func(name string) error {
			v, err := r.schemaless(depth + 1)
			m.Put(name, v)
			return err
		})
	}
	return nil, r.unexpected("a value")
}
