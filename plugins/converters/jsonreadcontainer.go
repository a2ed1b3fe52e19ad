package converters

import (
	"fmt"

	"millrace/connectors"
)

func (r *reader) list(s *connectors.Schema, k kind, depth int) (any, error) {
	list := []any{}
	add := func() error {
		v, err := r.value(s.Value, depth+1)
		list = append(list, v)
		return err
	}
	var err error
	switch k {
	case kindArray:
		err = r.elements(depth, add)
	case kindObject: // of an object the values count, one for each name
		err = r.eachMember(depth, func(string) error { return add() })
	default:
		_, err = r.skip(depth)
	}
	return list, err
}

// eachMember calls each for the members of an object, of repeated names only for the last.
func (r *reader) eachMember(depth int, each func(name string) error) error {
	raw := make(map[string][]byte)
	var names []string
	err := r.members(depth, func(name string) error {
		value, err := r.skip(depth + 1)
		if _, ok := raw[name]; !ok {
			names = append(names, name)
		}
		raw[name] = value
		return err
	})
	if err != nil {
		return err
	}
	outer := r.scanner
	defer func() { r.scanner = outer }()
	for _, name := range names {
		r.scanner = scanner{data: raw[name]}
		if err := each(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) mapping(s *connectors.Schema, k kind, depth int) (any, error) {
	m := new(connectors.Map)
	if s.Key.Type == connectors.TypeString {
		if k != kindObject {
			return nil, &dataError{Msg: fmt.Sprintf("Maps with string fields should be encoded as JSON objects, but found %s", k)}
		}
		return m, r.members(depth, func(name string) error {
			v, err := r.value(s.Value, depth+1)
			m.Put(name, v)
			return err
		})
	}
	if k != kindArray {
		return nil, &dataError{Msg: fmt.Sprintf("Maps with non-string fields should be encoded as JSON array of tuples, but found %s", k)}
	}
	return m, r.elements(depth, func() error { return r.pair(s, m, depth+1) })
}

// pair reads [key,value] into m.
func (r *reader) pair(s *connectors.Schema, m *connectors.Map, depth int) error {
	k, err := r.kind()
	if err != nil {
		return err
	}
	if k != kindArray {
		return &dataError{Msg: fmt.Sprintf("Found invalid map entry instead of array tuple: %s", k)}
	}
	var pair [2]any
	n := 0
	err = r.elements(depth, func() error {
		n++
		var err error
		switch n {
		case 1:
			pair[0], err = r.value(s.Key, depth+1)
		case 2:
			pair[1], err = r.value(s.Value, depth+1)
		default:
			_, err = r.skip(depth + 1)
		}
		return err
	})
	if err != nil {
		return err
	}
	if n != 2 {
		return &dataError{Msg: fmt.Sprintf("Found invalid map entry, expected length 2 but found :%d", n)}
	}
	m.Put(pair[0], pair[1])
	return nil
}

// wrongKind stands in a struct for the null that a value of the wrong kind became, where the field has a default.
type wrongKind struct{}

func (r *reader) structure(s *connectors.Schema, k kind, depth int) (any, error) {
	if k != kindObject {
		return nil, &dataError{Msg: fmt.Sprintf("Structs should be encoded as JSON objects, but found %s", k)}
	}
	outerLax := r.lax
	r.lax = false
	st := r.structs.New(s)
	next := 0
	err := r.members(depth, func(name string) error {
		i := next
		if i >= len(s.Fields) || s.Fields[i].Name != name {
			if i = s.FieldIndex(name); i < 0 {
				_, err := r.skip(depth + 1)
				return err
			}
		}
		next = i + 1
		return r.field(st, i, depth)
	})
	if err != nil {
		return nil, err
	}
	for i, f := range s.Fields {
		switch st.Raw(i) {
		case nil:
			v, err := r.null(f.Schema)
			if err != nil {
				return nil, err
			}
			st.Set(i, v)
		case wrongKind{}:
			st.Set(i, nil)
		}
	}
	r.lax = outerLax
	return st, nil
}

func (r *reader) field(st *connectors.Struct, i, depth int) error {
	f := &st.Schema().Fields[i]
	k, err := r.kind()
	if err != nil {
		return err
	}
	if k == kindNull { // as if it were absent
		st.Set(i, nil)
		return r.word("null")
	}
	v, err := r.value(f.Schema, depth+1)
	if err != nil {
		return err
	}
	if r.lax { // a null may have come in where none is allowed
		if err := st.Put(f.Name, v); err != nil {
			return err
		}
		r.lax = false
		if v == nil {
			v = wrongKind{}
		}
	}
	st.Set(i, v)
	return nil
}
