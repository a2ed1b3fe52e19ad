package jsonschema

import (
	"strings"

	"millrace/connectors"
	"millrace/plugins/converters/schemaregistry"
)

// Plugins returns the descriptor of the converter.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{{
		Kind: connectors.KindConverter, Class: "io.confluent.connect.json.JsonSchemaConverter", Version: connectors.KafkaVersion,
		Config: definition, NewConverter: func() connectors.Converter { return New() },
	}}
}

// New returns a JsonSchemaConverter.
func New() connectors.Converter { return schemaregistry.New(new(format)) }

var definition = schemaregistry.Definition(
	connectors.ConfigKey{
		Name: "decimal.format", Type: connectors.ConfigString, Default: "BASE64", Importance: connectors.Low,
		Validator: connectors.CaseInsensitiveIn("BASE64", "NUMERIC"), Group: "JSON Schema", Order: 1, Width: connectors.WidthMedium,
		Doc: "How decimals are written: BASE64 of their bytes, or NUMERIC as a number. Both are read.",
	},
	connectors.ConfigKey{
		Name: "object.additional.properties", Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Medium,
		Group: "JSON Schema", Order: 2, Width: connectors.WidthMedium,
		Doc: "Let objects have more properties than the schema lists.",
	},
	connectors.ConfigKey{
		Name: "use.optional.for.nonrequired", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
		Group: "JSON Schema", Order: 3, Width: connectors.WidthMedium,
		Doc: "Treat properties that are not required as optional: such fields are left out when they are null, and may be missing when read.",
	},
	connectors.ConfigKey{
		Name: "ignore.default.for.nullables", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
		Group: "JSON Schema", Order: 4, Width: connectors.WidthMedium,
		Doc: "Keep the null of an optional field instead of taking its default.",
	},
	connectors.ConfigKey{
		Name: "json.fail.invalid.schema", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
		Group: "JSON Schema", Order: 5, Width: connectors.WidthMedium,
		Doc: "Not supported: keywords that only restrict values are not checked. Types, required properties and enums always are.",
	},
)

// options are the keys of the converter's own.
type options struct {
	numeric       bool
	additional    bool
	optional      bool
	ignoreDefault bool
}

// format is JSON Schema as the shared converter sees it.
type format struct{ options options }

func (*format) Name() string { return schemaregistry.JSON }

func (*format) Definition() *connectors.ConfigDef { return definition }

func (f *format) Configure(values connectors.Values) error {
	if values.Bool("json.fail.invalid.schema") {
		return &connectors.ConfigError{Msg: "json.fail.invalid.schema: true is not supported; leave it out or set false"}
	}
	f.options = options{
		numeric:    strings.EqualFold(values.String("decimal.format"), "NUMERIC"),
		additional: values.Bool("object.additional.properties"), optional: values.Bool("use.optional.for.nonrequired"),
		ignoreDefault: values.Bool("ignore.default.for.nullables"),
	}
	return nil
}

func (f *format) Translate(schema *connectors.Schema) (text, record string, err error) {
	b, err := translator{f.options}.schema(nil, schema, -1, 0)
	return string(b), schema.Name, err
}

// Writer takes no notice of the target: a text in JSON has the same members under any schema.
func (f *format) Writer(schema *connectors.Schema, _ schemaregistry.Source) (schemaregistry.Writer, error) {
	return f.options.writer(schema, 0)
}

func (f *format) Reader(source schemaregistry.Source, version func(string) (int32, error)) (schemaregistry.Reader, error) {
	b, root, err := newBuilder(f.options, source)
	if err != nil {
		return nil, err
	}
	r, err := b.reader(root, b.main, 0)
	if err != nil {
		return nil, err
	}
	if r.schema.Type == connectors.TypeStruct && r.schema.Version == nil && r.schema.Name != "" {
		n, err := version(r.schema.Name)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			r.schema.Version = &n
		}
	}
	return r, nil
}
