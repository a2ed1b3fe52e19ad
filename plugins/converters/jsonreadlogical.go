package converters

import (
	"fmt"
	"strings"

	"millrace/connectors"
)

// logical reads a value of a logical type; done is false if the schema's name is none.
func (r *reader) logical(s *connectors.Schema, k kind, depth int) (v any, done bool, err error) {
	switch s.Name {
	case connectors.DecimalName:
		v, err = r.decimal(s, k)
	case connectors.DateName:
		var n int64
		if n, err = r.encoded(k, "Date", "integer", true); err == nil {
			v = connectors.DateFromDays(int32(n))
		}
	case connectors.TimeName:
		var n int64
		if n, err = r.encoded(k, "Time", "integer", true); err == nil {
			v, err = connectors.TimeFromMillis(int32(n))
		}
	case connectors.TimestampName:
		var n int64
		if n, err = r.encoded(k, "Timestamp", "integral", false); err == nil {
			v = connectors.FromMillis(n)
		}
	default:
		return nil, false, nil
	}
	return v, true, err
}

// encoded reads the number that a date is encoded as.
func (r *reader) encoded(k kind, name, want string, int32Only bool) (int64, error) {
	wrong := &dataError{Msg: fmt.Sprintf("Invalid type for %s, underlying representation should be %s but was %s", name, want, k)}
	if k != kindNumber {
		return 0, wrong
	}
	text, whole, err := r.number()
	if err != nil {
		return 0, err
	}
	n := wrapped(text, whole)
	if !whole || int32Only && (n != int64(int32(n)) || len(strings.TrimLeft(string(text), "-0")) > 10) {
		return 0, wrong
	}
	return n, nil
}

func (r *reader) decimal(s *connectors.Schema, k kind) (any, error) {
	switch k {
	case kindNumber:
		text, _, err := r.number()
		if err != nil {
			return nil, err
		}
		d, ok := connectors.ParseDecimal(string(text))
		if !ok {
			return nil, &dataError{Msg: fmt.Sprintf("Invalid number for Decimal field: %s", text)}
		}
		return d, nil
	case kindString:
		const failure = "Invalid bytes for Decimal field"
		b, err := r.bytes(failure)
		if err != nil {
			return nil, err
		}
		scale, err := s.Scale()
		if err != nil {
			return nil, err
		}
		d, err := connectors.DecimalFromBytes(b.([]byte), scale)
		if err != nil {
			return nil, &dataError{Msg: failure, Cause: err}
		}
		return d, nil
	}
	return nil, &dataError{Msg: fmt.Sprintf("Invalid type for Decimal, underlying representation should be numeric or bytes but was %s", k)}
}
