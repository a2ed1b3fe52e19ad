package converters

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"millrace/connectors"
)

// appendValue appends a value in JSON.
func (c *JSON) appendValue(b []byte, schema *connectors.Schema, value any) ([]byte, error) {
	if schema == nil {
		return c.appendSchemaless(b, value)
	}
	if value == nil {
		switch {
		case schema.Default != nil && c.replaceNull:
			value = schema.Default
		case schema.Optional:
			return append(b, "null"...), nil
		default:
			return nil, &connectors.DataError{Msg: "Conversion error: null value for field that is required and has no default value"}
		}
	}
	if schema.Name != "" {
		if b, done, err := c.appendLogical(b, schema, value); done {
			return b, err
		}
	}
	ok := false
	switch schema.Type {
	case connectors.TypeInt8:
		var v int8
		if v, ok = value.(int8); ok {
			b = strconv.AppendInt(b, int64(v), 10)
		}
	case connectors.TypeInt16:
		var v int16
		if v, ok = value.(int16); ok {
			b = strconv.AppendInt(b, int64(v), 10)
		}
	case connectors.TypeInt32:
		var v int32
		if v, ok = value.(int32); ok {
			b = strconv.AppendInt(b, int64(v), 10)
		}
	case connectors.TypeInt64:
		var v int64
		if v, ok = value.(int64); ok {
			b = strconv.AppendInt(b, v, 10)
		}
	case connectors.TypeFloat32:
		var v float32
		if v, ok = value.(float32); ok {
			b = appendFloat(b, float64(v), 32)
		}
	case connectors.TypeFloat64:
		var v float64
		if v, ok = value.(float64); ok {
			b = appendFloat(b, v, 64)
		}
	case connectors.TypeBoolean:
		var v bool
		if v, ok = value.(bool); ok {
			b = strconv.AppendBool(b, v)
		}
	case connectors.TypeString:
		var v string
		if v, ok = value.(string); ok {
			b = appendString(b, v)
		}
	case connectors.TypeBytes:
		v, isBytes := value.([]byte)
		if !isBytes {
			return nil, invalidType("bytes type", value)
		}
		return appendBase64(b, v), nil
	case connectors.TypeArray:
		if v, isList := value.([]any); isList {
			return c.appendList(b, schema.Value, v)
		}
	case connectors.TypeMap:
		if v, isMap := value.(*connectors.Map); isMap {
			return c.appendMap(b, schema.Key, schema.Value, v, schema.Key.Type == connectors.TypeString)
		}
	case connectors.TypeStruct:
		if v, isStruct := value.(*connectors.Struct); isStruct {
			return c.appendStruct(b, schema, v)
		}
	}
	if !ok {
		return nil, invalidType(schema.Type.String(), value)
	}
	return b, nil
}

func invalidType(want string, value any) error {
	return &connectors.DataError{Msg: fmt.Sprintf("Invalid type for %s: %s", want, connectors.TypeName(value))}
}

// appendLogical appends a value of a logical type; done is false if schema's name is none.
func (c *JSON) appendLogical(b []byte, schema *connectors.Schema, value any) (_ []byte, done bool, err error) {
	switch schema.Name {
	case connectors.DecimalName:
		b, err = c.appendDecimal(b, schema, value)
	case connectors.DateName:
		b, err = appendDate(b, value, "Date", func(t time.Time) (int64, error) {
			days, err := connectors.DaysOf(t)
			return int64(days), err
		})
	case connectors.TimeName:
		b, err = appendDate(b, value, "Time", func(t time.Time) (int64, error) {
			ms, err := connectors.MillisOfDay(t)
			return int64(ms), err
		})
	case connectors.TimestampName:
		b, err = appendDate(b, value, "Timestamp", func(t time.Time) (int64, error) { return t.UnixMilli(), nil })
	default:
		return b, false, nil
	}
	return b, true, err
}

func (c *JSON) appendDecimal(b []byte, schema *connectors.Schema, value any) ([]byte, error) {
	d, ok := value.(connectors.Decimal)
	if !ok {
		return nil, &connectors.DataError{
			Msg: fmt.Sprintf("Invalid type for Decimal, expected BigDecimal but was %s", connectors.TypeName(value)),
		}
	}
	if c.numeric {
		return append(b, d.String()...), nil
	}
	scale, err := schema.Scale()
	if err != nil {
		return nil, err
	}
	if d.Scale != scale {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("Decimal value has mismatching scale for given Decimal schema. "+
			"Schema has scale %d, value has scale %d.", scale, d.Scale)}
	}
	return appendBase64(b, d.Bytes()), nil
}

