package avro

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/connectors"
)

// A translator writes Connect schemas as the text of Avro schemas.
type translator struct {
	options options
	defined []namedSchema
	unnamed int // struct schemas without a name so far
}

// A namedSchema is a named schema that the text has already, to be used by its name when it comes again.
type namedSchema struct {
	schema *connectors.Schema
	name   string
}

// schema appends a schema as it is used within namespace.
func (t *translator) schema(b []byte, s *connectors.Schema, namespace string, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, dataError("schema is nested more than %d deep", maxDepth)
	}
	if s == nil {
		return nil, dataError("elements of no common type have no Avro schema")
	}
	if s.Type == connectors.TypeStruct && s.Name == unionName {
		return t.union(b, s, namespace, depth)
	}
	if !s.Optional {
		return t.base(b, s, namespace, depth)
	}
	// A default must be one of the first branch.
	first := s.Default != nil && !t.options.ignoreDefault
	b = append(b, '[')
	if !first {
		b = append(b, `"null",`...)
	}
	b, err := t.base(b, s, namespace, depth)
	if first {
		b = append(b, `,"null"`...)
	}
	return append(b, ']'), err
}

func (t *translator) union(b []byte, s *connectors.Schema, namespace string, depth int) (_ []byte, err error) {
	b = append(b, '[')
	if s.Optional {
		b = append(b, `"null"`...)
	}
	for i, f := range s.Fields {
		if i > 0 || s.Optional {
			b = append(b, ',')
		}
		if b, err = t.schema(b, f.Schema.AsOptional(false), namespace, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// base appends a schema as if it were not optional.
func (t *translator) base(b []byte, s *connectors.Schema, namespace string, depth int) (_ []byte, err error) {
	if named(t.options, s) {
		for _, d := range t.defined {
			if d.schema == s || sameBut(d.schema, s) {
				return appendText(b, relative(d.name, namespace)), nil
			}
		}
	}
	start := len(b)
	b = append(b, `{"type":`...)
	bare := len(b)
	switch s.Type {
	case connectors.TypeInt8, connectors.TypeInt16, connectors.TypeInt32:
		b = append(b, `"int"`...)
	case connectors.TypeInt64:
		b = append(b, `"long"`...)
	case connectors.TypeFloat32:
		b = append(b, `"float"`...)
	case connectors.TypeFloat64:
		b = append(b, `"double"`...)
	case connectors.TypeBoolean:
		b = append(b, `"boolean"`...)
	case connectors.TypeString:
		b, err = t.text(b, s, namespace)
	case connectors.TypeBytes:
		b, err = t.bytes(b, s, namespace)
	case connectors.TypeArray:
		b, err = t.schema(append(b, `"array","items":`...), s.Value, namespace, depth+1)
	case connectors.TypeMap:
		b, err = t.mapping(b, s, namespace, depth)
	case connectors.TypeStruct:
		b, err = t.record(b, s, namespace, depth)
	default:
		err = dataError("%s has no Avro schema", s)
	}
	if err != nil {
		return nil, err
	}
	end := len(b)
	if b, err = t.attributes(b, s); err != nil {
		return nil, err
	}
	if len(b) == end && b[bare] == '"' && bytes.IndexByte(b[bare+1:], '"') == len(b)-bare-2 {
		return append(b[:start], b[bare:]...), nil // {"type":"int"} is written "int"
	}
	return append(b, '}'), nil
}

// sameBut compares schemas without what belongs to the place where they are used.
func sameBut(a, b *connectors.Schema) bool {
	if a.Name != b.Name || a.Type != b.Type || len(a.Fields) != len(b.Fields) {
		return false
	}
	x, y := *a, *b
	x.Optional, x.Default, x.Doc = false, nil, ""
	y.Optional, y.Default, y.Doc = false, nil, ""
	return x.Equal(&y)
}

// named reports whether the Avro schema of s has a name.
func named(o options, s *connectors.Schema) bool {
	switch s.Type {
	case connectors.TypeStruct:
		return true
	case connectors.TypeString:
		return o.enhanced && s.Parameters[enumParameter] != ""
	case connectors.TypeBytes:
		return s.Parameters[fixedParameter] != ""
	}
	return false
}

// define returns the name of a named schema and appends it.
func (t *translator) define(b []byte, s *connectors.Schema, full, namespace string) (_ []byte, own string, err error) {
	switch {
	case full != "" && t.options.scrub:
		full = scrubFull(full)
	case full == "":
		full = space + "." + defaultRecord
		if t.unnamed++; t.unnamed > 1 {
			full += strconv.Itoa(t.unnamed)
		}
	}
	for _, d := range t.defined {
		if d.name == full {
			return nil, "", dataError("two different schemas are called %s", full)
		}
	}
	t.defined = append(t.defined, namedSchema{s, full})
	for part := range strings.SplitSeq(full, ".") {
		if !validName(part) {
			return nil, "", invalidName(full)
		}
	}
	name := full
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		own, name = full[:i], full[i+1:]
	}
	b = appendText(append(b, `,"name":`...), name)
	if own != namespace {
		b = appendText(append(b, `,"namespace":`...), own)
	}
	return b, own, nil
}

func invalidName(name string) error {
	return dataError("%q is no name in Avro: names are letters, digits and underscores; scrub.invalid.names=true replaces the others", name)
}

// relative is a full name as it is written within a namespace.
func relative(name, namespace string) string {
	if simple, ok := strings.CutPrefix(name, namespace+"."); ok && namespace != "" && !strings.Contains(simple, ".") {
		return simple
	}
	return name
}

func (t *translator) text(b []byte, s *connectors.Schema, namespace string) ([]byte, error) {
	if !named(t.options, s) {
		return append(b, `"string"`...), nil
	}
	b, _, err := t.define(append(b, `"enum"`...), s, s.Parameters[enumParameter], namespace)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"symbols":[`...)
	// The order of the symbols is not kept in Connect's parameters.
	comma := false
	for _, key := range sortedKeys(s.Parameters) {
		if strings.HasPrefix(key, enumParameter+".") {
			if comma {
				b = append(b, ',')
			}
			b = appendText(b, s.Parameters[key])
			comma = true
		}
	}
	return append(b, ']'), nil
}

func (t *translator) bytes(b []byte, s *connectors.Schema, namespace string) ([]byte, error) {
	size := s.Parameters[fixedParameter]
	if size == "" {
		b = append(b, `"bytes"`...)
	} else {
		n, err := strconv.ParseUint(size, 10, 31)
		if err != nil {
			return nil, dataError("parameter %s of a schema must be a number, got %q", fixedParameter, size)
		}
		name := s.Name
		if name == connectors.DecimalName {
			name = ""
		}
		if b, _, err = t.define(append(b, `"fixed"`...), s, name, namespace); err != nil {
			return nil, err
		}
		b = strconv.AppendUint(append(b, `,"size":`...), n, 10)
	}
	if s.Name != connectors.DecimalName {
		return b, nil
	}
	scale, err := s.Scale()
	if err != nil {
		return nil, err
	}
	precision := uint64(defaultPrecision)
	if text := s.Parameters[precisionParameter]; text != "" {
		if precision, err = strconv.ParseUint(text, 10, 31); err != nil {
			return nil, dataError("parameter %s of a schema must be a number, got %q", precisionParameter, text)
		}
	}
	b = strconv.AppendInt(append(b, `,"scale":`...), int64(scale), 10)
	return strconv.AppendUint(append(b, `,"precision":`...), precision, 10), nil
}

// plainKeys reports whether a map schema is a map in Avro, whose keys are texts.
func (o options) plainKeys(s *connectors.Schema) bool {
	return s.Key != nil && s.Key.Type == connectors.TypeString && (!s.Key.Optional || o.optionalKeys)
}

func (t *translator) mapping(b []byte, s *connectors.Schema, namespace string, depth int) (_ []byte, err error) {
	if t.options.plainKeys(s) {
		return t.schema(append(b, `"map","values":`...), s.Value, namespace, depth+1)
	}
	b = append(b, `"array","items":`...)
	for _, d := range t.defined {
		if d.schema.Type == connectors.TypeMap && sameBut(d.schema, s) {
			return appendText(b, relative(d.name, namespace)), nil
		}
	}
	name := s.Name
	if name == "" {
		name = mapEntryName
	}
	b, own, err := t.define(append(b, `{"type":"record"`...), s, name, namespace)
	if err != nil {
		return nil, err
	}
	if b, err = t.schema(append(b, `,"fields":[{"name":"key","type":`...), s.Key, own, depth+1); err != nil {
		return nil, err
	}
	if b, err = t.schema(append(b, `},{"name":"value","type":`...), s.Value, own, depth+1); err != nil {
		return nil, err
	}
	b = append(b, `}]`...)
	if s.Name != "" {
		b = append(b, `,"`+internalProp+`":"`+mapEntry+`"`...)
	}
	return append(b, '}'), nil
}

func (t *translator) record(b []byte, s *connectors.Schema, namespace string, depth int) ([]byte, error) {
	b, own, err := t.define(append(b, `"record"`...), s, s.Name, namespace)
	if err != nil {
		return nil, err
	}
	if s.Doc != "" {
		b = appendText(append(b, `,"doc":`...), s.Doc)
	}
	b = append(b, `,"fields":[`...)
	for i, f := range s.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := t.options.fieldName(f.Name)
		if err != nil {
			return nil, err
		}
		b = appendText(append(b, `{"name":`...), name)
		if b, err = t.schema(append(b, `,"type":`...), f.Schema, own, depth+1); err != nil {
			return nil, err
		}
		if f.Schema.Doc != "" {
			b = appendText(append(b, `,"doc":`...), f.Schema.Doc)
		}
		switch {
		case f.Schema.Default != nil && !(f.Schema.Optional && t.options.ignoreDefault):
			if b, err = t.value(append(b, `,"default":`...), f.Schema, f.Schema.Default, depth+1); err != nil {
				return nil, err
			}
		case f.Schema.Optional:
			b = append(b, `,"default":null`...)
		}
		b = append(b, '}')
	}
	return append(b, ']'), nil
}

func (o options) fieldName(name string) (string, error) {
	if o.scrub {
		name = scrub(name)
	}
	if !validName(name) {
		return "", invalidName(name)
	}
	return name, nil
}

// attributes appends what Avro has no word for.
func (t *translator) attributes(b []byte, s *connectors.Schema) (_ []byte, err error) {
	if t.options.metaData {
		if s.Doc != "" && s.Type != connectors.TypeStruct {
			b = appendText(append(b, `,"`+docProp+`":`...), s.Doc)
		}
		if s.Version != nil {
			b = strconv.AppendInt(append(b, `,"`+versionProp+`":`...), int64(*s.Version), 10)
		}
		if len(s.Parameters) > 0 {
			b = append(b, `,"`+parametersProp+`":{`...)
			for i, key := range sortedKeys(s.Parameters) {
				if i > 0 {
					b = append(b, ',')
				}
				b = append(appendText(b, key), ':')
				b = appendText(b, s.Parameters[key])
			}
			b = append(b, '}')
		}
		if s.Default != nil && !(s.Optional && t.options.ignoreDefault) {
			if b, err = t.value(append(b, `,"`+defaultProp+`":`...), s, s.Default, 0); err != nil {
				return nil, err
			}
		}
		if s.Name != "" {
			b = appendText(append(b, `,"`+nameProp+`":`...), s.Name)
		}
	}
	switch s.Type {
	case connectors.TypeInt8:
		b = append(b, `,"`+typeProp+`":"int8"`...)
	case connectors.TypeInt16:
		b = append(b, `,"`+typeProp+`":"int16"`...)
	}
	if logical := logicalType(s); logical != "" {
		b = append(b, `,"logicalType":"`+logical+`"`...)
	}
	return b, nil
}

func logicalType(s *connectors.Schema) string {
	switch s.Name {
	case connectors.DecimalName:
		return "decimal"
	case connectors.DateName:
		return "date"
	case connectors.TimeName:
		return "time-millis"
	case connectors.TimestampName:
		return "timestamp-millis"
	}
	return ""
}

// value appends a default in JSON.
func (t *translator) value(b []byte, s *connectors.Schema, value any, depth int) (_ []byte, err error) {
	if depth > maxDepth {
		return nil, dataError("default is nested more than %d deep", maxDepth)
	}
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
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
		return appendDouble(b, float64(v), 32), nil
	case float64:
		return appendDouble(b, v, 64), nil
	case string:
		return appendText(b, v), nil
	case []byte:
		return appendLatin(b, v), nil
	case connectors.Decimal:
		return appendLatin(b, v.Bytes()), nil
	case time.Time:
		n, err := encodeTime(s.Name, v)
		return strconv.AppendInt(b, n, 10), err
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = t.value(b, s.Value, e, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *connectors.Map:
		return t.mapValue(b, s, v, depth)
	case *connectors.Struct:
		b = append(b, '{')
		for i, f := range v.Schema().Fields {
			if i > 0 {
				b = append(b, ',')
			}
			name, err := t.options.fieldName(f.Name)
			if err != nil {
				return nil, err
			}
			if b, err = t.value(append(appendText(b, name), ':'), f.Schema, v.At(i), depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return nil, dataError("a default of type %s has no text in Avro", connectors.TypeName(value))
}

func (t *translator) mapValue(b []byte, s *connectors.Schema, m *connectors.Map, depth int) (_ []byte, err error) {
	plain := t.options.plainKeys(s)
	open, end, key, value := "[", "]", `{"key":`, `,"value":`
	if plain {
		open, end, key, value = "{", "}", "", ":"
	}
	b = append(b, open...)
	for i := range m.Len() {
		e := m.At(i)
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = t.value(append(b, key...), s.Key, e.Key, depth+1); err != nil {
			return nil, err
		}
		if b, err = t.value(append(b, value...), s.Value, e.Value, depth+1); err != nil {
			return nil, err
		}
		if !plain {
			b = append(b, '}')
		}
	}
	return append(b, end...), nil
}

func appendDouble(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(connectors.AppendFloat(append(b, '"'), f, bits), '"')
	}
	return connectors.AppendFloat(b, f, bits)
}

// appendLatin appends bytes as Avro's JSON has them: a character for each.
func appendLatin(b, data []byte) []byte {
	text := make([]byte, 0, 2*len(data))
	for _, c := range data {
		text = utf8.AppendRune(text, rune(c))
	}
	return appendText(b, string(text))
}

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	// A string always has a text in JSON.
	_ = encoder.Encode(text)
	return append(b, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))...)
}
