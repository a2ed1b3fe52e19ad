package protobuf

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/connectors"
)

// A builder makes readers, and with them Connect schemas, of messages.
type builder struct {
	options options
	open    map[protoreflect.FullName]bool // messages whose fields are being read
	nodes   int
}

// maxNodes bounds the size of a schema with every use of a message counted.
const maxNodes = 100_000

// message returns the reader of a message.
func (b *builder) message(m protoreflect.MessageDescriptor) (*messageReader, error) {
	if b.open[m.FullName()] {
		return nil, dataError("message %s contains itself; schemas of Connect cannot", m.FullName())
	}
	if b.nodes++; b.nodes > maxNodes || len(b.open) > maxDepth {
		return nil, dataError("message %s is nested more than %d deep or has more than %d parts", m.FullName(), maxDepth, maxNodes)
	}
	b.open[m.FullName()] = true
	defer delete(b.open, m.FullName())
	r := &messageReader{schema: &connectors.Schema{Type: connectors.TypeStruct, Name: b.options.schemaName(m)}, byNumber: make(map[protoreflect.FieldNumber]int)}
	add := func(name string, s *connectors.Schema, zero any) int {
		r.schema.Fields = append(r.schema.Fields, connectors.Field{Name: name, Schema: s})
		r.zeros = append(r.zeros, zero)
		return len(r.zeros) - 1
	}
	unions := make(map[protoreflect.FullName]int) // fields of the struct by oneof
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		f, err := b.field(fd)
		if err != nil {
			return nil, &connectors.DataError{Msg: "field " + string(fd.FullName()), Cause: err}
		}
		r.byNumber[fd.Number()] = len(r.fields)
		r.fields = append(r.fields, f)
		oneof := fd.ContainingOneof()
		if oneof == nil || oneof.IsSynthetic() {
			f.index = add(string(fd.Name()), f.schema, f.zero(fd))
			f.branch = -1
			continue
		}
		index, ok := unions[oneof.FullName()]
		if !ok {
			name := string(oneof.Name()) + "_" + strconv.Itoa(oneof.Index())
			if !b.options.unionIndex {
				name = string(oneof.Name())
			}
			index = add(name, &connectors.Schema{Type: connectors.TypeStruct, Name: unionPrefix + string(oneof.Name()), Optional: true}, nil)
			unions[oneof.FullName()] = index
		}
		union := r.schema.Fields[index].Schema
		f.index, f.branch = index, len(union.Fields)
		union.Fields = append(union.Fields, connectors.Field{Name: string(fd.Name()), Schema: f.schema})
	}
	return r, nil
}

func (o options) schemaName(d protoreflect.Descriptor) string {
	if o.enhanced {
		return string(d.FullName())
	}
	return string(d.Name())
}

// field returns the reader of a field, with the schema of the whole field.
func (b *builder) field(fd protoreflect.FieldDescriptor) (*fieldReader, error) {
	var f *fieldReader
	var err error
	switch entry := mapEntry(fd); {
	case entry != nil:
		f = &fieldReader{kind: fd.Kind(), isMap: true}
		if f.key, err = b.element(entry.Fields().ByNumber(1)); err != nil {
			return nil, err
		}
		if f.value, err = b.element(entry.Fields().ByNumber(2)); err != nil {
			return nil, err
		}
		f.schema = connectors.MapOf(f.key.schema, f.value.schema)
	case fd.IsList():
		if f, err = b.element(fd); err != nil {
			return nil, err
		}
		f.list = true
		f.schema = connectors.ArrayOf(f.schema.AsOptional(true))
	default:
		if f, err = b.element(fd); err != nil {
			return nil, err
		}
	}
	f.schema.Optional = fd.Cardinality() != protoreflect.Required && (!b.options.optional || fd.HasPresence())
	if f.schema.Parameters == nil {
		f.schema.Parameters = make(map[string]string, 1)
	}
	f.schema.Parameters[tagParameter] = strconv.Itoa(int(fd.Number()))
	return f, nil
}

// mapEntry returns the entry message of a map: of a map field, or of repeated messages that look as a translator writes maps.
func mapEntry(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	m := fd.Message()
	if fd.IsMap() {
		return m
	}
	if !fd.IsList() || m == nil || m.Fields().Len() != 2 || string(m.Name()) != entryName(string(fd.Name())) {
		return nil
	}
	key, value := m.Fields().ByNumber(1), m.Fields().ByNumber(2)
	if key == nil || value == nil || key.Name() != "key" || value.Name() != "value" {
		return nil
	}
	return m
}

