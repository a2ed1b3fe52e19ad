package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"millrace/connectors"
)

// A kind is a type of Avro.
type kind string

const (
	kindNull    kind = "null"
	kindBoolean kind = "boolean"
	kindInt     kind = "int"
	kindLong    kind = "long"
	kindFloat   kind = "float"
	kindDouble  kind = "double"
	kindBytes   kind = "bytes"
	kindString  kind = "string"
	kindRecord  kind = "record"
	kindEnum    kind = "enum"
	kindArray   kind = "array"
	kindMap     kind = "map"
	kindUnion   kind = "union"
	kindFixed   kind = "fixed"
)

var primitiveKinds = []kind{kindNull, kindBoolean, kindInt, kindLong, kindFloat, kindDouble, kindBytes, kindString}

const (
	// maxDepth bounds how deep schemas nest.
	maxDepth = 100
	// maxNodes bounds the size of a schema with every use of a name counted: names used twice at each of many levels would
	// make it grow without end.
	maxNodes = 100_000
)

// A node is an Avro schema. Named schemas that are used several times are one node.
type node struct {
	kind     kind
	name     string // full name of a record, enum or fixed
	doc      string
	fields   []field
	symbols  []string
	items    *node // of an array; values of a map
	branches []*node
	size     int
	props    map[string]any // the other attributes, numbers as json.Number
	weight   int            // nodes with all below
}

type field struct {
	name       string
	doc        string
	node       *node
	hasDefault bool
	def        any
}

// text returns an attribute that is a string.
func (n *node) text(name string) string {
	s, _ := n.props[name].(string)
	return s
}

func (n *node) number(name string) (int32, bool) {
	number, ok := n.props[name].(json.Number)
	if !ok {
		return 0, false
	}
	v, err := number.Int64()
	return int32(v), err == nil && v == int64(int32(v))
}

// simple returns the name without its namespace.
func (n *node) simple() string { return n.name[strings.LastIndexByte(n.name, '.')+1:] }

type parser struct {
	named map[string]*node
	open  map[string]bool // records whose fields are being read
}

func newParser() *parser {
	return &parser{named: make(map[string]*node), open: make(map[string]bool)}
}

// parse reads one schema; it may use the names of those that the parser has read before.
func (p *parser) parse(text string) (*node, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, schemaError("the text is no JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, schemaError("there is text behind the schema")
	}
	return p.node(value, "", 0)
}

func schemaError(format string, args ...any) error {
	return &connectors.DataError{Msg: "invalid Avro schema: " + fmt.Sprintf(format, args...)}
}

func (p *parser) node(value any, namespace string, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, schemaError("it is nested more than %d deep", maxDepth)
	}
	var n *node
	var err error
	switch v := value.(type) {
	case string:
		return p.reference(v, namespace)
	case []any:
		n, err = p.union(v, namespace, depth)
	case map[string]any:
		n, err = p.object(v, namespace, depth)
	default:
		return nil, schemaError("a schema must be a name, an object or a list, got %s", short(value))
	}
	if err != nil {
		return nil, err
	}
	if n.weight == 0 {
		n.weight = 1
		for _, f := range n.fields {
			n.weight += f.node.weight
		}
		for _, b := range n.branches {
			n.weight += b.weight
		}
		if n.items != nil {
			n.weight += n.items.weight
		}
	}
	if n.weight > maxNodes {
		return nil, schemaError("it has more than %d parts", maxNodes)
	}
	return n, nil
}

func short(value any) string {
	var b bytes.Buffer
	if json.NewEncoder(&b).Encode(value) != nil {
		return "?"
	}
	text := strings.TrimSpace(b.String())
	const most = 60
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text
}

func (p *parser) reference(name, namespace string) (*node, error) {
	if slices.Contains(primitiveKinds, kind(name)) {
		return &node{kind: kind(name), weight: 1}, nil
	}
	full := name
	if !strings.Contains(name, ".") && namespace != "" {
		full = namespace + "." + name
	}
	if p.open[full] {
		return nil, schemaError("record %s contains itself; schemas of Connect cannot", full)
	}
	if n, ok := p.named[full]; ok {
		return n, nil
	}
	if n, ok := p.named[name]; ok {
		return n, nil
	}
	return nil, schemaError("%q is no type and no name defined before", name)
}

