package converters

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"millrace/connectors"
)

// prefix returns all of an envelope that comes before the payload.
func (c *JSON) prefix(schema *connectors.Schema) ([]byte, error) {
	if c.lastPrefix != nil && c.lastSchema == schema {
		return c.lastPrefix, nil
	}
	p, ok := c.prefixes.get(schema)
	if !ok {
		var err error
		if p, err = c.appendSchema([]byte(`{"schema":`), schema, nil); err != nil {
			return nil, err
		}
		p = append(p, `,"payload":`...)
		c.prefixes.put(schema, p)
	}
	c.lastSchema, c.lastPrefix = schema, p
	return p, nil
}

var typeNames = map[connectors.Type]string{
	connectors.TypeInt8: "int8", connectors.TypeInt16: "int16", connectors.TypeInt32: "int32", connectors.TypeInt64: "int64",
	connectors.TypeFloat32: "float", connectors.TypeFloat64: "double", connectors.TypeBoolean: "boolean",
	connectors.TypeString: "string", connectors.TypeBytes: "bytes", connectors.TypeArray: "array", connectors.TypeMap: "map",
	connectors.TypeStruct: "struct",
}

// appendSchema appends a schema in JSON; field is its name within a struct, nil elsewhere.
func (c *JSON) appendSchema(b []byte, s *connectors.Schema, field *string) ([]byte, error) {
	if s == nil {
		return append(b, "null"...), nil
	}
	name, ok := typeNames[s.Type]
	if !ok {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("Couldn't translate unsupported schema type %s.", s)}
	}
	b = append(b, `{"type":"`...)
	b = append(append(b, name...), '"')
	b, err := c.appendParts(b, s)
	if err != nil {
		return nil, err
	}
	b = strconv.AppendBool(append(b, `,"optional":`...), s.Optional)
	if s.Name != "" {
		b = appendString(append(b, `,"name":`...), s.Name)
	}
	if s.Version != nil {
		b = strconv.AppendInt(append(b, `,"version":`...), int64(*s.Version), 10)
	}
	if s.Doc != "" {
		b = appendString(append(b, `,"doc":`...), s.Doc)
	}
	if s.Parameters != nil {
		b = append(b, `,"parameters":{`...)
		for i, key := range slices.Sorted(maps.Keys(s.Parameters)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, key), ':')
			b = appendString(b, s.Parameters[key])
		}
		b = append(b, '}')
	}
	if s.Default != nil {
		if b, err = c.appendValue(append(b, `,"default":`...), s, s.Default); err != nil {
			return nil, err
		}
	}
	if field != nil {
		b = appendString(append(b, `,"field":`...), *field)
	}
	return append(b, '}'), nil
}

// appendParts appends the schemas of elements, keys, values and fields.
func (c *JSON) appendParts(b []byte, s *connectors.Schema) (_ []byte, err error) {
	switch s.Type {
	case connectors.TypeArray:
		return c.appendSchema(append(b, `,"items":`...), s.Value, nil)
	case connectors.TypeMap:
		if b, err = c.appendSchema(append(b, `,"keys":`...), s.Key, nil); err != nil {
			return nil, err
		}
		return c.appendSchema(append(b, `,"values":`...), s.Value, nil)
	case connectors.TypeStruct:
		b = append(b, `,"fields":[`...)
		for i, f := range s.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = c.appendSchema(b, f.Schema, &f.Name); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return b, nil
}
