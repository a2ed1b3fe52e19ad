package jsonschema

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"millrace/connectors"
	"millrace/plugins/converters/schemaregistry"
)

// maxNodes bounds the size of a schema with every use of a definition counted.
const maxNodes = 100_000

func schemaError(format string, args ...any) error {
	err := dataError(format, args...)
	return &connectors.DataError{Msg: "unusable JSON Schema", Cause: err}
}

// A document is one JSON text that references may lead into.
type document struct {
	root any
	name string
}

// A builder makes readers, and with them Connect schemas, of JSON Schemas.
type builder struct {
	options   options
	main      *document
	documents map[string]*document // the others, by name
	open      map[string]bool      // references being followed
	nodes     int
}

func newBuilder(o options, source schemaregistry.Source) (*builder, any, error) {
	b := &builder{options: o, documents: make(map[string]*document), open: make(map[string]bool)}
	root, err := parse(source.Text)
	if err != nil {
		return nil, nil, err
	}
	b.main = &document{root: root}
	for _, r := range source.References {
		other, err := parse(r.Text)
		if err != nil {
			return nil, nil, &connectors.DataError{Msg: "referenced schema " + r.Name, Cause: err}
		}
		b.documents[r.Name] = &document{other, r.Name}
	}
	return b, root, nil
}

func parse(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, schemaError("the text is no JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, schemaError("there is text behind the schema")
	}
	return value, nil
}

// reader returns the reader of a schema within a document.
func (b *builder) reader(value any, in *document, depth int) (*reader, error) {
	if b.nodes++; depth > maxDepth || b.nodes > maxNodes {
		return nil, schemaError("it is nested more than %d deep or has more than %d parts", maxDepth, maxNodes)
	}
	o, ok := value.(map[string]any)
	if !ok {
		return nil, schemaError("a schema that is no object says no type")
	}
	if ref, ok := o["$ref"].(string); ok {
		return b.follow(ref, o, in, depth)
	}
	r, err := b.typed(o, in, depth)
	if err != nil {
		return nil, err
	}
	return r, b.describe(r, o)
}

func (b *builder) follow(ref string, o map[string]any, in *document, depth int) (*reader, error) {
	key := in.name + " " + ref
	if b.open[key] {
		return nil, schemaError("%s contains itself; schemas of Connect cannot", ref)
	}
	name, pointer, _ := strings.Cut(ref, "#")
	if name != "" {
		other, ok := b.documents[name]
		if !ok {
			return nil, schemaError("$ref %s leads to no schema that this one refers to", ref)
		}
		in = other
	}
	target := in.root
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if part == "" {
			continue
		}
		if unescaped, err := url.PathUnescape(part); err == nil {
			part = unescaped
		}
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		members, _ := target.(map[string]any)
		var ok bool
		if target, ok = members[part]; !ok {
			return nil, schemaError("$ref %s leads nowhere", ref)
		}
	}
	b.open[key] = true
	defer delete(b.open, key)
	r, err := b.reader(target, in, depth+1)
	if err != nil {
		return nil, err
	}
	own := maps.Clone(o) // a title or description beside the $ref
	delete(own, "$ref")
	return r, b.describe(r, own)
}

// describe takes name, doc, version, parameters and default from the members.
func (b *builder) describe(r *reader, o map[string]any) error {
	s := r.schema
	if title, ok := o["title"].(string); ok && s.Name == "" {
		s.Name = title
	}
	if doc, ok := o["description"].(string); ok {
		s.Doc = doc
	}
	if v, ok := o[versionMember].(json.Number); ok {
		n, err := v.Int64()
		if err != nil || n != int64(int32(n)) {
			return schemaError("%s must be a number of 32 bits, got %s", versionMember, v)
		}
		version := int32(n)
		s.Version = &version
	}
	parameters, _ := o[parametersMember].(map[string]any)
	for name, value := range parameters {
		text, ok := value.(string)
		if !ok {
			return schemaError("%s must be texts; %s is not", parametersMember, name)
		}
		setParameter(s, name, text)
	}
	if err := r.logical(); err != nil {
		return err
	}
	if def, ok := o["default"]; ok && def != nil {
		text, err := json.Marshal(def)
		if err != nil {
			return schemaError("default: %v", err)
		}
		if s.Default, err = r.read(newScanner(text), 0); err != nil {
			return &connectors.DataError{Msg: "default of a JSON Schema", Cause: err}
		}
	}
	return nil
}

