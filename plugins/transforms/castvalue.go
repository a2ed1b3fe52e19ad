package transforms

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/connectors/javatime"
)

const castSources = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"

// castValue casts a value of a schema; a nil schema is none.
func castValue(schema *connectors.Schema, value any, to connectors.Type) (any, error) {
	if value == nil {
		return nil, nil
	}
	if err := castable(schema, value); err != nil {
		return nil, err
	}
	if to == connectors.TypeString {
		return castString(value), nil
	}
	if t, ok := value.(time.Time); ok {
		if schema == nil {
			return nil, dataError("Unexpected type in Cast transformation: %s", connectors.TypeName(value))
		}
		n, err := encoded(schema, t)
		if err != nil {
			return nil, err
		}
		value = n
	}
	if s, ok := value.(string); ok {
		return castText(s, to)
	}
	return castNumber(value, to)
}

func castable(schema *connectors.Schema, value any) error {
	var t connectors.Type
	if schema != nil {
		t = schema.Type
	} else {
		switch value.(type) {
		case []any:
			t = connectors.TypeArray
		case *connectors.Map:
			t = connectors.TypeMap
		case *connectors.Struct:
			t = connectors.TypeStruct
		case time.Time, connectors.Decimal, *big.Int:
			return dataError("Cast transformation was passed a value of type %s which is not supported by Connect's data API",
				connectors.TypeName(value))
		default:
			return nil
		}
	}
	switch t {
	case connectors.TypeArray, connectors.TypeMap, connectors.TypeStruct:
		return dataError("Cast transformation does not support casting from %s; supported types are %s", t, castSources)
	}
	return nil
}

// encoded returns the number that a date of a logical type is encoded as.
func encoded(schema *connectors.Schema, t time.Time) (int64, error) {
	switch schema.Name {
	case connectors.DateName:
		days, err := connectors.DaysOf(t)
		return int64(days), err
	case connectors.TimeName:
		ms, err := connectors.MillisOfDay(t)
		return int64(ms), err
	}
	return t.UnixMilli(), nil
}

func castString(value any) string {
	switch v := value.(type) {
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		b, err := connectors.AppendHeaderText(nil, v) // the ISO forms
		if err != nil {
			return isoTimestamp.Format(v.UnixMilli())
		}
		return string(b)
	}
	return connectors.Text(value)
}

var isoTimestamp = javatime.MustCompile("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")

// castText parses a text: integers strictly, floats with blanks around, and for booleans everything but true is false.
func castText(s string, to connectors.Type) (any, error) {
	bits := 64
	switch to {
	case connectors.TypeBoolean:
		return strings.EqualFold(s, "true"), nil
	case connectors.TypeFloat32, connectors.TypeFloat64:
		if to == connectors.TypeFloat32 {
			bits = 32
		}
		f, ok := connectors.ParseFloat(s, bits)
		switch {
		case !ok:
			return nil, outOfRange(s)
		case bits == 32:
			return float32(f), nil
		}
		return f, nil
	case connectors.TypeInt8:
		bits = 8
	case connectors.TypeInt16:
		bits = 16
	case connectors.TypeInt32:
		bits = 32
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return nil, outOfRange(s)
	}
	return integer(n, to), nil
}

func outOfRange(s string) error {
	return dataError("Value (%s) was out of range for requested data type", s)
}

func integer(n int64, to connectors.Type) any {
	switch to {
	case connectors.TypeInt8:
		return int8(n)
	case connectors.TypeInt16:
		return int16(n)
	case connectors.TypeInt32:
		return int32(n)
	}
	return n
}

// castNumber casts a number or boolean. Integers wrap around; floats become the nearest integer of 32 bits, or of 64 for
// int64, and then wrap; decimals wrap as the integers that they contain.
func castNumber(value any, to connectors.Type) (any, error) {
	if d, ok := value.(connectors.Decimal); ok {
		return castDecimal(d, to)
	}
	n, f, isFloat, ok := numeric(value)
	if !ok {
		return nil, dataError("Unexpected type in Cast transformation: %s", connectors.TypeName(value))
	}
	switch to {
	case connectors.TypeBoolean:
		if isFloat {
			n = clamp(f, math.MinInt64, math.MaxInt64)
		}
		return n != 0, nil
	case connectors.TypeFloat32:
		if isFloat {
			return float32(f), nil
		}
		return float32(n), nil
	case connectors.TypeFloat64:
		if isFloat {
			return f, nil
		}
		return float64(n), nil
	case connectors.TypeInt64:
		if isFloat {
			n = clamp(f, math.MinInt64, math.MaxInt64)
		}
		return n, nil
	}
	if isFloat {
		n = clamp(f, math.MinInt32, math.MaxInt32)
	}
	return integer(n, to), nil
}

func castDecimal(d connectors.Decimal, to connectors.Type) (any, error) {
	switch to {
	case connectors.TypeFloat32:
		return float32(d.Float()), nil
	case connectors.TypeFloat64:
		return d.Float(), nil
	}
	n, err := connectors.ConvertTo(connectors.Int64Schema, nil, d)
	if err != nil {
		return nil, err
	}
	if to == connectors.TypeBoolean {
		return n != int64(0), nil
	}
	return integer(n.(int64), to), nil
}

// numeric returns a value as an integer or a float.
func numeric(value any) (n int64, f float64, isFloat, ok bool) {
	switch v := value.(type) {
	case bool:
		if v {
			n = 1
		}
		return n, float64(n), false, true
	case int8:
		return int64(v), 0, false, true
	case int16:
		return int64(v), 0, false, true
	case int32:
		return int64(v), 0, false, true
	case int64:
		return v, 0, false, true
	case float32:
		return 0, float64(v), true, true
	case float64:
		return 0, v, true, true
	}
	return 0, 0, false, false
}

// clamp cuts a float to an integer between low and high; NaN is 0.
func clamp(f float64, low, high int64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= float64(high):
		return high
	case f <= float64(low):
		return low
	}
	return int64(f)
}
