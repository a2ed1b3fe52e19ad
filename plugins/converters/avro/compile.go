package avro

import (
	"slices"

	"millrace/connectors"
)

// A compiler makes writers.
type compiler struct {
	options options
	// strict makes fields that the Avro schema does not have an error.
	strict bool
}

// writer returns what writes values of s as n.
func (c compiler) writer(s *connectors.Schema, n *node) (*writer, error) {
	if n.kind == kindUnion {
		return c.union(s, n)
	}
	w := &writer{schema: s, null: -1, keepNull: c.options.ignoreDefault && s.Optional}
	fits, err := c.plain(w, s, n)
	if err == nil && !fits {
		err = dataError("%s cannot be written as Avro %s", s, n.branchName())
	}
	return w, err
}

// plain completes w; it reports whether the types go together.
func (c compiler) plain(w *writer, s *connectors.Schema, n *node) (fits bool, err error) {
	t := s.Type
	switch n.kind {
	case kindBoolean:
		w.op, fits = opBoolean, t == connectors.TypeBoolean
	case kindInt, kindLong:
		w.op, fits = integerOp(s, n.kind)
	case kindFloat:
		w.op, fits = opFloat32, t == connectors.TypeFloat32
	case kindDouble:
		w.op, w.wide = opFloat64, t == connectors.TypeFloat32
		fits = w.wide || t == connectors.TypeFloat64
	case kindString:
		w.op, fits = opString, t == connectors.TypeString
	case kindEnum:
		w.op, fits = opEnum, t == connectors.TypeString
		w.symbols = make(map[string]int, len(n.symbols))
		for i, symbol := range n.symbols {
			w.symbols[symbol] = i
		}
	case kindBytes:
		w.op, fits = opBytes, t == connectors.TypeBytes
	case kindFixed:
		w.op, w.size, fits = opFixed, n.size, t == connectors.TypeBytes
	case kindArray:
		return c.array(w, s, n)
	case kindMap:
		w.op, fits = opMap, t == connectors.TypeMap && c.options.plainKeys(s)
		if fits {
			w.key = &writer{op: opString, schema: s.Key, null: -1}
			w.items, err = c.writer(s.Value, n.items)
		}
	case kindRecord:
		if w.op, fits = opRecord, t == connectors.TypeStruct; fits {
			err = c.record(w, s, n)
		}
	}
	return fits, err
}

func integerOp(s *connectors.Schema, k kind) (o op, fits bool) {
	switch s.Type {
	case connectors.TypeInt8:
		return opInt8, true
	case connectors.TypeInt16:
		return opInt16, true
	case connectors.TypeInt32:
		switch s.Name {
		case connectors.DateName:
			return opDate, true
		case connectors.TimeName:
			return opTime, true
		}
		return opInt32, true
	case connectors.TypeInt64:
		if s.Name == connectors.TimestampName {
			return opTimestamp, k == kindLong
		}
		return opInt64, k == kindLong
	}
	return 0, false
}

func (c compiler) array(w *writer, s *connectors.Schema, n *node) (fits bool, err error) {
	switch {
	case s.Type == connectors.TypeArray && s.Value != nil:
		w.op = opArray
		w.items, err = c.writer(s.Value, n.items)
		return true, err
	case s.Type == connectors.TypeMap && n.items.kind == kindRecord && len(n.items.fields) == 2 && s.Key != nil && s.Value != nil:
		w.op = opEntries
		if w.key, err = c.writer(s.Key, n.items.fields[0].node); err != nil {
			return true, err
		}
		w.items, err = c.writer(s.Value, n.items.fields[1].node)
		return true, err
	}
	return false, nil
}

func (c compiler) record(w *writer, s *connectors.Schema, n *node) error {
	used := 0
	for _, f := range n.fields {
		from := slices.IndexFunc(s.Fields, func(own connectors.Field) bool {
			return own.Name == f.name || c.options.scrub && scrub(own.Name) == f.name
		})
		if from < 0 {
			fixed, err := c.absent(n, f)
			if err != nil {
				return err
			}
			w.fields = append(w.fields, writerField{from: -1, fixed: fixed})
			continue
		}
		fw, err := c.writer(s.Fields[from].Schema, f.node)
		if err != nil {
			return &connectors.DataError{Msg: "field " + f.name, Cause: err}
		}
		w.fields = append(w.fields, writerField{from: from, writer: fw})
		used++
	}
	if used < len(s.Fields) && c.strict {
		for _, f := range s.Fields {
			if !slices.ContainsFunc(n.fields, func(field field) bool {
				return field.name == f.Name || c.options.scrub && field.name == scrub(f.Name)
			}) {
				return dataError("Avro record %s has no field %s; latest.compatibility.strict=false leaves it out", n.name, f.Name)
			}
		}
	}
	return nil
}

// absent returns the bytes of a field that the struct does not have: its default.
func (c compiler) absent(n *node, f field) ([]byte, error) {
	if !f.hasDefault {
		return nil, dataError("Avro record %s needs a field %s, which the value does not have", n.name, f.name)
	}
	r, err := (&builder{options: c.options}).reader(f.node, use{hasDefault: true, def: f.def})
	if err != nil {
		return nil, err
	}
	w, err := c.writer(r.schema, f.node)
	if err != nil {
		return nil, err
	}
	if f.def == nil {
		return w.writeNull(nil)
	}
	return w.write(nil, r.schema.Default)
}

func (c compiler) union(s *connectors.Schema, n *node) (*writer, error) {
	w := &writer{schema: s, keepNull: c.options.ignoreDefault && s.Optional, null: slices.IndexFunc(n.branches, func(b *node) bool { return b.kind == kindNull })}
	w.nullable = w.null >= 0
	if s.Type == connectors.TypeStruct && s.Name == unionName {
		w.op = opUnion
		for _, f := range s.Fields {
			found := false
			for i, b := range n.branches {
				if b.kind == kindNull || slices.Contains(w.indexes, i) || !c.options.isBranch(b, f) {
					continue
				}
				bw, err := c.writer(f.Schema.AsOptional(false), b)
				if err != nil {
					return nil, err
				}
				w.branches, w.indexes, found = append(w.branches, bw), append(w.indexes, i), true
				break
			}
			if !found {
				return nil, dataError("the Avro union has no branch for field %s", f.Name)
			}
		}
		return w, nil
	}
	w.op = opOptional
	var first error
	for i, b := range n.branches {
		if b.kind == kindNull {
			continue
		}
		inner, err := c.writer(s, b)
		if err == nil {
			w.items, w.index = inner, i
			return w, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, &connectors.DataError{Msg: s.String() + " fits no branch of the Avro union", Cause: first}
}

// isBranch reports whether a field of a union struct is for a branch: by its name, else by the name of its schema.
func (o options) isBranch(b *node, f connectors.Field) bool {
	if b.name == "" {
		return f.Name == string(b.kind) || f.Schema.Name == "" && f.Name != b.name && integerKind(f.Schema, b.kind)
	}
	return f.Name == b.name || f.Name == b.simple() || f.Schema.Name == b.name
}

// integerKind is for unions that a connector made with names of its own.
func integerKind(s *connectors.Schema, k kind) bool {
	switch s.Type {
	case connectors.TypeInt64:
		return k == kindLong
	case connectors.TypeInt8, connectors.TypeInt16, connectors.TypeInt32:
		return k == kindInt
	case connectors.TypeString:
		return k == kindString
	}
	return false
}
