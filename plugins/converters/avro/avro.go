package avro

import (
	"millrace/connectors"
	"millrace/plugins/converters/schemaregistry"
)

const class = "io.confluent.connect.avro.AvroConverter"

// Plugins returns the descriptor of the converter.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{{
		Kind: connectors.KindConverter, Class: class, Version: connectors.KafkaVersion, Config: definition,
		NewConverter: func() connectors.Converter { return New() },
	}}
}

// New returns an AvroConverter.
func New() connectors.Converter { return schemaregistry.New(new(format)) }

var definition = schemaregistry.Definition(
	connectors.ConfigKey{
		Name: "enhanced.avro.schema.support", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
		Group: "Avro", Order: 1, Width: connectors.WidthMedium,
		Doc: "Keep enums and the namespaces of the branches of unions.",
	},
	connectors.ConfigKey{
		Name: "connect.meta.data", Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Low,
		Group: "Avro", Order: 2, Width: connectors.WidthMedium,
		Doc: "Keep in the Avro schema what it has no words for: names, versions, docs, parameters and defaults, as attributes connect.*.",
	},
	connectors.ConfigKey{
		Name: "scrub.invalid.names", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
		Group: "Avro", Order: 3, Width: connectors.WidthMedium,
		Doc: "Replace characters that names cannot have in Avro. Otherwise such names are an error.",
	},
	connectors.ConfigKey{
		Name: "allow.optional.map.keys", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low,
		Group: "Avro", Order: 4, Width: connectors.WidthMedium,
		Doc: "Write maps whose keys are optional texts as Avro maps, not as arrays of entries.",
	},
	connectors.ConfigKey{
		Name: "ignore.default.for.nullables", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
		Group: "Avro", Order: 5, Width: connectors.WidthMedium,
		Doc: "Leave the defaults of optional fields out of the Avro schema, so that a null stays one.",
	},
	connectors.ConfigKey{
		Name: "flatten.singleton.unions", Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Low,
		Group: "Avro", Order: 6, Width: connectors.WidthMedium,
		Doc: "Read a union of one type as that type, not as a struct.",
	},
)

// options are the keys of the converter's own.
type options struct {
	enhanced      bool
	metaData      bool
	scrub         bool
	optionalKeys  bool
	ignoreDefault bool
	flatten       bool
}

// format is Avro as the shared converter sees it.
type format struct{ options options }

func (*format) Name() string { return schemaregistry.Avro }

func (*format) Definition() *connectors.ConfigDef { return definition }

func (f *format) Configure(values connectors.Values) error {
	f.options = options{
		enhanced: values.Bool("enhanced.avro.schema.support"), metaData: values.Bool("connect.meta.data"),
		scrub: values.Bool("scrub.invalid.names"), optionalKeys: values.Bool("allow.optional.map.keys"),
		ignoreDefault: values.Bool("ignore.default.for.nullables"), flatten: values.Bool("flatten.singleton.unions"),
	}
	return nil
}

func (f *format) Translate(schema *connectors.Schema) (text, record string, err error) {
	t := translator{options: f.options}
	b, err := t.schema(nil, schema, "", 0)
	if err != nil {
		return "", "", err
	}
	if named(f.options, schema) && len(t.defined) > 0 {
		record = t.defined[0].name
	}
	return string(b), record, nil
}

// parse reads a schema after those that it refers to.
func parse(source schemaregistry.Source) (*node, error) {
	p := newParser()
	for _, r := range source.References {
		if _, err := p.parse(r.Text); err != nil {
			return nil, &connectors.DataError{Msg: "referenced schema " + r.Name, Cause: err}
		}
	}
	return p.parse(source.Text)
}

func (f *format) Writer(schema *connectors.Schema, target schemaregistry.Source) (schemaregistry.Writer, error) {
	n, err := parse(target)
	if err != nil {
		return nil, err
	}
	w, err := compiler{options: f.options, strict: target.Strict}.writer(schema, n)
	if err != nil {
		return nil, err
	}
	return payloadWriter{w, w.op == opBytes}, nil
}

// payloadWriter is a writer of whole payloads: bytes alone are written as they are, without their length.
type payloadWriter struct {
	*writer
	raw bool
}

func (w payloadWriter) Append(b []byte, value any) ([]byte, error) {
	if data, ok := value.([]byte); ok && w.raw {
		return append(b, data...), nil
	}
	if d, ok := value.(connectors.Decimal); ok && w.raw && w.schema.Name == connectors.DecimalName {
		return append(b, d.Bytes()...), nil
	}
	return w.write(b, value)
}

func (f *format) Reader(source schemaregistry.Source, version func(string) (int32, error)) (schemaregistry.Reader, error) {
	root, err := parse(source)
	if err != nil {
		return nil, err
	}
	b := builder{options: f.options, root: root}
	if root.kind == kindRecord {
		if b.version, err = version(root.name); err != nil {
			return nil, err
		}
	}
	r, err := b.reader(root, use{})
	if err != nil {
		return nil, err
	}
	return payloadReader{r, r.op == opBytes}, nil
}

// payloadReader is a reader of whole payloads.
type payloadReader struct {
	*reader
	raw bool
}

func (r payloadReader) Read(payload []byte) (connectors.SchemaAndValue, error) {
	if r.raw {
		v, err := r.binary(payload)
		return connectors.SchemaAndValue{Schema: r.schema, Value: v}, err
	}
	d := decoder{data: payload, budget: len(payload) + slack}
	v, err := r.read(&d)
	if err != nil {
		return connectors.SchemaAndValue{}, err
	}
	if d.pos != len(payload) {
		return connectors.SchemaAndValue{}, dataError("%d bytes follow the Avro value", len(payload)-d.pos)
	}
	return connectors.SchemaAndValue{Schema: r.schema, Value: v}, nil
}