// element returns the reader of one value of a field; its schema is new.
func (b *builder) element(fd protoreflect.FieldDescriptor) (*fieldReader, error) {
	f := &fieldReader{kind: fd.Kind()}
	switch f.kind {
	case protoreflect.BoolKind:
		f.schema = &connectors.Schema{Type: connectors.TypeBoolean}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		f.schema = &connectors.Schema{Type: connectors.TypeInt32}
		switch fieldParameters(fd)[typeParameter] {
		case "int8":
			f.schema.Type = connectors.TypeInt8
		case "int16":
			f.schema.Type = connectors.TypeInt16
		}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		f.schema = &connectors.Schema{Type: connectors.TypeInt64}
	case protoreflect.FloatKind:
		f.schema = &connectors.Schema{Type: connectors.TypeFloat32}
	case protoreflect.DoubleKind:
		f.schema = &connectors.Schema{Type: connectors.TypeFloat64}
	case protoreflect.StringKind:
		f.schema = &connectors.Schema{Type: connectors.TypeString}
	case protoreflect.BytesKind:
		f.schema = &connectors.Schema{Type: connectors.TypeBytes}
	case protoreflect.EnumKind:
		b.enum(f, fd.Enum())
	case protoreflect.MessageKind:
		return f, b.messageField(f, fd)
	default:
		return nil, dataError("a %s cannot be read", f.kind)
	}
	return f, nil
}

func (b *builder) enum(f *fieldReader, e protoreflect.EnumDescriptor) {
	f.schema = &connectors.Schema{Type: connectors.TypeString, Parameters: map[string]string{enumParameter: b.options.schemaName(e)}}
	f.symbols = make(map[protoreflect.EnumNumber]string, e.Values().Len())
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		f.schema.Parameters[enumParameter+"."+string(v.Name())] = strconv.Itoa(int(v.Number()))
		if _, ok := f.symbols[v.Number()]; !ok { // the first of those with one number
			f.symbols[v.Number()] = string(v.Name())
		}
	}
}

func (b *builder) messageField(f *fieldReader, fd protoreflect.FieldDescriptor) (err error) {
	name := string(fd.Message().FullName())
	copied := func(s *connectors.Schema) *connectors.Schema {
		c := *s
		return &c
	}
	switch name {
	case "google.protobuf.Timestamp":
		f.special, f.schema = specialTimestamp, copied(connectors.TimestampSchema)
	case "google.type.Date":
		f.special, f.schema = specialDate, copied(connectors.DateSchema)
	case "google.type.TimeOfDay":
		f.special, f.schema = specialTime, copied(connectors.TimeSchema)
	case "confluent.type.Decimal":
		scale := 0
		if text := fieldParameters(fd)["scale"]; text != "" {
			if scale, err = strconv.Atoi(text); err != nil || scale != int(int32(scale)) {
				return dataError("the scale of a decimal must be a number, got %q", text)
			}
		}
		f.special, f.schema = specialDecimal, connectors.DecimalSchema(int32(scale))
	default:
		if b.options.rawWrappers && strings.HasPrefix(name, "google.protobuf.") && strings.HasSuffix(name, "Value") &&
			fd.Message().Fields().Len() == 1 && fd.Message().Fields().Get(0).Kind() != protoreflect.MessageKind {
			f.special = specialWrapper
			if f.value, err = b.element(fd.Message().Fields().Get(0)); err == nil {
				f.schema = f.value.schema
			}
			return err
		}
		if f.message, err = b.message(fd.Message()); err == nil {
			f.schema = f.message.schema
		}
	}
	return err
}

// fieldParameters returns the parameters that the option confluent.field_meta holds.
func fieldParameters(fd protoreflect.FieldDescriptor) map[string]string {
	parameters := make(map[string]string)
	fd.Options().ProtoReflect().Range(func(option protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if option.FullName() != "confluent.field_meta" || option.Kind() != protoreflect.MessageKind {
			return true
		}
		list := option.Message().Fields().ByName("params")
		if list == nil || !list.IsMap() || list.MapValue().Kind() != protoreflect.StringKind {
			return true
		}
		value.Message().Get(list).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			parameters[k.String()] = v.String()
			return true
		})
		return false
	})
	return parameters
}
