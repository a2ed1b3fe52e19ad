package converters

import (
	"strings"

	"millrace/connectors"
)

var jsonConfig = connectors.NewConfigDef(
	typeKey,
	connectors.ConfigKey{
		Name: "schemas.enable", Type: connectors.ConfigBoolean, Default: true, Importance: connectors.High,
		Group: "Schemas", Order: 0, Width: connectors.WidthMedium, DisplayName: "Enable Schemas",
		Doc: "Write each value in an envelope with its schema, and expect such envelopes when reading.",
	},
	connectors.ConfigKey{
		Name: "schemas.cache.size", Type: connectors.ConfigInt, Default: 1000, Importance: connectors.High,
		Group: "Schemas", Order: 1, Width: connectors.WidthMedium, DisplayName: "Schema Cache Size",
		Doc: "How many schemas are kept in translated form.",
	},
	connectors.ConfigKey{
		Name: "schema.content", Type: connectors.ConfigString, Importance: connectors.High,
		Group: "Schemas", Order: 2, Width: connectors.WidthMedium, DisplayName: "Schema Content",
		Doc: "A schema in JSON for all values that are read: they then come without an envelope. " +
			"Only with schemas.enable=true.",
	},
	connectors.ConfigKey{
		Name: "decimal.format", Type: connectors.ConfigString, Default: "BASE64", Importance: connectors.Low,
		Validator: connectors.CaseInsensitiveIn("BASE64", "NUMERIC"),
		Group:     "Serialization", Order: 0, Width: connectors.WidthMedium, DisplayName: "Decimal Format",
		Doc: "How decimals are written: BASE64 of their bytes, or NUMERIC as a number. Both are read.",
	},
	connectors.ConfigKey{
		Name: "replace.null.with.default", Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Low,
		Group: "Serialization", Order: 1, Width: connectors.WidthMedium, DisplayName: "Replace null with default",
		Doc: "Take the default of a field that has one for a null, when writing and when reading.",
	},
)

// JSON is the JsonConverter.
type JSON struct {
	schemas        bool
	numeric        bool
	replaceNull    bool
	arena          arena
	structs        connectors.StructMaker
	prefixes       *cache[*connectors.Schema, []byte]
	read           *cache[string, *connectors.Schema]
	fixed          *connectors.Schema // schema.content
	lastSchema     *connectors.Schema // written last, with its prefix
	lastPrefix     []byte
	lastRead       []byte // all before the payload of the envelope read last, with its schema
	lastReadSchema *connectors.Schema
}

var _ connectors.Converter = (*JSON)(nil)

// Configure is part of connectors.Converter.
func (c *JSON) Configure(config map[string]string, _ bool) error {
	values, err := parse(jsonConfig, config)
	if err != nil {
		return err
	}
	c.schemas = values.Bool("schemas.enable")
	c.numeric = strings.EqualFold(values.String("decimal.format"), "NUMERIC")
	c.replaceNull = values.Bool("replace.null.with.default")
	size := int(values.Int("schemas.cache.size"))
	c.prefixes = newCache[*connectors.Schema, []byte](size)
	c.read = newCache[string, *connectors.Schema](size)
	return c.configureSchema(values.String("schema.content"))
}

// FromConnect is part of connectors.Converter.
func (c *JSON) FromConnect(_ string, _ connectors.Headers, schema *connectors.Schema, value any) ([]byte, error) {
	if schema == nil && value == nil {
		return nil, nil
	}
	b := c.arena.begin()
	if c.schemas {
		prefix, err := c.prefix(schema)
		if err != nil {
			return nil, err
		}
		b = append(b, prefix...)
	}
	b, err := c.appendValue(b, schema, value)
	if err != nil {
		return nil, err
	}
	if c.schemas {
		b = append(b, '}')
	}
	return c.arena.end(b), nil
}

// Close is part of connectors.Converter.
func (c *JSON) Close() error { return nil }
