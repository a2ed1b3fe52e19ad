package wire

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"millrace/connectors"
)

// value decodes a Value. It has the Go type that schema asks for, or is null.
func (d *Decoder) value(data []byte, schema *connectors.Schema, depth int) (any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("a value is nested deeper than %d levels", maxDepth)
	}
	f, rest, err := next(data)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("a value has more than one kind")
	}
	if schema != nil {
		if want := kindOf(schema); f.number != want {
			return nil, fmt.Errorf("a value of kind %d does not fit the schema, which wants kind %d", f.number, want)
		}
	}
	switch f.number {
	case valueString:
		return boxed(f.text())
	case valueBytes:
		if err := f.is(protowire.BytesType); err != nil {
			return nil, err
		}
		if f.data == nil {
			return []byte{}, nil
		}
		return f.data, nil
	case valueInt8:
		n, err := f.signed(8)
		return int8(n), err
	case valueInt16:
		n, err := f.signed(16)
		return int16(n), err
	case valueInt32:
		n, err := f.signed(32)
		return int32(n), err
	case valueInt64:
		return boxed(f.signed(64))
	case valueFloat32:
		return math.Float32frombits(uint32(f.n)), f.is(protowire.Fixed32Type)
	case valueFloat64:
		return math.Float64frombits(f.n), f.is(protowire.Fixed64Type)
	case valueBoolean:
		return f.n != 0, f.is(protowire.VarintType)
	case valueTime:
		n, err := f.signed(64)
		return connectors.FromMillis(n), err
	}
	if err := f.is(protowire.BytesType); err != nil {
		return nil, err
	}
	switch f.number {
	case valueArray:
		return d.array(f.data, schema, depth)
	case valueMap:
		return d.mapping(f.data, schema, depth)
	case valueObject:
		return d.object(f.data, depth)
	case valueStruct:
		return d.structure(f.data, schema, depth)
	case valueDecimal:
		return decimal(f.data)
	}
	return nil, fmt.Errorf("a value of unknown kind %d", f.number)
}

func boxed[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// kindOf returns the field of Value that values of a schema have.
func kindOf(s *connectors.Schema) protowire.Number {
	switch s.Name {
	case "":
	case connectors.DecimalName:
		return valueDecimal
	case connectors.DateName, connectors.TimeName, connectors.TimestampName:
		return valueTime
	}
	return protowire.Number(s.Type) // the numbers are the same
}

func (d *Decoder) array(data []byte, schema *connectors.Schema, depth int) (any, error) {
	var element *connectors.Schema
	if schema != nil {
		element = schema.Value
	}
	values := make([]any, 0, 4)
	err := each(data, func(f field) error {
		if f.number != 1 {
			return nil
		}
		v, err := d.value(f.data, element, depth+1)
		values = append(values, v)
		return err
	})
	return values, err
}

// entries decodes the message Map.
func (d *Decoder) entries(data []byte, schema *connectors.Schema, depth int) (keys, values []any, err error) {
	var keySchema, valueSchema *connectors.Schema
	if schema != nil {
		keySchema, valueSchema = schema.Key, schema.Value
	}
	err = each(data, func(f field) error {
		switch f.number {
		case 1:
			k, err := d.value(f.data, keySchema, depth+1)
			keys = append(keys, k)
			return err
		case 2:
			v, err := d.value(f.data, valueSchema, depth+1)
			values = append(values, v)
			return err
		}
		return nil
	})
	if err == nil && len(keys) != len(values) {
		err = fmt.Errorf("a map has %d keys and %d values", len(keys), len(values))
	}
	return keys, values, err
}

func (d *Decoder) mapping(data []byte, schema *connectors.Schema, depth int) (any, error) {
	keys, values, err := d.entries(data, schema, depth)
	if err != nil {
		return nil, err
	}
	m := connectors.NewMap(len(keys))
	for i, k := range keys {
		// Looking a key up that cannot be hashed costs time in the size of the map: with many of them a plugin could
		// keep a worker busy.
		if len(keys) > 1000 && !scalar(k) {
			return nil, fmt.Errorf("a map of %d entries has keys of type %s", len(keys), connectors.TypeName(k))
		}
		m.Put(k, values[i])
	}
	return m, nil
}

func scalar(key any) bool {
	switch key.(type) {
	case nil, string, bool, int8, int16, int32, int64:
		return true
	}
	return false
}

func (d *Decoder) object(data []byte, depth int) (any, error) {
	keys, values, err := d.entries(data, nil, depth)
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(keys))
	for i, k := range keys {
		s, ok := k.(string)
		if !ok {
			return nil, fmt.Errorf("an object has a key of type %s, want a string", connectors.TypeName(k))
		}
		m[s] = values[i]
	}
	return m, nil
}

func (d *Decoder) structure(data []byte, schema *connectors.Schema, depth int) (any, error) {
	id := uint64(0)
	if err := each(data, func(f field) error {
		if f.number == 1 {
			id = f.n
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if id > 0 {
		own, err := d.schema(id)
		if err != nil {
			return nil, err
		}
		schema = own
	}
	if schema == nil || schema.Type != connectors.TypeStruct {
		return nil, errors.New("a struct has no struct schema")
	}
	s, i := connectors.NewStruct(schema), 0
	err := each(data, func(f field) error {
		if f.number != 2 {
			return nil
		}
		if i >= len(schema.Fields) {
			return fmt.Errorf("a struct has more values than the %d fields of its schema", len(schema.Fields))
		}
		v, err := d.value(f.data, schema.Fields[i].Schema, depth+1)
		if err != nil {
			return fmt.Errorf("field %q: %w", schema.Fields[i].Name, err)
		}
		s.Set(i, v)
		i++
		return nil
	})
	if err == nil && i < len(schema.Fields) {
		err = fmt.Errorf("a struct has %d values, its schema %d fields", i, len(schema.Fields))
	}
	return s, err
}

func decimal(data []byte) (any, error) {
	var unscaled []byte
	scale := int64(0)
	err := each(data, func(f field) (err error) {
		switch f.number {
		case 1:
			unscaled, err = slices.Clip(f.data), f.is(protowire.BytesType)
		case 2:
			scale, err = f.signed(32)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return boxed(connectors.DecimalFromBytes(unscaled, int32(scale)))
}
