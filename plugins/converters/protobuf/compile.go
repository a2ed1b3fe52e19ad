package protobuf

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/connectors"
)

// A compiler makes writers.
type compiler struct {
	options options
	// strict makes fields that the message does not have an error.
	strict bool
}

// message returns what writes structs of s as m.
func (c compiler) message(s *connectors.Schema, m protoreflect.MessageDescriptor, depth int) (*messageWriter, error) {
	if s.Type != connectors.TypeStruct {
		return nil, dataError("%s cannot be written as Protobuf message %s", s, m.FullName())
	}
	if depth > maxDepth {
		return nil, dataError("schema is nested more than %d deep", maxDepth)
	}
	w := &messageWriter{schema: s}
	add := func(f connectors.Field, index, branch int) error {
		name := f.Name
		if c.options.scrub {
			name = scrub(name)
		}
		fd := m.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			if c.strict {
				return dataError("Protobuf message %s has no field %s; latest.compatibility.strict=false leaves it out", m.FullName(), f.Name)
			}
			return nil
		}
		fw, err := c.field(f.Schema, fd, depth)
		if err != nil {
			return &connectors.DataError{Msg: "field " + f.Name, Cause: err}
		}
		fw.index, fw.branch = index, branch
		w.fields = append(w.fields, fw)
		return nil
	}
	for i, f := range s.Fields {
		if f.Schema.Type != connectors.TypeStruct || !strings.HasPrefix(f.Schema.Name, unionPrefix) {
			if err := add(f, i, -1); err != nil {
				return nil, err
			}
			continue
		}
		for branch, inner := range f.Schema.Fields {
			if err := add(inner, i, branch); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

func (c compiler) field(s *connectors.Schema, fd protoreflect.FieldDescriptor, depth int) (*fieldWriter, error) {
	entry := mapEntry(fd)
	switch {
	case s.Type == connectors.TypeMap && entry != nil && s.Key != nil && s.Value != nil:
		key, err := c.element(s.Key, entry.Fields().ByNumber(1), depth)
		if err != nil {
			return nil, err
		}
		value, err := c.element(s.Value, entry.Fields().ByNumber(2), depth)
		return &fieldWriter{schema: s, number: fd.Number(), isMap: true, key: key, value: value}, err
	case s.Type == connectors.TypeArray && fd.IsList() && s.Value != nil:
		f, err := c.element(s.Value, fd, depth)
		if err != nil {
			return nil, err
		}
		f.list, f.packed = true, fd.IsPacked()
		return f, nil
	case s.Type == connectors.TypeArray || s.Type == connectors.TypeMap || fd.Cardinality() == protoreflect.Repeated:
		return nil, mismatch(s, fd)
	}
	return c.element(s, fd, depth)
}

func mismatch(s *connectors.Schema, fd protoreflect.FieldDescriptor) error {
	return dataError("%s cannot be written as Protobuf %s %s", s, fd.Cardinality(), fd.Kind())
}

// element returns the writer of one value.
func (c compiler) element(s *connectors.Schema, fd protoreflect.FieldDescriptor, depth int) (*fieldWriter, error) {
	f := &fieldWriter{schema: s, branch: -1, number: fd.Number(), kind: fd.Kind(), presence: fd.HasPresence()}
	fits := false
	switch f.kind {
	case protoreflect.BoolKind:
		fits = s.Type == connectors.TypeBoolean
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		fits = s.Type == connectors.TypeInt8 || s.Type == connectors.TypeInt16 || s.Type == connectors.TypeInt32
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		fits = s.Type >= connectors.TypeInt8 && s.Type <= connectors.TypeInt64
	case protoreflect.FloatKind:
		fits = s.Type == connectors.TypeFloat32
	case protoreflect.DoubleKind:
		fits = s.Type == connectors.TypeFloat32 || s.Type == connectors.TypeFloat64
	case protoreflect.StringKind:
		fits = s.Type == connectors.TypeString
	case protoreflect.BytesKind:
		fits = s.Type == connectors.TypeBytes && s.Name != connectors.DecimalName
	case protoreflect.EnumKind:
		fits = s.Type == connectors.TypeString
		f.symbols = make(map[string]protoreflect.EnumNumber)
		for i := range fd.Enum().Values().Len() {
			v := fd.Enum().Values().Get(i)
			f.symbols[string(v.Name())] = v.Number()
		}
	case protoreflect.MessageKind:
		return f, c.messageField(f, s, fd, depth)
	}
	if !fits {
		return nil, mismatch(s, fd)
	}
	return f, nil
}

var specials = map[string]special{
	connectors.TimestampName + " google.protobuf.Timestamp": specialTimestamp,
	connectors.DateName + " google.type.Date":               specialDate,
	connectors.TimeName + " google.type.TimeOfDay":          specialTime,
	connectors.DecimalName + " confluent.type.Decimal":      specialDecimal,
}

func (c compiler) messageField(f *fieldWriter, s *connectors.Schema, fd protoreflect.FieldDescriptor, depth int) (err error) {
	m := fd.Message()
	if f.special = specials[s.Name+" "+string(m.FullName())]; f.special != 0 {
		return nil
	}
	if strings.HasPrefix(string(m.FullName()), "google.protobuf.") && strings.HasSuffix(string(m.Name()), "Value") && m.Fields().Len() == 1 {
		f.special = specialWrapper
		f.value, err = c.element(s, m.Fields().Get(0), depth+1)
		return err
	}
	f.message, err = c.message(s, m, depth+1)
	return err
}
