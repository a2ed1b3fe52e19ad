package connectjson

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"millrace/connectors"
)

// An Object is a JSON object whose members have an order.
type Object []Member

// A Member is one member of an Object.
type Member struct {
	Name  string
	Value any
}

// Append appends v to dst: nil, bool, string, integers, floats, []any, map[string]any, map[string]string, Object.
// Other types, NaN and infinities are an error.
func Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float32:
		return appendFloat(dst, float64(v), 32)
	case float64:
		return appendFloat(dst, v, 64)
	case []any:
		return appendList(dst, v)
	case map[string]any:
		return appendMap(dst, v)
	case map[string]string:
		return appendMap(dst, v)
	case map[string]*string:
		return appendMap(dst, v)
	case *string:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return appendString(dst, *v), nil
	case Object:
		return appendObject(dst, v)
	}
	return nil, fmt.Errorf("a %T has no JSON form here", v)
}

func appendList(dst []byte, list []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = Append(dst, e); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendMap[V any](dst []byte, m map[string]V) ([]byte, error) {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		var err error
		if dst, err = appendMember(dst, i, name, m[name]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendObject(dst []byte, o Object) ([]byte, error) {
	dst = append(dst, '{')
	for i, m := range o {
		var err error
		if dst, err = appendMember(dst, i, m.Name, m.Value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendMember(dst []byte, i int, name string, v any) ([]byte, error) {
	if i > 0 {
		dst = append(dst, ',')
	}
	dst = append(appendString(dst, name), ':')
	dst, err := Append(dst, v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return dst, nil
}

const hexDigits = "0123456789ABCDEF"

// appendString escapes what JSON demands and nothing else. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= ' ':
			dst = utf8.AppendRune(dst, r)
		case r == '\b':
			dst = append(dst, '\\', 'b')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		}
	}
	return append(dst, '"')
}

// appendFloat writes f as Java's Double.toString does: 1.0, 0.5, 1.0E10, 1.2E-5.
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v has no JSON form", f)
	}
	return connectors.AppendFloat(dst, f, bits), nil
}
