package connectors

// InferSchema returns the schema of a schemaless value: of a list or map only if all items have one type. nil is none. A
// list or map whose items are all null is an error.
func InferSchema(value any) (*Schema, error) {
	switch v := value.(type) {
	case string:
		return StringSchema, nil
	case bool:
		return BooleanSchema, nil
	case int8:
		return Int8Schema, nil
	case int16:
		return Int16Schema, nil
	case int32:
		return Int32Schema, nil
	case int64:
		return Int64Schema, nil
	case float32:
		return Float32Schema, nil
	case float64:
		return Float64Schema, nil
	case []byte:
		return BytesSchema, nil
	case []any:
		var d detector
		for _, e := range v {
			if ok, err := d.detect(e); err != nil || !ok {
				return nil, err
			}
		}
		if len(v) == 0 {
			return nil, nil
		}
		element, err := d.schema()
		if err != nil {
			return nil, err
		}
		return ArrayOf(element), nil
	case *Map:
		return inferMap(v)
	case *Struct:
		return v.schema, nil
	}
	return nil, nil
}

func inferMap(m *Map) (*Schema, error) {
	if m.Len() == 0 {
		return nil, nil
	}
	var keys, values detector
	for _, e := range m.entries {
		if ok, err := keys.detect(e.Key); err != nil || !ok {
			return nil, err
		}
		if ok, err := values.detect(e.Value); err != nil || !ok {
			return nil, err
		}
	}
	key, err := keys.schema()
	if err != nil {
		return nil, err
	}
	value, err := values.schema()
	if err != nil {
		return nil, err
	}
	return MapOf(key, value), nil
}

// A detector finds the type that items have in common. Of nested containers only the type counts.
type detector struct {
	known    Type
	optional bool
}

func (d *detector) detect(value any) (bool, error) {
	if value == nil {
		d.optional = true
		return true, nil
	}
	s, err := InferSchema(value)
	if err != nil || s == nil {
		return false, err
	}
	if d.known == 0 {
		d.known = s.Type
	}
	return d.known == s.Type, nil
}

func (d *detector) schema() (*Schema, error) {
	if d.known == 0 {
		return nil, &DataError{Msg: "type cannot be null: all items are null"}
	}
	return &Schema{Type: d.known, Optional: d.optional}, nil
}
