package file

import (
	"fmt"
	"math/big"
	"strconv"
	"time"

	"millrace/connectors"
)

// appendText appends value as Java's toString prints it. Byte arrays are appended as they are.
func appendText(b []byte, schema *connectors.Schema, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return append(b, v...)
	case []byte:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	case int8:
		return strconv.AppendInt(b, int64(v), 10)
	case int16:
		return strconv.AppendInt(b, int64(v), 10)
	case int32:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float32:
		return connectors.AppendFloat(b, float64(v), 32)
	case float64:
		return connectors.AppendFloat(b, v, 64)
	case time.Time:
		return v.UTC().AppendFormat(b, "Mon Jan 02 15:04:05 UTC 2006")
	case connectors.Decimal:
		return appendDecimal(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendText(b, element(schema), e)
		}
		return append(b, ']')
	}
	return fmt.Append(b, value)
}

func element(schema *connectors.Schema) *connectors.Schema {
	if schema == nil {
		return nil
	}
	return schema.Value
}

// appendDecimal appends d as BigDecimal.toString does: plain as long as it is short, else with an exponent.
func appendDecimal(b []byte, d connectors.Decimal) []byte {
	unscaled := d.Unscaled
	if unscaled == nil {
		unscaled = new(big.Int)
	}
	digits := unscaled.Append(nil, 10)
	if digits[0] == '-' {
		b, digits = append(b, '-'), digits[1:]
	}
	exponent := len(digits) - 1 - int(d.Scale)
	switch point := len(digits) - int(d.Scale); {
	case d.Scale == 0:
		return append(b, digits...)
	case d.Scale < 0 || exponent < -6:
		b = append(b, digits[0])
		if len(digits) > 1 {
			b = append(append(b, '.'), digits[1:]...)
		}
		b = append(b, 'E')
		if exponent >= 0 {
			b = append(b, '+')
		}
		return strconv.AppendInt(b, int64(exponent), 10)
	case point <= 0:
		b = append(b, "0."...)
		for ; point < 0; point++ {
			b = append(b, '0')
		}
		return append(b, digits...)
	default:
		b = append(b, digits[:point]...)
		return append(append(b, '.'), digits[point:]...)
	}
}
