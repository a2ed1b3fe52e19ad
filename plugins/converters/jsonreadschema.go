package converters

import (
	"bytes"
	"fmt"
	"slices"

	"millrace/connectors"
)

// configureSchema reads schema.content.
func (c *JSON) configureSchema(content string) error {
	c.fixed = nil
	if content == "" || !c.schemas {
		return nil
	}
	s := scanner{data: []byte(content)}
	raw, err := s.skip(0)
	if err != nil {
		return &dataError{Msg: "Failed to parse schema in converter config due to serialization error", Cause: err}
	}
	c.fixed, err = c.readSchema(raw)
	return err
}

// readSchema returns the schema that raw, JSON of which the syntax is known to be right, describes. nil is none.
func (c *JSON) readSchema(raw []byte) (*connectors.Schema, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	if s, ok := c.read.get(string(raw)); ok {
		return s, nil
	}
	// A copy, since the schema outlives the record and its texts share memory with what they are read from.
	s, err := buildSchema(bytes.Clone(raw), 1)
	if err == nil {
		c.read.put(string(raw), s)
	}
	return s, err
}

// A node is JSON of which the syntax is right.
type node []byte

func (n node) kind() kind {
	if n == nil {
		return kindMissing
	}
	s := scanner{data: n}
	k, err := s.kind()
	if err != nil {
		return kindMissing
	}
	return k
}

// text returns a string; false if it is none.
func (n node) text() (string, bool) {
	if n.kind() != kindString {
		return "", false
	}
	s := scanner{data: n}
	text, err := s.text()
	return text, err == nil
}

func (n node) members() map[string]node {
	members := make(map[string]node)
	if n.kind() == kindObject {
		s := scanner{data: n}
		err := s.members(0, func(name string) error {
			value, err := s.skip(1)
			members[name] = value
			return err
		})
		if err != nil { // cannot be: the syntax was checked
			return nil
		}
	}
	return members
}

func (n node) elements() []node {
	var elements []node
	s := scanner{data: n}
	err := s.elements(0, func() error {
		element, err := s.skip(1)
		elements = append(elements, element)
		return err
	})
	if err != nil { // cannot be: the syntax was checked
		return nil
	}
	return elements
}

var namedTypes = func() map[string]connectors.Type {
	types := make(map[string]connectors.Type)
	for t, name := range typeNames {
		types[name] = t
	}
	return types
}()

func buildSchema(raw node, depth int) (*connectors.Schema, error) {
	if raw.kind() == kindNull {
		return nil, nil
	}
	members := raw.members()
	name, ok := members["type"].text()
	if !ok {
		return nil, &dataError{Msg: "Schema must contain 'type' field"}
	}
	t, ok := namedTypes[name]
	if !ok {
		return nil, &dataError{Msg: "Unknown schema type: " + name}
	}
	s := &connectors.Schema{Type: t}
	if err := buildParts(s, members, depth); err != nil {
		return nil, err
	}
	s.Optional = string(members["optional"]) == "true"
	s.Name, _ = members["name"].text()
	s.Doc, _ = members["doc"].text()
	if v := members["version"]; v.kind() == kindNumber {
		sc := scanner{data: v}
		text, whole, err := sc.number()
		if err == nil && whole {
			n := int32(wrapped(text, true))
			s.Version = &n
		}
	}
	if err := buildParameters(s, members["parameters"]); err != nil {
		return nil, err
	}
	return s, buildDefault(s, members["default"], depth)
}

// buildParts sets the schemas of elements, keys, values and fields.
func buildParts(s *connectors.Schema, members map[string]node, depth int) (err error) {
	switch s.Type {
	case connectors.TypeArray:
		items := members["items"]
		if items == nil || items.kind() == kindNull {
			return &dataError{Msg: "Array schema did not specify the element type"}
		}
		s.Value, err = buildSchema(items, depth+1)
	case connectors.TypeMap:
		if members["keys"] == nil {
			return &dataError{Msg: "Map schema did not specify the key type"}
		}
		if members["values"] == nil {
			return &dataError{Msg: "Map schema did not specify the value type"}
		}
		if s.Key, err = buildSchema(members["keys"], depth+1); err != nil {
			return err
		}
		if s.Key == nil {
			return &dataError{Msg: "keySchema cannot be null."}
		}
		if s.Value, err = buildSchema(members["values"], depth+1); err == nil && s.Value == nil {
			err = &dataError{Msg: "valueSchema cannot be null."}
		}
	case connectors.TypeStruct:
		err = buildFields(s, members["fields"], depth)
	}
	return err
}

func buildFields(s *connectors.Schema, fields node, depth int) error {
	if fields.kind() != kindArray {
		return &dataError{Msg: `Struct schema's "fields" argument is not an array.`}
	}
	seen := make(map[string]bool)
	for _, f := range fields.elements() {
		name, ok := f.members()["field"].text()
		if !ok {
			return &dataError{Msg: "Struct schema's field name not specified properly"}
		}
		schema, err := buildSchema(f, depth+1)
		if err != nil {
			return err
		}
		if name == "" {
			return &dataError{Msg: "fieldName cannot be null."}
		}
		if seen[name] {
			return &dataError{Msg: "Cannot create field because of field name duplication " + name}
		}
		seen[name] = true
		s.Fields = append(s.Fields, connectors.Field{Name: name, Schema: schema})
	}
	s.Fields = slices.Clip(s.Fields)
	return nil
}

func buildParameters(s *connectors.Schema, parameters node) error {
	for name, value := range parameters.members() {
		text, ok := value.text()
		if !ok {
			return &dataError{Msg: "Schema parameters must have string values."}
		}
		if s.Parameters == nil {
			s.Parameters = make(map[string]string)
		}
		s.Parameters[name] = text
	}
	return nil
}

func buildDefault(s *connectors.Schema, value node, depth int) error {
	if value == nil {
		return nil
	}
	r := reader{scanner: scanner{data: value}, replaceNull: true, structs: new(connectors.StructMaker)}
	v, err := r.value(s, depth)
	if err != nil {
		return err
	}
	if err := connectors.ValidateValue(s, v); err != nil {
		return &dataError{Msg: "Invalid default value", Cause: fmt.Errorf("%w", err)}
	}
	s.Default = v
	return nil
}
