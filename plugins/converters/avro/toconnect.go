package avro

import (
	"encoding/json"
	"strconv"

	"millrace/connectors"
)

// A builder makes readers, and with them Connect schemas, of Avro schemas.
type builder struct {
	options options
	version int32 // of the outermost record in the registry; 0 is none
	root    *node
}

// A use is how a schema is used where it stands.
type use struct {
	optional   bool
	hasDefault bool
	def        any // in JSON
	doc        string
}

// reader returns the reader of a schema where it is used.
func (b *builder) reader(n *node, u use) (*reader, error) {
	if n.kind == kindUnion {
		return b.union(n, u)
	}
	r, s, err := b.plain(n)
	if err != nil {
		return nil, err
	}
	s.Optional = u.optional
	s.Doc = u.doc
	if s.Doc == "" {
		s.Doc = n.doc
	}
	if err := b.describe(n, s); err != nil {
		return nil, err
	}
	r.schema = s
	if !u.hasDefault {
		u.def, u.hasDefault = n.props[defaultProp]
	}
	if u.hasDefault && u.def != nil {
		if s.Default, err = r.fromJSON(u.def, 0); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// describe takes name, doc, version and parameters from the attributes.
func (b *builder) describe(n *node, s *connectors.Schema) error {
	if s.Doc == "" {
		s.Doc = n.text(docProp)
	}
	if parameters, ok := n.props[parametersProp].(map[string]any); ok {
		for name, value := range parameters {
			text, ok := value.(string)
			if !ok {
				return schemaError("%s must be texts, got %s for %s", parametersProp, short(value), name)
			}
			setParameter(s, name, text)
		}
	}
	if v, ok := n.number(versionProp); ok {
		s.Version = &v
	} else if n == b.root && n.kind == kindRecord && b.version > 0 {
		s.Version = &b.version
	}
	name := n.text(nameProp)
	if name == "" && n.kind != kindEnum && !isDefaultName(n.name) {
		name = n.name
	}
	if n.kind == kindEnum && name == "" && b.options.enhanced {
		name = n.name
	}
	switch {
	case name == "" || s.Name == name:
	case s.Name != "":
		return schemaError("%s is %q, but the logical type is %s", nameProp, name, s.Name)
	default:
		s.Name = name
	}
	return nil
}

func setParameter(s *connectors.Schema, name, value string) {
	if s.Parameters == nil {
		s.Parameters = make(map[string]string)
	}
	s.Parameters[name] = value
}

// plain returns the reader of a schema that is no union, and a new Connect schema without what describe adds.
func (b *builder) plain(n *node) (*reader, *connectors.Schema, error) {
	logical := n.text("logicalType")
	switch n.kind {
	case kindBoolean:
		return &reader{op: opBoolean}, &connectors.Schema{Type: connectors.TypeBoolean}, nil
	case kindInt:
		return b.intReader(n, logical)
	case kindLong:
		if logical == "timestamp-millis" {
			return &reader{op: opTimestamp}, logicalSchema(connectors.TimestampSchema), nil
		}
		return &reader{op: opInt64}, &connectors.Schema{Type: connectors.TypeInt64}, nil
	case kindFloat:
		return &reader{op: opFloat32}, &connectors.Schema{Type: connectors.TypeFloat32}, nil
	case kindDouble:
		return &reader{op: opFloat64}, &connectors.Schema{Type: connectors.TypeFloat64}, nil
	case kindString:
		return &reader{op: opString}, &connectors.Schema{Type: connectors.TypeString}, nil
	case kindBytes, kindFixed:
		return b.bytesReader(n, logical)
	case kindEnum:
		s := &connectors.Schema{Type: connectors.TypeString}
		if b.options.metaData {
			setParameter(s, enumParameter, n.name)
			for _, symbol := range n.symbols {
				setParameter(s, enumParameter+"."+symbol, symbol)
			}
		}
		r := &reader{op: opEnum}
		for _, symbol := range n.symbols {
			r.symbols = append(r.symbols, symbol)
		}
		return r, s, nil
	case kindArray:
		if e := n.items; e.kind == kindRecord && len(e.fields) == 2 && e.fields[0].name == keyField && e.fields[1].name == valueField &&
			(e.name == mapEntryName || e.text(internalProp) == mapEntry) {
			return b.entries(n.items)
		}
		items, err := b.reader(n.items, use{})
		if err != nil {
			return nil, nil, err
		}
		return &reader{op: opArray, items: items}, connectors.ArrayOf(items.schema), nil
	case kindMap:
		values, err := b.reader(n.items, use{})
		if err != nil {
			return nil, nil, err
		}
		return &reader{op: opMap, items: values}, connectors.MapOf(connectors.StringSchema, values.schema), nil
	case kindRecord:
		return b.record(n)
	}
	return nil, nil, schemaError("type %s can only be in a union", n.kind)
}

// logicalSchema returns a copy that can be changed.
func logicalSchema(s *connectors.Schema) *connectors.Schema {
	c := *s
	return &c
}

func (b *builder) intReader(n *node, logical string) (*reader, *connectors.Schema, error) {
	switch n.text(typeProp) {
	case "int8":
		return &reader{op: opInt8}, &connectors.Schema{Type: connectors.TypeInt8}, nil
	case "int16":
		return &reader{op: opInt16}, &connectors.Schema{Type: connectors.TypeInt16}, nil
	}
	switch logical {
	case "date":
		return &reader{op: opDate}, logicalSchema(connectors.DateSchema), nil
	case "time-millis":
		return &reader{op: opTime}, logicalSchema(connectors.TimeSchema), nil
	}
	return &reader{op: opInt32}, &connectors.Schema{Type: connectors.TypeInt32}, nil
}

func (b *builder) bytesReader(n *node, logical string) (*reader, *connectors.Schema, error) {
	r := &reader{op: opBytes, size: n.size}
	if n.kind == kindFixed {
		r.op = opFixed
	}
	s := &connectors.Schema{Type: connectors.TypeBytes}
	if logical == "decimal" {
		scale, ok := n.number("scale")
		if n.props["scale"] != nil && !ok {
			return nil, nil, schemaError("scale of a decimal must be a number, got %s", short(n.props["scale"]))
		}
		s = connectors.DecimalSchema(scale)
		if precision, ok := n.number("precision"); ok && precision != defaultPrecision {
			setParameter(s, precisionParameter, strconv.Itoa(int(precision)))
		}
		r.decimal, r.scale = true, scale
	}
	if n.kind == kindFixed {
		setParameter(s, fixedParameter, strconv.Itoa(n.size))
	}
	return r, s, nil
}

func (b *builder) entries(entry *node) (*reader, *connectors.Schema, error) {
	key, err := b.reader(entry.fields[0].node, use{})
	if err != nil {
		return nil, nil, err
	}
	value, err := b.reader(entry.fields[1].node, use{})
	if err != nil {
		return nil, nil, err
	}
	s := connectors.MapOf(key.schema, value.schema)
	if entry.name != mapEntryName {
		s.Name = entry.name
	}
	return &reader{op: opEntries, key: key, items: value}, s, nil
}

func (b *builder) record(n *node) (*reader, *connectors.Schema, error) {
	r := &reader{op: opRecord, fields: make([]*reader, 0, len(n.fields))}
	fields := make([]connectors.Field, 0, len(n.fields))
	for _, f := range n.fields {
		fr, err := b.reader(f.node, use{hasDefault: f.hasDefault, def: f.def, doc: f.doc})
		if err != nil {
			return nil, nil, err
		}
		r.fields = append(r.fields, fr)
		fields = append(fields, connectors.Field{Name: f.name, Schema: fr.schema})
	}
	return r, connectors.StructOf(fields...), nil
}

// union returns the reader of a value that may be null, or of a struct with a field for each branch of which one is set.
func (b *builder) union(n *node, u use) (*reader, error) {
	r := &reader{op: opUnion, null: -1}
	var others []*node
	for i, branch := range n.branches {
		if branch.kind == kindNull {
			r.null = i
			r.branches = append(r.branches, nil)
			continue
		}
		others = append(others, branch)
		br, err := b.reader(branch, use{optional: true})
		if err != nil {
			return nil, err
		}
		r.branches = append(r.branches, br)
	}
	u.optional = u.optional || r.null >= 0
	switch {
	case len(others) == 0:
		return nil, schemaError("a union has no other type than null")
	case len(others) == 1 && (r.null >= 0 || b.options.flatten):
		inner, err := b.reader(others[0], u)
		if err != nil {
			return nil, err
		}
		r.op, r.items, r.schema = opOptional, inner, inner.schema
		return r, nil
	}
	s := &connectors.Schema{Type: connectors.TypeStruct, Name: unionName, Optional: u.optional, Doc: u.doc}
	for i, branch := range n.branches {
		if i != r.null {
			s.Fields = append(s.Fields, connectors.Field{Name: b.options.branchField(branch), Schema: r.branches[i].schema})
		}
	}
	r.schema = s
	if u.hasDefault && u.def != nil && r.branches[0] != nil { // a default is one of the first branch
		def, err := r.branches[0].fromJSON(u.def, 0)
		if err != nil {
			return nil, err
		}
		st := connectors.NewStruct(s)
		st.Set(0, def)
		s.Default = st
	}
	return r, nil
}

// branchField is the field of the struct that stands for a union.
func (o options) branchField(n *node) string {
	switch {
	case n.name == "":
		return string(n.kind)
	case o.enhanced:
		return n.name
	}
	return n.simple()
}

// fromJSON returns a default.
func (r *reader) fromJSON(value any, depth int) (any, error) {
	wrong := func() error { return schemaError("default %s is none for %s", short(value), r.schema) }
	if depth > maxDepth {
		return nil, wrong()
	}
	switch v := value.(type) {
	case nil:
		if r.schema.Optional {
			return nil, nil
		}
	case bool:
		if r.op == opBoolean {
			return v, nil
		}
	case json.Number:
		return r.fromNumber(v, wrong)
	case string:
		return r.fromText(v, wrong)
	case []any:
		return r.fromList(v, depth, wrong)
	case map[string]any:
		return r.fromObject(v, depth, wrong)
	}
	if r.op == opOptional {
		return r.items.fromJSON(value, depth+1)
	}
	return nil, wrong()
}

func (r *reader) fromNumber(number json.Number, wrong func() error) (any, error) {
	switch r.op {
	case opOptional:
		return r.items.fromNumber(number, wrong)
	case opFloat32, opFloat64:
		f, err := number.Float64()
		if err != nil {
			return nil, wrong()
		}
		if r.op == opFloat32 {
			return float32(f), nil
		}
		return f, nil
	case opInt8, opInt16, opInt32, opInt64, opDate, opTime, opTimestamp:
		n, err := number.Int64()
		if err != nil {
			return nil, wrong()
		}
		return r.integer(n)
	}
	return nil, wrong()
}

func (r *reader) fromText(text string, wrong func() error) (any, error) {
	switch r.op {
	case opOptional:
		return r.items.fromText(text, wrong)
	case opString, opEnum:
		return text, nil
	case opFloat32, opFloat64: // NaN and the infinities
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, wrong()
		}
		if r.op == opFloat32 {
			return float32(f), nil
		}
		return f, nil
	case opBytes, opFixed: // a character for each byte
		b := make([]byte, 0, len(text))
		for _, c := range text {
			if c > 0xFF {
				return nil, wrong()
			}
			b = append(b, byte(c))
		}
		return r.binary(b)
	}
	return nil, wrong()
}

func (r *reader) fromList(list []any, depth int, wrong func() error) (any, error) {
	switch r.op {
	case opOptional:
		return r.items.fromList(list, depth, wrong)
	case opArray:
		values := make([]any, 0, len(list))
		for _, item := range list {
			v, err := r.items.fromJSON(item, depth+1)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return values, nil
	case opEntries:
		m := connectors.NewMap(len(list))
		for _, item := range list {
			entry, ok := item.(map[string]any)
			if !ok {
				return nil, wrong()
			}
			k, err := r.key.fromJSON(entry[keyField], depth+1)
			if err != nil {
				return nil, err
			}
			v, err := r.items.fromJSON(entry[valueField], depth+1)
			if err != nil {
				return nil, err
			}
			m.Put(k, v)
		}
		return m, nil
	}
	return nil, wrong()
}

func (r *reader) fromObject(o map[string]any, depth int, wrong func() error) (any, error) {
	switch r.op {
	case opOptional:
		return r.items.fromObject(o, depth, wrong)
	case opMap:
		m := connectors.NewMap(len(o))
		for _, name := range sortedKeys(o) {
			v, err := r.items.fromJSON(o[name], depth+1)
			if err != nil {
				return nil, err
			}
			m.Put(name, v)
		}
		return m, nil
	case opRecord:
		st := connectors.NewStruct(r.schema)
		for i, f := range r.schema.Fields {
			value, ok := o[f.Name]
			if !ok {
				st.Set(i, f.Schema.Default)
				continue
			}
			v, err := r.fields[i].fromJSON(value, depth+1)
			if err != nil {
				return nil, err
			}
			st.Set(i, v)
		}
		return st, nil
	}
	return nil, wrong()
}
