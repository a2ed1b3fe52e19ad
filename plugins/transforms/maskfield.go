package transforms

import (
	"context"
	"math/big"
	"slices"
	"time"

	"millrace/connectors"
)

var maskFieldConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "fields", Type: connectors.ConfigList, Required: true, Importance: connectors.High,
		Validator: connectors.DistinctList(false, false), Doc: "The fields to mask.",
	},
	connectors.ConfigKey{
		Name: "replacement", Type: connectors.ConfigString, Importance: connectors.Low, Validator: connectors.NonEmpty(),
		Doc: "What numbers and strings are replaced by. Without it every type has a value of its own: 0, false, the empty string.",
	},
	replaceNullConfig,
)

// maskField is MaskField: it replaces the values of fields by others that say nothing.
type maskField struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	fields      []string
	replacement *string
	plans       plans[[]bool] // for each field of a schema whether it is masked
}

// Configure is part of connectors.Transform.
func (m *maskField) Configure(config map[string]string) error {
	values, err := maskFieldConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	m.replace = values.Bool(replaceNullKey)
	m.fields = values.List("fields")
	m.replacement = nil
	if !values.IsNull("replacement") {
		r := values.String("replacement")
		m.replacement = &r
	}
	return nil
}

// Apply is part of connectors.Transform.
func (m *maskField) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := m.get(r)
	if schema == nil {
		old, err := requireMap(value, "mask fields")
		if err != nil {
			return true, err
		}
		masked := old.Clone()
		for _, name := range m.fields {
			v, _ := old.Get(name)
			if v, err = m.mask(v); err != nil {
				return true, err
			}
			masked.Put(name, v)
		}
		m.set(r, nil, masked)
		return true, nil
	}
	old, err := requireStruct(value, "mask fields")
	if err != nil {
		return true, err
	}
	plan, err := m.plans.of(schema, func(s *connectors.Schema) ([]bool, error) {
		plan := make([]bool, len(s.Fields))
		for i, f := range s.Fields {
			plan[i] = slices.Contains(m.fields, f.Name)
		}
		return plan, nil
	})
	if err != nil {
		return true, err
	}
	masked := m.structs.New(old.Schema())
	for i, hide := range plan {
		v := m.field(old, i)
		if hide {
			if v, err = m.mask(v); err != nil {
				return true, err
			}
		}
		masked.Set(i, v)
	}
	m.set(r, schema, masked)
	return true, nil
}

func (m *maskField) mask(value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	if m.replacement != nil {
		return replaced(value, *m.replacement)
	}
	switch value.(type) {
	case bool:
		return false, nil
	case int8:
		return int8(0), nil
	case int16:
		return int16(0), nil
	case int32:
		return int32(0), nil
	case int64:
		return int64(0), nil
	case float32:
		return float32(0), nil
	case float64:
		return float64(0), nil
	case string:
		return "", nil
	case time.Time:
		return connectors.FromMillis(0), nil
	case connectors.Decimal:
		return connectors.Decimal{Unscaled: new(big.Int)}, nil
	case *big.Int:
		return new(big.Int), nil
	case []any:
		return []any{}, nil
	case *connectors.Map:
		return new(connectors.Map), nil
	}
	return nil, dataError("Cannot mask value of type: %s", connectors.TypeName(value))
}

// replaced returns the replacement in the type of value.
func replaced(value any, replacement string) (any, error) {
	switch value.(type) {
	case string:
		return replacement, nil
	case int8:
		return connectors.ConvertTo(connectors.Int8Schema, nil, replacement)
	case int16:
		return connectors.ConvertTo(connectors.Int16Schema, nil, replacement)
	case int32:
		return connectors.ConvertTo(connectors.Int32Schema, nil, replacement)
	case int64:
		return connectors.ConvertTo(connectors.Int64Schema, nil, replacement)
	case float32:
		return connectors.ConvertTo(connectors.Float32Schema, nil, replacement)
	case float64:
		return connectors.ConvertTo(connectors.Float64Schema, nil, replacement)
	case connectors.Decimal:
		if d, ok := connectors.ParseDecimal(replacement); ok {
			return d, nil
		}
	case *big.Int:
		if n, ok := new(big.Int).SetString(replacement, 10); ok {
			return n, nil
		}
	default:
		return nil, dataError("Cannot mask value of type %s with custom replacement.", connectors.TypeName(value))
	}
	return nil, dataError("Unable to convert %s (string) to number", replacement)
}