func (p *parser) union(list []any, namespace string, depth int) (*node, error) {
	n := &node{kind: kindUnion}
	for _, item := range list {
		b, err := p.node(item, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		if b.kind == kindUnion {
			return nil, schemaError("a union is directly in a union")
		}
		for _, other := range n.branches {
			if other.branchName() == b.branchName() {
				return nil, schemaError("%s is twice in a union", b.branchName())
			}
		}
		n.branches = append(n.branches, b)
	}
	if len(n.branches) == 0 {
		return nil, schemaError("a union is empty")
	}
	return n, nil
}

// branchName tells the branches of a union apart.
func (n *node) branchName() string {
	if n.name != "" {
		return n.name
	}
	return string(n.kind)
}

func (p *parser) object(o map[string]any, namespace string, depth int) (*node, error) {
	name, ok := o["type"].(string)
	if !ok {
		if o["type"] == nil {
			return nil, schemaError("%s has no type", short(o))
		}
		return p.node(o["type"], namespace, depth+1) // {"type": {...}}
	}
	n := &node{kind: kind(name), props: o}
	var err error
	switch n.kind {
	case kindRecord, "error", kindEnum, kindFixed:
		if n.kind == "error" {
			n.kind = kindRecord
		}
		return n, p.define(n, o, namespace, depth)
	case kindArray:
		n.items, err = p.node(o["items"], namespace, depth+1)
		return n, err
	case kindMap:
		n.items, err = p.node(o["values"], namespace, depth+1)
		return n, err
	}
	if slices.Contains(primitiveKinds, n.kind) {
		return n, nil
	}
	return p.reference(name, namespace)
}

func (p *parser) define(n *node, o map[string]any, namespace string, depth int) error {
	name, _ := o["name"].(string)
	if space, ok := o["namespace"].(string); ok {
		namespace = space
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		namespace, name = name[:i], name[i+1:]
	}
	if name == "" {
		return schemaError("a %s has no name", n.kind)
	}
	n.name = name
	if namespace != "" {
		n.name = namespace + "." + name
	}
	if p.named[n.name] != nil || p.open[n.name] {
		return schemaError("%s is defined twice", n.name)
	}
	n.doc = n.text("doc")
	var err error
	switch n.kind {
	case kindEnum:
		n.symbols, err = symbols(o, n.name)
	case kindFixed:
		size, ok := n.number("size")
		if n.size = int(size); !ok || size < 0 {
			err = schemaError("size of fixed %s must be a number from 0, got %s", n.name, short(o["size"]))
		}
	default:
		p.open[n.name] = true
		n.fields, err = p.fields(o, n.name, namespace, depth)
		delete(p.open, n.name)
	}
	p.named[n.name] = n
	return err
}

func symbols(o map[string]any, name string) ([]string, error) {
	list, ok := o["symbols"].([]any)
	if !ok {
		return nil, schemaError("enum %s has no list of symbols", name)
	}
	var texts []string
	for _, item := range list {
		s, ok := item.(string)
		if !ok || slices.Contains(texts, s) {
			return nil, schemaError("symbols of enum %s must be distinct texts", name)
		}
		texts = append(texts, s)
	}
	return texts, nil
}

func (p *parser) fields(o map[string]any, record, namespace string, depth int) ([]field, error) {
	list, ok := o["fields"].([]any)
	if !ok {
		return nil, schemaError("record %s has no list of fields", record)
	}
	fields := make([]field, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		f, _ := item.(map[string]any)
		name, _ := f["name"].(string)
		if name == "" || seen[name] {
			return nil, schemaError("fields of record %s must have distinct names", record)
		}
		seen[name] = true
		n, err := p.node(f["type"], namespace, depth+1)
		if err != nil {
			return nil, err
		}
		doc, _ := f["doc"].(string)
		def, has := f["default"]
		fields = append(fields, field{name: name, doc: doc, node: n, hasDefault: has, def: def})
	}
	return fields, nil
}
