package protobuf

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"millrace/connectors"
)

const (
	space         = "io.confluent.connect.protobuf"
	tagParameter  = space + ".Tag"
	enumParameter = space + ".Enum"
	unionName     = space + ".Union"
	unionPrefix   = unionName + "."
	defaultName   = "ConnectDefault"
	typeParameter = "connect.type"
	// maxDepth bounds how deep schemas and messages nest.
	maxDepth = 100
)

// A translator writes struct schemas as .proto files.
type translator struct {
	options options
	imports []string
	unnamed int
}

// validName reports whether a name is one in Protobuf.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// scrub makes a name valid: as a URL has it, with an underscore for what is still not allowed.
func scrub(name string) string {
	if validName(name) || name == "" {
		return name
	}
	b := []byte(url.QueryEscape(name))
	if !validName(string(b[:1])) {
		b = append([]byte{'x'}, b...)
	}
	for i := range b {
		if !validName("x" + string(b[i:i+1])) {
			b[i] = '_'
		}
	}
	return string(b)
}

func (o options) name(name string) (string, error) {
	if o.scrub {
		name = scrub(name)
	}
	if !validName(name) {
		return "", dataError("%q is no name in Protobuf: names are letters, digits and underscores; scrub.invalid.names=true replaces the others", name)
	}
	return name, nil
}

// file returns the text of a struct schema and the full name of its message.
func (t *translator) file(s *connectors.Schema) (text, full string, err error) {
	if s.Type != connectors.TypeStruct {
		return "", "", dataError("a %s cannot be written in Protobuf, only a struct", s.Type)
	}
	name, pkg := s.Name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		parts := strings.Split(name[:i], ".")
		for n := range parts {
			if parts[n], err = t.options.name(parts[n]); err != nil {
				return "", "", err
			}
		}
		pkg, name = strings.Join(parts, "."), name[i+1:]
	}
	if name, err = t.messageName(name); err != nil {
		return "", "", err
	}
	body, err := t.message(nil, s, name, "", 0)
	if err != nil {
		return "", "", err
	}
	b := []byte("syntax = \"proto3\";\n")
	full = name
	if pkg != "" {
		b = append(b, "package "+pkg+";\n"...)
		full = pkg + "." + name
	}
	b = append(b, '\n')
	slices.Sort(t.imports)
	for _, path := range slices.Compact(t.imports) {
		b = append(b, "import \""+path+"\";\n"...)
	}
	if len(t.imports) > 0 {
		b = append(b, '\n')
	}
	return string(append(b, body...)), full, nil
}

func (t *translator) messageName(name string) (string, error) {
	if name == "" {
		t.unnamed++
		return defaultName + strconv.Itoa(t.unnamed), nil
	}
	return t.options.name(name[strings.LastIndexByte(name, '.')+1:])
}

// A scope is the message being written: what is nested in it, and the numbers that are taken.
type scope struct {
	nested []nestedMessage
	text   []byte // the nested definitions
	taken  map[int]bool
	next   int
}

type nestedMessage struct {
	name   string
	schema *connectors.Schema
}

// number returns the number of a field.
func (s *scope) number(f connectors.Field) (int, error) {
	if text := f.Schema.Parameters[tagParameter]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1<<29-1 {
			return 0, dataError("field %s: parameter %s must be a field number, got %q", f.Name, tagParameter, text)
		}
		return n, nil
	}
	for s.next++; s.taken[s.next]; s.next++ {
		continue
	}
	return s.next, nil
}

func (t *translator) message(b []byte, s *connectors.Schema, name, indent string, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, dataError("schema is nested more than %d deep", maxDepth)
	}
	sc := &scope{taken: make(map[int]bool)}
	for _, f := range flatFields(s) {
		if n, err := strconv.Atoi(f.Schema.Parameters[tagParameter]); err == nil {
			sc.taken[n] = true
		}
	}
	b = append(b, indent+"message "+name+" {\n"...)
	inner := indent + "  "
	for _, f := range s.Fields {
		oneof, isOneof := strings.CutPrefix(f.Schema.Name, unionPrefix)
		var err error
		if !isOneof || f.Schema.Type != connectors.TypeStruct {
			if b, err = t.field(b, sc, f, inner, true, depth); err != nil {
				return nil, err
			}
			continue
		}
		if oneof, err = t.options.name(oneof); err != nil {
			return nil, err
		}
		b = append(b, inner+"oneof "+oneof+" {\n"...)
		for _, branch := range f.Schema.Fields {
			if b, err = t.field(b, sc, branch, inner+"  ", false, depth); err != nil {
				return nil, err
			}
		}
		b = append(b, inner+"}\n"...)
	}
	b = append(b, sc.text...)
	return append(b, indent+"}\n"...), nil
}

// flatFields returns the fields with those of oneofs in place of their structs.
func flatFields(s *connectors.Schema) []connectors.Field {
	var list []connectors.Field
	for _, f := range s.Fields {
		if f.Schema.Type == connectors.TypeStruct && strings.HasPrefix(f.Schema.Name, unionPrefix) {
			list = append(list, f.Schema.Fields...)
			continue
		}
		list = append(list, f)
	}
	return list
}