// logical makes r read the logical type that its schema's name says.
func (r *reader) logical() (err error) {
	s := r.schema
	switch {
	case s.Name == connectors.DecimalName && s.Type == connectors.TypeBytes:
		r.op = opDecimal
		r.scale, err = s.Scale()
	case s.Name == connectors.DateName && s.Type == connectors.TypeInt32:
		r.op = opDate
	case s.Name == connectors.TimeName && s.Type == connectors.TypeInt32:
		r.op = opTime
	case s.Name == connectors.TimestampName && s.Type == connectors.TypeInt64:
		r.op = opTimestamp
	}
	return err
}

func setParameter(s *connectors.Schema, name, value string) {
	if s.Parameters == nil {
		s.Parameters = make(map[string]string)
	}
	s.Parameters[name] = value
}

// typed returns the reader of a schema by its type, without what describe adds.
func (b *builder) typed(o map[string]any, in *document, depth int) (*reader, error) {
	for _, keyword := range []string{"oneOf", "anyOf"} {
		if list, ok := o[keyword].([]any); ok {
			return b.oneOf(list, in, depth)
		}
	}
	if list, ok := o["allOf"].([]any); ok {
		return b.allOf(o, list, in, depth)
	}
	switch kind := o["type"].(type) {
	case string:
		return b.kind(kind, o, in, depth)
	case []any:
		var list []any
		for _, k := range kind {
			branch := maps.Clone(o)
			branch["type"] = k
			for _, member := range []string{"title", "default", "description", parametersMember, versionMember} {
				if len(kind) > 2 || member == "default" {
					delete(branch, member)
				}
			}
			list = append(list, branch)
		}
		return b.oneOf(list, in, depth)
	}
	switch {
	case o["properties"] != nil:
		return b.kind("object", o, in, depth)
	case o["enum"] != nil || o["const"] != nil:
		return b.kind("string", o, in, depth)
	}
	return nil, schemaError("a schema has no type that Connect knows: type, oneOf, anyOf, allOf, enum or properties are needed")
}

func isNull(value any) bool {
	o, _ := value.(map[string]any)
	kind, _ := o["type"].(string)
	return kind == "null"
}

// oneOf returns the reader of a value that may be null, or of a struct with a field for each type of which one is set.
func (b *builder) oneOf(list []any, in *document, depth int) (*reader, error) {
	var branches []*reader
	null := false
	for _, value := range list {
		if isNull(value) {
			null = true
			continue
		}
		r, err := b.reader(value, in, depth+1)
		if err != nil {
			return nil, err
		}
		branches = append(branches, r)
	}
	switch len(branches) {
	case 0:
		return nil, schemaError("a oneOf has no other type than null")
	case 1:
		branches[0].schema.Optional = branches[0].schema.Optional || null
		return branches[0], nil
	}
	r := &reader{op: opOneOf, fields: branches, schema: &connectors.Schema{Type: connectors.TypeStruct, Name: oneOfName, Optional: null}}
	for i, branch := range branches {
		branch.schema.Optional = true
		r.schema.Fields = append(r.schema.Fields, connectors.Field{Name: oneOfField + strconv.Itoa(i), Schema: branch.schema})
	}
	return r, nil
}

// allOf merges the members of several schemas.
func (b *builder) allOf(o map[string]any, list []any, in *document, depth int) (*reader, error) {
	if len(list) == 1 && o["properties"] == nil {
		return b.reader(list[0], in, depth+1)
	}
	r := &reader{op: opStruct, index: make(map[string]int), schema: &connectors.Schema{Type: connectors.TypeStruct}}
	own := maps.Clone(o)
	delete(own, "allOf")
	if own["properties"] != nil {
		list = append([]any{own}, list...)
	}
	for _, value := range list {
		part, err := b.reader(value, in, depth+1)
		if err != nil {
			return nil, err
		}
		if part.op != opStruct {
			return nil, schemaError("allOf of other types than objects is not supported")
		}
		for i, f := range part.schema.Fields {
			if _, ok := r.index[f.Name]; !ok {
				r.addField(f.Name, part.fields[i])
			}
		}
		if r.schema.Name == "" {
			r.schema.Name = part.schema.Name
		}
	}
	return r, nil
}

func (r *reader) addField(name string, f *reader) {
	r.index[name] = len(r.fields)
	r.fields = append(r.fields, f)
	r.schema.Fields = append(r.schema.Fields, connectors.Field{Name: name, Schema: f.schema})
}

func (b *builder) kind(kind string, o map[string]any, in *document, depth int) (*reader, error) {
	connectType, _ := o[typeMember].(string)
	switch kind {
	case "boolean":
		return &reader{op: opBoolean, schema: &connectors.Schema{Type: connectors.TypeBoolean}}, nil
	case "integer", "number":
		return number(kind, connectType), nil
	case "string":
		return text(o, connectType)
	case "array":
		return b.array(o, connectType, in, depth)
	case "object":
		return b.object(o, connectType, in, depth)
	}
	return nil, schemaError("type %q cannot stand alone", kind)
}

