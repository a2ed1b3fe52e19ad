package connectors

import (
	"math"
	"math/big"
	"strconv"
)

// smallest returns a number in the smallest type that holds it: whole ones as integers, others as the first float that is not
// infinite, what is too big for all as a Decimal.
func smallest(d Decimal) SchemaAndValue {
	if n, ok := d.exactInt64(); ok {
		return smallestInt(n)
	}
	if d.Scale != 0 {
		text := d.Unscaled.String() + "e" + strconv.FormatInt(-int64(d.Scale), 10)
		if f, err := strconv.ParseFloat(text, 32); err == nil {
			return SchemaAndValue{Float32Schema, float32(f)}
		}
		if f := d.Float(); !math.IsInf(f, 0) {
			return SchemaAndValue{Float64Schema, f}
		}
	}
	return SchemaAndValue{DecimalSchema(d.Scale), d}
}

func smallestInt(n int64) SchemaAndValue {
	switch {
	case n == int64(int8(n)):
		return SchemaAndValue{Int8Schema, int8(n)}
	case n == int64(int16(n)):
		return SchemaAndValue{Int16Schema, int16(n)}
	case n == int64(int32(n)):
		return SchemaAndValue{Int32Schema, int32(n)}
	}
	return SchemaAndValue{Int64Schema, n}
}

// exactInt64 returns d if it is whole and fits.
func (d Decimal) exactInt64() (int64, bool) {
	n := d.Unscaled
	digits := int64(len(n.String()))
	switch {
	case n.Sign() == 0:
		return 0, true
	case d.Scale < 0:
		if digits-int64(d.Scale) > 20 {
			return 0, false
		}
		n = new(big.Int).Mul(n, power10(-int64(d.Scale)))
	case d.Scale > 0:
		if int64(d.Scale) > digits {
			return 0, false
		}
		quotient, rest := new(big.Int).QuoRem(n, power10(int64(d.Scale)), new(big.Int))
		if rest.Sign() != 0 {
			return 0, false
		}
		n = quotient
	}
	return n.Int64(), n.IsInt64()
}

// commonSchema returns the schema for values of two: the wider of two number types, of equal types the later one. nil is that
// of null; of types that have nothing in common nil, which the next value replaces.
func commonSchema(before, latest *Schema) *Schema {
	switch {
	case latest == nil:
		return before
	case before == nil:
		return latest
	case before.Type == latest.Type:
		if before.Optional == latest.Optional {
			if before.Optional {
				return before
			}
			return latest
		}
		if before.Equal(latest) {
			return before
		}
		return nil
	case !isNumber(before.Type) || !isNumber(latest.Type):
		return nil
	case before.Type > latest.Type:
		return before
	}
	return latest
}

// isNumber relies on the order of the types: each number type holds those before it.
func isNumber(t Type) bool { return t >= TypeInt8 && t <= TypeFloat64 }