func (t *translator) field(b []byte, sc *scope, f connectors.Field, indent string, label bool, depth int) ([]byte, error) {
	name, err := t.options.name(f.Name)
	if err != nil {
		return nil, err
	}
	number, err := sc.number(f)
	if err != nil {
		return nil, err
	}
	s, prefix := f.Schema, ""
	if s.Type == connectors.TypeArray && s.Value != nil {
		s, prefix = s.Value, "repeated "
	}
	kind, scalar, err := t.kind(sc, s, name, indent, depth)
	if err != nil {
		return nil, &connectors.DataError{Msg: "field " + f.Name, Cause: err}
	}
	if strings.HasPrefix(kind, "repeated ") && prefix != "" {
		return nil, dataError("field %s: an array of maps has no Protobuf schema", f.Name)
	}
	if scalar && prefix == "" && label && f.Schema.Optional {
		switch {
		case t.options.wrapper && wrappers[kind] != "":
			kind = wrappers[kind]
			t.imports = append(t.imports, "google/protobuf/wrappers.proto")
		case t.options.optional:
			prefix = "optional "
		}
	}
	b = append(b, indent+prefix+kind+" "+name+" = "+strconv.Itoa(number)...)
	if meta := fieldMeta(s); meta != "" {
		t.imports = append(t.imports, "confluent/meta.proto")
		b = append(b, " [(confluent.field_meta) = { params: [{ "+meta+" }] }]"...)
	}
	return append(b, ";\n"...), nil
}

var wrappers = map[string]string{
	"int32": "google.protobuf.Int32Value", "int64": "google.protobuf.Int64Value", "float": "google.protobuf.FloatValue",
	"double": "google.protobuf.DoubleValue", "bool": "google.protobuf.BoolValue", "string": "google.protobuf.StringValue",
	"bytes": "google.protobuf.BytesValue",
}

// fieldMeta is what Protobuf has no word for.
func fieldMeta(s *connectors.Schema) string {
	entry := func(key, value string) string {
		return "key: " + strconv.Quote(key) + ", value: " + strconv.Quote(value)
	}
	switch {
	case s.Type == connectors.TypeInt8:
		return entry(typeParameter, "int8")
	case s.Type == connectors.TypeInt16:
		return entry(typeParameter, "int16")
	case s.Name == connectors.DecimalName && s.Parameters["scale"] != "":
		return entry("scale", s.Parameters["scale"])
	}
	return ""
}

// kind returns the type of a field; scalar is false for messages and maps.
func (t *translator) kind(sc *scope, s *connectors.Schema, field, indent string, depth int) (kind string, scalar bool, err error) {
	if s == nil {
		return "", false, dataError("elements of no common type have no Protobuf schema")
	}
	use := func(path, name string) (string, bool, error) {
		t.imports = append(t.imports, path)
		return name, false, nil
	}
	switch s.Name {
	case connectors.DecimalName:
		return use("confluent/type/decimal.proto", "confluent.type.Decimal")
	case connectors.DateName:
		return use("google/type/date.proto", "google.type.Date")
	case connectors.TimeName:
		return use("google/type/timeofday.proto", "google.type.TimeOfDay")
	case connectors.TimestampName:
		return use("google/protobuf/timestamp.proto", "google.protobuf.Timestamp")
	}
	switch s.Type {
	case connectors.TypeInt8, connectors.TypeInt16, connectors.TypeInt32:
		return "int32", true, nil
	case connectors.TypeInt64:
		return "int64", true, nil
	case connectors.TypeFloat32:
		return "float", true, nil
	case connectors.TypeFloat64:
		return "double", true, nil
	case connectors.TypeBoolean:
		return "bool", true, nil
	case connectors.TypeString:
		return "string", true, nil
	case connectors.TypeBytes:
		return "bytes", true, nil
	case connectors.TypeStruct:
		name, err := t.nest(sc, s, s.Name, indent, depth)
		return name, false, err
	case connectors.TypeMap:
		return t.mapKind(sc, s, field, indent, depth)
	}
	return "", false, dataError("%s directly in an array or map has no Protobuf schema", s)
}

func (t *translator) mapKind(sc *scope, s *connectors.Schema, field, indent string, depth int) (string, bool, error) {
	if s.Key == nil || s.Value == nil {
		return "", false, dataError("elements of no common type have no Protobuf schema")
	}
	switch s.Key.Type {
	case connectors.TypeString, connectors.TypeBoolean, connectors.TypeInt32, connectors.TypeInt64:
		if s.Key.Name != "" || s.Value.Type == connectors.TypeMap {
			break
		}
		key, _, err := t.kind(sc, s.Key, field, indent, depth)
		if err != nil {
			return "", false, err
		}
		value, _, err := t.kind(sc, s.Value, field, indent, depth)
		return "map<" + key + ", " + value + ">", false, err
	}
	entry := connectors.StructOf(connectors.Field{Name: "key", Schema: s.Key}, connectors.Field{Name: "value", Schema: s.Value})
	name, err := t.nest(sc, entry, entryName(field), indent, depth)
	return "repeated " + name, false, err
}

// entryName is the name of the messages that are the entries of a map field.
func entryName(field string) string {
	return strings.ToUpper(field[:1]) + field[1:] + "Entry"
}

// nest defines a message within the one being written, unless it is there already.
func (t *translator) nest(sc *scope, s *connectors.Schema, full, indent string, depth int) (string, error) {
	for _, n := range sc.nested {
		if sameMessage(n.schema, s) {
			return n.name, nil
		}
	}
	name, err := t.messageName(full)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(sc.nested, func(n nestedMessage) bool { return n.name == name }) {
		return "", dataError("two different schemas are called %s", name)
	}
	sc.nested = append(sc.nested, nestedMessage{name, s})
	sc.text, err = t.message(sc.text, s, name, indent, depth+1)
	return name, err
}

// sameMessage compares struct schemas without what belongs to the place where they are used.
func sameMessage(a, b *connectors.Schema) bool {
	return a == b || a.Name == b.Name && sameFields(a, b)
}
