package protobuf

import (
	"encoding/binary"

	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/connectors"
	"millrace/plugins/converters/schemaregistry"
)

// Plugins returns the descriptor of the converter.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{{
		Kind: connectors.KindConverter, Class: "io.confluent.connect.protobuf.ProtobufConverter", Version: connectors.KafkaVersion,
		Config: definition, NewConverter: func() connectors.Converter { return New() },
	}}
}

// New returns a ProtobufConverter.
func New() connectors.Converter { return schemaregistry.New(new(format)) }

func flag(name string, def bool, order int, doc string) connectors.ConfigKey {
	return connectors.ConfigKey{
		Name: name, Type: connectors.ConfigBoolean, Default: def, Importance: connectors.Medium,
		Group: "Protobuf", Order: order, Width: connectors.WidthMedium, Doc: doc,
	}
}

var definition = schemaregistry.Definition(
	flag("enhanced.protobuf.schema.support", false, 1, "Keep the package in the names of schemas that are read."),
	flag("scrub.invalid.names", false, 2, "Replace characters that names cannot have in Protobuf. Otherwise such names are an error."),
	flag("optional.for.nullables", false, 3, "Mark optional fields with the label optional, so that null can be told from zero; without it only such fields are read as optional."),
	flag("wrapper.for.nullables", false, 4, "Write optional fields as messages google.protobuf.StringValue and the like."),
	flag("wrapper.for.raw.primitives", true, 5, "Read messages google.protobuf.StringValue and the like as their value, not as a struct."),
	flag("generate.index.for.unions", true, 6, "Put the number of a oneof behind its name, in the name of its field."),
)

// options are the keys of the converter's own.
type options struct {
	enhanced    bool
	scrub       bool
	optional    bool
	wrapper     bool
	rawWrappers bool
	unionIndex  bool
}

// format is Protobuf as the shared converter sees it.
type format struct{ options options }

func (*format) Name() string { return schemaregistry.Protobuf }

func (*format) Definition() *connectors.ConfigDef { return definition }

func (f *format) Configure(values connectors.Values) error {
	f.options = options{
		enhanced: values.Bool("enhanced.protobuf.schema.support"), scrub: values.Bool("scrub.invalid.names"),
		optional: values.Bool("optional.for.nullables"), wrapper: values.Bool("wrapper.for.nullables"),
		rawWrappers: values.Bool("wrapper.for.raw.primitives"), unionIndex: values.Bool("generate.index.for.unions"),
	}
	return nil
}

func (f *format) Translate(schema *connectors.Schema) (text, record string, err error) {
	return (&translator{options: f.options}).file(schema)
}

// Writer takes the first message of the target.
func (f *format) Writer(schema *connectors.Schema, target schemaregistry.Source) (schemaregistry.Writer, error) {
	file, err := compile(target)
	if err != nil {
		return nil, err
	}
	m, err := message(file, []int{0})
	if err != nil {
		return nil, err
	}
	w, err := compiler{options: f.options, strict: target.Strict}.message(schema, m, 0)
	if err != nil {
		return nil, err
	}
	return payloadWriter{w}, nil
}

type payloadWriter struct{ *messageWriter }

func (w payloadWriter) Append(b []byte, value any) ([]byte, error) {
	return w.write(append(b, 0), value) // 0 stands for the indexes of the first message
}

func (f *format) Reader(source schemaregistry.Source, version func(string) (int32, error)) (schemaregistry.Reader, error) {
	file, err := compile(source)
	if err != nil {
		return nil, err
	}
	r := &payloadReader{format: f, file: file, messages: schemaregistry.NewCache[string, *messageReader](maxMessages)}
	if first, err := message(file, []int{0}); err == nil {
		if r.version, err = version(string(first.FullName())); err != nil {
			return nil, err
		}
	}
	return r, nil
}

const (
	// maxMessages bounds how many messages of one file are kept compiled.
	maxMessages = 100
	maxIndexes  = 32
)

// payloadReader reads payloads of any message of a file.
type payloadReader struct {
	format   *format
	file     protoreflect.FileDescriptor
	version  int32
	first    *messageReader
	messages *schemaregistry.Cache[string, *messageReader] // by the bytes of the indexes
}

func (r *payloadReader) Read(payload []byte) (connectors.SchemaAndValue, error) {
	m, body, err := r.message(payload)
	if err != nil {
		return connectors.SchemaAndValue{}, err
	}
	st := m.start()
	if err := m.read(st, body, 0); err != nil {
		return connectors.SchemaAndValue{}, err
	}
	return connectors.SchemaAndValue{Schema: m.schema, Value: st}, nil
}

// message returns the reader of the message that the payload begins by naming, and the rest.
func (r *payloadReader) message(payload []byte) (m *messageReader, body []byte, err error) {
	if len(payload) > 0 && payload[0] == 0 {
		if r.first == nil {
			r.first, err = r.compile([]int{0})
		}
		return r.first, payload[1:], err
	}
	body = payload
	count, n := binary.Varint(body)
	if n <= 0 || count < 1 || count > maxIndexes {
		return nil, nil, dataError("Protobuf payload must begin with 1 to %d message indexes", maxIndexes)
	}
	body = body[n:]
	indexes := make([]int, 0, count)
	for range count {
		index, n := binary.Varint(body)
		if n <= 0 || index != int64(int32(index)) {
			return nil, nil, dataError("Protobuf payload ends in its message indexes")
		}
		indexes, body = append(indexes, int(index)), body[n:]
	}
	key := string(payload[:len(payload)-len(body)])
	m, ok := r.messages.Get(key)
	if !ok {
		if m, err = r.compile(indexes); err != nil {
			return nil, nil, err
		}
		r.messages.Put(key, m)
	}
	return m, body, nil
}

func (r *payloadReader) compile(indexes []int) (*messageReader, error) {
	descriptor, err := message(r.file, indexes)
	if err != nil {
		return nil, err
	}
	b := builder{options: r.format.options, open: make(map[protoreflect.FullName]bool)}
	m, err := b.message(descriptor)
	if err == nil && r.version > 0 {
		m.schema.Version = &r.version
	}
	return m, err
}
