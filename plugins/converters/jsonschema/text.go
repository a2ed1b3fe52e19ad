package jsonschema

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/connectors"
)

const (
	typeMember       = "connect.type"
	versionMember    = "connect.version"
	parametersMember = "connect.parameters"
	indexMember      = "connect.index"
	oneOfName        = "io.confluent.connect.json.OneOf"
	oneOfField       = oneOfName + ".field."
	enumParameter    = "io.confluent.connect.json.Enum"
	keyField         = "key"
	valueField       = "value"
)

// A translator writes Connect schemas as JSON Schemas.
type translator struct{ options options }

// schema appends a schema; index is its place among the properties of an object, -1 elsewhere.
func (t translator) schema(b []byte, s *connectors.Schema, index, depth int) (_ []byte, err error) {
	if depth > maxDepth {
		return nil, dataError("schema is nested more than %d deep", maxDepth)
	}
	if s == nil {
		return nil, dataError("elements of no common type have no JSON Schema")
	}
	oneOf := s.Type == connectors.TypeStruct && s.Name == oneOfName
	if !s.Optional && !oneOf {
		return t.base(b, s, index, depth)
	}
	b = append(b, `{"oneOf":[`...)
	if s.Optional {
		b = append(b, `{"type":"null"},`...)
	}
	if !oneOf {
		b, err = t.base(b, s, -1, depth)
	} else {
		for i, f := range s.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = t.schema(b, f.Schema.AsOptional(false), -1, depth+1); err != nil {
				return nil, err
			}
		}
		b = append(b, `],"title":"`+oneOfName+`"`...)
	}
	if err != nil {
		return nil, err
	}
	if !oneOf {
		b = append(b, ']')
	}
	return append(appendIndex(b, index), '}'), nil
}

func appendIndex(b []byte, index int) []byte {
	if index >= 0 {
		b = strconv.AppendInt(append(b, `,"`+indexMember+`":`...), int64(index), 10)
	}
	return b
}

// base appends a schema as if it were not optional.
func (t translator) base(b []byte, s *connectors.Schema, index, depth int) (_ []byte, err error) {
	kind, connectType := t.types(s)
	if kind == "" {
		return nil, dataError("%s has no JSON Schema", s)
	}
	b = append(b, `{"type":"`+kind+`"`...)
	if s.Name != "" {
		b = appendText(append(b, `,"title":`...), s.Name)
	}
	if s.Doc != "" {
		b = appendText(append(b, `,"description":`...), s.Doc)
	}
	if s.Default != nil {
		w, err := t.options.writer(s, 0)
		if err != nil {
			return nil, err
		}
		if b, err = w.write(append(b, `,"default":`...), s.Default); err != nil {
			return nil, err
		}
	}
	if s.Version != nil {
		b = strconv.AppendInt(append(b, `,"`+versionMember+`":`...), int64(*s.Version), 10)
	}
	if connectType != "" {
		b = append(b, `,"`+typeMember+`":"`+connectType+`"`...)
	}
	if symbols := symbols(s); symbols != nil {
		b = append(b, `,"enum":[`...)
		for i, symbol := range symbols {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, symbol)
		}
		b = append(b, ']')
	}
	if len(s.Parameters) > 0 {
		b = append(b, `,"`+parametersMember+`":{`...)
		for i, key := range slices.Sorted(maps.Keys(s.Parameters)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, key), ':')
			b = appendText(b, s.Parameters[key])
		}
		b = append(b, '}')
	}
	if b, err = t.parts(b, s, depth); err != nil {
		return nil, err
	}
	return append(appendIndex(b, index), '}'), nil
}

// types returns the type in JSON Schema and the one in connect.type.
func (t translator) types(s *connectors.Schema) (kind, connectType string) {
	switch s.Type {
	case connectors.TypeInt8:
		return "integer", "int8"
	case connectors.TypeInt16:
		return "integer", "int16"
	case connectors.TypeInt32:
		return "integer", "int32"
	case connectors.TypeInt64:
		return "integer", "int64"
	case connectors.TypeFloat32:
		return "number", "float32"
	case connectors.TypeFloat64:
		return "number", "float64"
	case connectors.TypeBoolean:
		return "boolean", ""
	case connectors.TypeString:
		return "string", ""
	case connectors.TypeBytes:
		if s.Name == connectors.DecimalName && t.options.numeric {
			return "number", "bytes"
		}
		return "string", "bytes"
	case connectors.TypeArray:
		return "array", ""
	case connectors.TypeMap:
		if plainKeys(s) {
			return "object", "map"
		}
		return "array", "map"
	case connectors.TypeStruct:
		return "object", ""
	}
	return "", ""
}

// plainKeys reports whether a map schema is an object in JSON.
func plainKeys(s *connectors.Schema) bool {
	return s.Key != nil && s.Key.Type == connectors.TypeString && !s.Key.Optional
}

// symbols returns the symbols of a string that was an enum, nil if it was none.
func symbols(s *connectors.Schema) []string {
	if _, ok := s.Parameters[enumParameter]; !ok || s.Type != connectors.TypeString {
		return nil
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(s.Parameters)) {
		if strings.HasPrefix(key, enumParameter+".") {
			list = append(list, s.Parameters[key])
		}
	}
	return list
}

// parts appends the schemas of elements, values and properties.
func (t translator) parts(b []byte, s *connectors.Schema, depth int) (_ []byte, err error) {
	switch {
	case s.Type == connectors.TypeArray:
		return t.schema(append(b, `,"items":`...), s.Value, -1, depth+1)
	case s.Type == connectors.TypeMap && plainKeys(s):
		return t.schema(append(b, `,"additionalProperties":`...), s.Value, -1, depth+1)
	case s.Type == connectors.TypeMap:
		if b, err = t.schema(append(b, `,"items":{"type":"object","properties":{"key":`...), s.Key, 0, depth+1); err != nil {
			return nil, err
		}
		b, err = t.schema(append(b, `,"value":`...), s.Value, 1, depth+1)
		return append(b, `}}`...), err
	case s.Type != connectors.TypeStruct:
		return b, nil
	}
	b = append(b, `,"properties":{`...)
	var required []string
	for i, f := range s.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = t.schema(append(appendText(b, f.Name), ':'), f.Schema, i, depth+1); err != nil {
			return nil, err
		}
		if t.options.optional && !f.Schema.Optional && f.Schema.Default == nil {
			required = append(required, f.Name)
		}
	}
	b = append(b, '}')
	for i, name := range required {
		if i == 0 {
			b = append(b, `,"required":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(b, name)
	}
	if required != nil {
		b = append(b, ']')
	}
	if !t.options.additional {
		b = append(b, `,"additionalProperties":false`...)
	}
	return b, nil
}

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(connectors.AppendFloat(append(b, '"'), f, bits), '"')
	}
	return connectors.AppendFloat(b, f, bits)
}

func appendBase64(b, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), data), '"')
}

// encodeTime returns the number that a date, time or timestamp is written as.
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

// appendText appends a JSON string; what is not UTF-8 is replaced.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
