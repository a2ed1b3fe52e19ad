package connectors

import "slices"

// Get returns a field's value, or its default if it is not set. An unknown field is an error.
func (s *Struct) Get(name string) (any, error) {
	i := s.schema.FieldIndex(name)
	if i < 0 {
		return nil, noField(name)
	}
	return s.At(i), nil
}

// At returns the value of the i-th field, or its default if it is not set.
func (s *Struct) At(i int) any {
	if v := s.values[i]; v != nil {
		return v
	}
	return s.schema.Fields[i].Schema.Default
}

// Raw returns the value of the i-th field without the default.
func (s *Struct) Raw(i int) any { return s.values[i] }

// Put sets a field. It fails if there is none of that name or value is none of its schema.
func (s *Struct) Put(name string, value any) error {
	i := s.schema.FieldIndex(name)
	if i < 0 {
		return noField(name)
	}
	if err := validateField(&s.schema.Fields[i], value); err != nil {
		return err
	}
	s.values[i] = value
	return nil
}

// Set sets the i-th field without looking at the value: for code that knows that it is right.
func (s *Struct) Set(i int, value any) { s.values[i] = value }

// Clone returns a copy that can be changed; the values are shared.
func (s *Struct) Clone() *Struct { return &Struct{schema: s.schema, values: slices.Clone(s.values)} }

// Validate checks that the values fit the schema and required fields without a default are set.
func (s *Struct) Validate() error {
	for i := range s.schema.Fields {
		f, v := &s.schema.Fields[i], s.values[i]
		if v == nil && (f.Schema.Optional || f.Schema.Default != nil) {
			continue
		}
		if err := validateField(f, v); err != nil {
			return err
		}
	}
	return nil
}

func noField(name string) error { return &DataError{Msg: name + " is not a valid field name"} }
