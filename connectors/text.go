package connectors

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"millrace/connectors/javatime"
)

// Text returns a value as Java's toString does: Struct{a=1,b=x}, {a=1, b=2}, [1, 2]. It is what the StringConverter and the file
// sink write.
func Text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return string(AppendText(nil, value))
}

var dateText = javatime.MustCompile("EEE MMM dd HH:mm:ss z yyyy")

// AppendText appends Text of value. Bytes are appended as they are.
func AppendText(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return append(b, v...)
	case []byte:
		return append(b, v...)
	case time.Time:
		return dateText.Append(b, v.UnixMilli())
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = AppendText(b, e)
		}
		return append(b, ']')
	case *Map:
		b = append(b, '{')
		for i, e := range v.entries {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = AppendText(b, e.Key)
			b = append(b, '=')
			b = AppendText(b, e.Value)
		}
		return append(b, '}')
	case *Struct:
		return v.appendText(b)
	}
	b, ok := appendScalar(b, value)
	if !ok {
		b = fmt.Append(b, value)
	}
	return b
}

func (s *Struct) appendText(b []byte) []byte {
	b = append(b, "Struct{"...)
	first := true
	for i, v := range s.values {
		if v == nil {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, s.schema.Fields[i].Name...)
		b = append(b, '=')
		b = AppendText(b, v)
	}
	return append(b, '}')
}

// String returns Text of s.
func (s *Struct) String() string { return Text(s) }

// String returns Text of m.
func (m *Map) String() string { return Text(m) }

// appendScalar appends null, a boolean or a number as Java prints it.
func appendScalar(b []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), true
	case bool:
		return strconv.AppendBool(b, v), true
	case int8:
		return strconv.AppendInt(b, int64(v), 10), true
	case int16:
		return strconv.AppendInt(b, int64(v), 10), true
	case int32:
		return strconv.AppendInt(b, int64(v), 10), true
	case int64:
		return strconv.AppendInt(b, v, 10), true
	case float32:
		return appendJavaFloat(b, float64(v), 32), true
	case float64:
		return appendJavaFloat(b, v, 64), true
	case Decimal:
		return append(b, v.String()...), true
	case *big.Int:
		return v.Append(b, 10), true
	}
	return b, false
}

var (
	isoDate      = javatime.MustCompile("yyyy-MM-dd")
	isoTime      = javatime.MustCompile("HH:mm:ss.SSS'Z'")
	isoTimestamp = javatime.MustCompile("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
)

// isoFormat returns the form in which headers have a moment: a time on the first day, a date at midnight, else both.
func isoFormat(ms int64) *javatime.Format {
	switch {
	case ms < MillisPerDay:
		return isoTime
	case ms%MillisPerDay == 0:
		return isoDate
	}
	return isoTimestamp
}

// AppendHeaderText appends a value in the form of the SimpleHeaderConverter, from which ParseValue reads it back: JSON-like, with
// bare text at the outside.
func AppendHeaderText(b []byte, value any) ([]byte, error) { return appendHeader(b, value, false) }

func appendHeader(b []byte, value any, embedded bool) ([]byte, error) {
	switch v := value.(type) {
	case string:
		if embedded {
			return appendQuoted(b, v), nil
		}
		return append(b, v...), nil
	case []byte:
		if !embedded {
			return base64.StdEncoding.AppendEncode(b, v), nil
		}
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v)
		return append(b, '"'), nil
	case time.Time:
		ms := v.UnixMilli()
		return isoFormat(ms).Append(b, ms), nil
	case []any:
		return appendEach(b, '[', ']', len(v), func(b []byte, i int) ([]byte, error) {
			return appendHeader(b, v[i], true)
		})
	case *Map:
		return appendEach(b, '{', '}', v.Len(), func(b []byte, i int) ([]byte, error) {
			return appendPair(b, v.entries[i].Key, v.entries[i].Value)
		})
	case *Struct:
		return appendEach(b, '{', '}', len(v.values), func(b []byte, i int) ([]byte, error) {
			return appendPair(b, v.schema.Fields[i].Name, v.At(i))
		})
	}
	b, ok := appendScalar(b, value)
	if !ok {
		return nil, &DataError{Msg: fmt.Sprintf("Failed to serialize unexpected value type %T: %v", value, value)}
	}
	return b, nil
}

func appendEach(b []byte, first, last byte, n int, each func([]byte, int) ([]byte, error)) ([]byte, error) {
	b = append(b, first)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = each(b, i); err != nil {
			return nil, err
		}
	}
	return append(b, last), nil
}

func appendPair(b []byte, key, value any) ([]byte, error) {
	b, err := appendHeader(b, key, true)
	if err != nil {
		return nil, err
	}
	return appendHeader(append(b, ':'), value, true)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