func number(kind, connectType string) *reader {
	switch connectType {
	case "int8":
		return &reader{op: opInt8, schema: &connectors.Schema{Type: connectors.TypeInt8}}
	case "int16":
		return &reader{op: opInt16, schema: &connectors.Schema{Type: connectors.TypeInt16}}
	case "int32":
		return &reader{op: opInt32, schema: &connectors.Schema{Type: connectors.TypeInt32}}
	case "int64":
		return &reader{op: opInt64, schema: &connectors.Schema{Type: connectors.TypeInt64}}
	case "float32":
		return &reader{op: opFloat32, schema: &connectors.Schema{Type: connectors.TypeFloat32}}
	case "bytes": // a decimal as a number
		return &reader{op: opBytes, schema: &connectors.Schema{Type: connectors.TypeBytes}}
	}
	if kind == "integer" {
		return &reader{op: opInt64, schema: &connectors.Schema{Type: connectors.TypeInt64}}
	}
	return &reader{op: opFloat64, schema: &connectors.Schema{Type: connectors.TypeFloat64}}
}

func text(o map[string]any, connectType string) (*reader, error) {
	if connectType == "bytes" {
		return &reader{op: opBytes, schema: &connectors.Schema{Type: connectors.TypeBytes}}, nil
	}
	r := &reader{op: opString, schema: &connectors.Schema{Type: connectors.TypeString}}
	list, _ := o["enum"].([]any)
	if constant, ok := o["const"]; ok {
		list = []any{constant}
	}
	if list == nil {
		return r, nil
	}
	setParameter(r.schema, enumParameter, "")
	r.symbols = make(map[string]bool, len(list))
	for _, item := range list {
		symbol, ok := item.(string)
		if !ok {
			return nil, schemaError("an enum has symbols that are no texts")
		}
		setParameter(r.schema, enumParameter+"."+symbol, symbol)
		r.symbols[symbol] = true
	}
	return r, nil
}

func (b *builder) array(o map[string]any, connectType string, in *document, depth int) (*reader, error) {
	items, ok := o["items"]
	if !ok {
		return nil, schemaError("an array says nothing of its items")
	}
	e, err := b.reader(items, in, depth+1)
	if err != nil {
		return nil, err
	}
	if connectType != "map" {
		return &reader{op: opArray, items: e, schema: connectors.ArrayOf(e.schema)}, nil
	}
	key, hasKey := e.index[keyField]
	value, hasValue := e.index[valueField]
	if !hasKey || !hasValue {
		return nil, schemaError("the entries of a map must have key and value")
	}
	r := &reader{op: opEntries, key: e.fields[key], items: e.fields[value]}
	r.schema = connectors.MapOf(r.key.schema, r.items.schema)
	return r, nil
}

func (b *builder) object(o map[string]any, connectType string, in *document, depth int) (*reader, error) {
	properties, _ := o["properties"].(map[string]any)
	if values, ok := o["additionalProperties"].(map[string]any); ok && (connectType == "map" || len(properties) == 0) {
		items, err := b.reader(values, in, depth+1)
		if err != nil {
			return nil, err
		}
		return &reader{op: opMap, items: items, schema: connectors.MapOf(connectors.StringSchema, items.schema)}, nil
	}
	required := make(map[string]bool)
	list, _ := o["required"].([]any)
	for _, item := range list {
		if name, ok := item.(string); ok {
			required[name] = true
		}
	}
	names := slices.Sorted(maps.Keys(properties))
	slices.SortStableFunc(names, func(x, y string) int { return place(properties[x]) - place(properties[y]) })
	r := &reader{op: opStruct, index: make(map[string]int, len(names)), schema: &connectors.Schema{Type: connectors.TypeStruct}}
	for _, name := range names {
		f, err := b.reader(properties[name], in, depth+1)
		if err != nil {
			return nil, err
		}
		if b.options.optional && !required[name] {
			f.schema.Optional = true
		}
		r.addField(name, f)
	}
	return r, nil
}

// place is the place of a property among the fields; those that have none come last.
func place(property any) int {
	o, _ := property.(map[string]any)
	if n, ok := o[indexMember].(json.Number); ok {
		if i, err := strconv.ParseInt(n.String(), 10, 31); err == nil && i >= 0 {
			return int(i)
		}
	}
	return math.MaxInt32
}
