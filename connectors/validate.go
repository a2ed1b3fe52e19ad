package connectors

import (
	"fmt"
	"math/big"
	"time"
)

// ValidateValue checks that value has the Go type that schema asks for, all the way down.
func ValidateValue(schema *Schema, value any) error { return validateValue(schema, value, "value") }

// validateField makes the text of the place only for values that need one.
func validateField(f *Field, value any) error {
	switch f.Schema.Type {
	case TypeArray, TypeMap, TypeStruct:
	default:
		if value == nil && f.Schema.Optional || value != nil && fits(f.Schema, value) {
			return nil
		}
	}
	return validateValue(f.Schema, value, `field: "`+f.Name+`"`)
}

func validateValue(schema *Schema, value any, place string) error {
	if value == nil {
		if schema.Optional {
			return nil
		}
		return &DataError{Msg: fmt.Sprintf("Invalid value: null used for required %s, schema type: %s", place, schema.Type)}
	}
	if !fits(schema, value) {
		name := ""
		if schema.Name != "" {
			name = ` "` + schema.Name + `"`
		}
		return &DataError{Msg: fmt.Sprintf("Invalid Java object for schema%s with type %s: %s for %s", name, schema.Type, TypeName(value), place)}
	}
	switch v := value.(type) {
	case *Struct:
		if !v.schema.Equal(schema) {
			return &DataError{Msg: "Struct schemas do not match."}
		}
		return v.Validate()
	case []any:
		if err := known(schema.Value, "elements of array "+place); err != nil {
			return err
		}
		for _, e := range v {
			if err := validateValue(schema.Value, e, "element of array "+place); err != nil {
				return err
			}
		}
	case *Map:
		if err := known(schema.Key, "keys of map "+place); err != nil {
			return err
		}
		if err := known(schema.Value, "values of map "+place); err != nil {
			return err
		}
		for k, e := range v.All() {
			if err := validateValue(schema.Key, k, "key of map "+place); err != nil {
				return err
			}
			if err := validateValue(schema.Value, e, "value of map "+place); err != nil {
				return err
			}
		}
	}
	return nil
}

func known(schema *Schema, place string) error {
	if schema == nil {
		return &DataError{Msg: "No schema defined for " + place}
	}
	return nil
}

// fits reports whether value, not nil, has the Go type of schema.
func fits(schema *Schema, value any) bool {
	switch schema.Name {
	case DecimalName:
		_, ok := value.(Decimal)
		return ok
	case DateName, TimeName, TimestampName:
		_, ok := value.(time.Time)
		return ok
	}
	var ok bool
	switch schema.Type {
	case TypeInt8:
		_, ok = value.(int8)
	case TypeInt16:
		_, ok = value.(int16)
	case TypeInt32:
		_, ok = value.(int32)
	case TypeInt64:
		_, ok = value.(int64)
	case TypeFloat32:
		_, ok = value.(float32)
	case TypeFloat64:
		_, ok = value.(float64)
	case TypeBoolean:
		_, ok = value.(bool)
	case TypeString:
		_, ok = value.(string)
	case TypeBytes:
		_, ok = value.([]byte)
	case TypeArray:
		_, ok = value.([]any)
	case TypeMap:
		_, ok = value.(*Map)
	case TypeStruct:
		_, ok = value.(*Struct)
	}
	return ok
}

// TypeName is what messages call the type of a value.
func TypeName(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case int8, int16, int32, int64, float32, float64, string:
		return fmt.Sprintf("%T", value)
	case bool:
		return "boolean"
	case []byte:
		return "bytes"
	case Decimal:
		return "Decimal"
	case *big.Int:
		return "big integer"
	case time.Time:
		return "Date"
	case []any:
		return "array"
	case *Map:
		return "map"
	case *Struct:
		return "struct"
	}
	return fmt.Sprintf("%T", value)
}