func appendDate(b []byte, value any, name string, encode func(time.Time) (int64, error)) ([]byte, error) {
	t, ok := value.(time.Time)
	if !ok {
		return nil, &connectors.DataError{
			Msg: fmt.Sprintf("Invalid type for %s, expected Date but was %s", name, connectors.TypeName(value)),
		}
	}
	n, err := encode(t)
	if err != nil {
		return nil, err
	}
	return strconv.AppendInt(b, n, 10), nil
}

// appendSchemaless appends a value by its Go type.
func (c *JSON) appendSchemaless(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int8:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float32:
		return appendFloat(b, float64(v), 32), nil
	case float64:
		return appendFloat(b, v, 64), nil
	case []byte:
		return appendBase64(b, v), nil
	case []any:
		return c.appendList(b, nil, v)
	case *connectors.Map:
		return c.appendMap(b, nil, nil, v, allStrings(v))
	case *connectors.Struct:
		return nil, mismatch()
	}
	return nil, &connectors.DataError{Msg: fmt.Sprintf("Java class %s does not have corresponding schema type.", connectors.TypeName(value))}
}

func mismatch() error { return &connectors.DataError{Msg: "Mismatching schema."} }

func allStrings(m *connectors.Map) bool {
	for i := range m.Len() {
		if _, ok := m.At(i).Key.(string); !ok {
			return false
		}
	}
	return true
}

func (c *JSON) appendList(b []byte, element *connectors.Schema, list []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = c.appendValue(b, element, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendMap appends an object if keys are strings, else a list of pairs.
func (c *JSON) appendMap(b []byte, key, value *connectors.Schema, m *connectors.Map, object bool) ([]byte, error) {
	first, last := byte('['), byte(']')
	if object {
		first, last = '{', '}'
	}
	b = append(b, first)
	for i := range m.Len() {
		e := m.At(i)
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if object {
			b, err = c.appendMember(b, key, e.Key)
		} else {
			b, err = c.appendValue(append(b, '['), key, e.Key)
			b = append(b, ',')
		}
		if err != nil {
			return nil, err
		}
		if b, err = c.appendValue(b, value, e.Value); err != nil {
			return nil, err
		}
		if !object {
			b = append(b, ']')
		}
	}
	return append(b, last), nil
}

// appendMember appends the name of a member of an object; a null key is called "null".
func (c *JSON) appendMember(b []byte, schema *connectors.Schema, key any) ([]byte, error) {
	name, ok := key.(string)
	if !ok {
		if key != nil {
			return nil, invalidType("STRING", key)
		}
		if _, err := c.appendValue(nil, schema, nil); err != nil {
			return nil, err
		}
		name = "null"
		if s, ok := schema.Default.(string); ok && c.replaceNull {
			name = s
		}
	}
	return append(appendString(b, name), ':'), nil
}

func (c *JSON) appendStruct(b []byte, schema *connectors.Schema, s *connectors.Struct) ([]byte, error) {
	if !s.Schema().Equal(schema) {
		return nil, mismatch()
	}
	b = append(b, '{')
	for i := range schema.Fields {
		f := &schema.Fields[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, f.Name), ':')
		var err error
		if b, err = c.appendValue(b, f.Schema, s.Raw(i)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		b = connectors.AppendFloat(append(b, '"'), f, bits)
		return append(b, '"')
	}
	return connectors.AppendFloat(b, f, bits)
}

func appendBase64(b, data []byte) []byte {
	b = base64.StdEncoding.AppendEncode(append(b, '"'), data)
	return append(b, '"')
}

const hexDigits = "0123456789ABCDEF"

// appendString appends a JSON string. Characters beyond the first plane are escaped, as Kafka's serializer does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := plain(unsafe.Slice(unsafe.StringData(s), len(s))); i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if size == 2 || size == 3 {
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		if size == 1 { // not UTF-8
			b = utf8.AppendRune(b, utf8.RuneError)
		} else {
			r -= 0x10000
			b = appendUnicode(b, 0xD800+r>>10)
			b = appendUnicode(b, 0xDC00+r&0x3FF)
		}
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\t':
		return append(b, `\t`...)
	case '\n':
		return append(b, `\n`...)
	case '\f':
		return append(b, `\f`...)
	case '\r':
		return append(b, `\r`...)
	}
	return appendUnicode(b, rune(c))
}

func appendUnicode(b []byte, unit rune) []byte {
	return append(b, '\\', 'u', hexDigits[unit>>12&15], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
}
