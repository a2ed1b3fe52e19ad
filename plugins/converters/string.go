package converters

import "millrace/connectors"

var stringConfig = connectors.NewConfigDef(typeKey, connectors.ConfigKey{
	Name: "converter.encoding", Type: connectors.ConfigString, Default: "UTF-8", Importance: connectors.High,
	Width: connectors.WidthMedium, DisplayName: "Encoding",
	Doc: "Character set of the bytes, by its name in Java or IANA's registry: UTF-8, UTF-16LE, ISO-8859-1, windows-1252.",
})

// String is the StringConverter: values as Java's toString has them, read back as strings.
type String struct {
	charset *charset // nil is UTF-8
	unknown string   // name of a character set that there is not
	arena   arena
}

var _ connectors.Converter = (*String)(nil)

// Configure is part of connectors.Converter. An unknown character set only shows at the first record, as in Kafka.
func (c *String) Configure(config map[string]string, _ bool) error {
	values, err := parse(stringConfig, config)
	if err != nil {
		return err
	}
	c.charset, c.unknown = nil, ""
	name := values.String("converter.encoding")
	set, ok := findCharset(name)
	if !ok {
		c.unknown = "Unsupported encoding " + name
	}
	c.charset = set
	return nil
}

// FromConnect is part of connectors.Converter. The bytes of a string are the string's own.
func (c *String) FromConnect(_ string, _ connectors.Headers, _ *connectors.Schema, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	if c.unknown != "" {
		return nil, &connectors.DataError{Msg: c.unknown}
	}
	if s, ok := value.(string); ok {
		if c.charset == nil {
			return stringBytes(s), nil
		}
		return c.charset.encode(s), nil
	}
	b := connectors.AppendText(c.arena.begin(), value)
	if c.charset != nil {
		return c.charset.encode(string(b)), nil
	}
	return c.arena.end(b), nil
}

// ToConnect is part of connectors.Converter.
func (c *String) ToConnect(_ string, _ connectors.Headers, data []byte) (connectors.SchemaAndValue, error) {
	v := connectors.SchemaAndValue{Schema: connectors.OptionalStringSchema}
	if data == nil {
		return v, nil
	}
	if c.unknown != "" {
		return v, &connectors.DataError{Msg: c.unknown}
	}
	if c.charset == nil {
		v.Value = utf8Text(data)
	} else {
		v.Value = c.charset.decode(data)
	}
	return v, nil
}

// Close is part of connectors.Converter.
func (c *String) Close() error { return nil }
