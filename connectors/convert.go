package connectors

import (
	"fmt"
	"math"
	"math/big"
	"time"
)

// ConvertTo converts a value to the type of to, as Connect's Values class does: numbers narrow and wrap, texts are parsed, dates
// become their encoding. from is the schema of value, nil if it has none; without it dates are no numbers. Only the type, name
// and optionality of to count.
func ConvertTo(to, from *Schema, value any) (any, error) {
	if value == nil {
		if to.Optional {
			return nil, nil
		}
		return nil, &DataError{Msg: "Unable to convert a null value to a schema that requires a value"}
	}
	switch to.Type {
	case TypeString:
		b, err := AppendHeaderText(nil, value)
		return string(b), err
	case TypeBoolean:
		return toBoolean(from, value)
	case TypeInt8:
		n, err := asLong(from, value)
		return int8(n), err
	case TypeInt16:
		n, err := asLong(from, value)
		return int16(n), err
	case TypeInt32:
		switch to.Name {
		case DateName:
			return toDate(from, value)
		case TimeName:
			return toTime(from, value)
		}
		n, err := asLong(from, value)
		return int32(n), err
	case TypeInt64:
		if to.Name == TimestampName {
			return toTimestamp(from, value)
		}
		return asLong(from, value)
	case TypeFloat32:
		return asFloat(from, value)
	case TypeFloat64:
		return asDouble(from, value)
	case TypeBytes:
		return toBytes(to, value)
	}
	return toContainer(to, value)
}

func toContainer(to *Schema, value any) (any, error) {
	if s, ok := value.(string); ok && to.Type != TypeStruct {
		parsed, err := parseTyped(s, to)
		if err != nil {
			return nil, err
		}
		value = parsed
	}
	var ok bool
	switch to.Type {
	case TypeArray:
		_, ok = value.([]any)
	case TypeMap:
		_, ok = value.(*Map)
	case TypeStruct:
		_, ok = value.(*Struct)
	}
	if !ok {
		return nil, cannotConvert(value, to.String())
	}
	return value, nil
}

// parseTyped parses a text that must not be null.
func parseTyped(s string, to *Schema) (any, error) {
	parsed := ParseValue(s)
	if parsed.Value == nil {
		return nil, cannotConvert(s, to.String())
	}
	return parsed.Value, nil
}

func toBytes(to *Schema, value any) (any, error) {
	if to.Name != DecimalName {
		if _, ok := value.([]byte); ok {
			return value, nil
		}
		if d, ok := value.(Decimal); ok {
			return d.Bytes(), nil
		}
		return nil, cannotConvert(value, to.String())
	}
	switch v := value.(type) {
	case []byte:
		scale, err := to.Scale()
		if err != nil {
			return nil, err
		}
		return DecimalFromBytes(v, scale)
	case Decimal:
		return v, nil
	case string:
		if d, ok := ParseDecimal(v); ok {
			return d, nil
		}
	default:
		if f, ok := floatOf(value); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
			// Kafka goes by way of a double's text, so that 42 becomes 42.0.
			if d, ok := ParseDecimal(string(appendJavaFloat(nil, f, 64))); ok {
				return d, nil
			}
		}
	}
	return nil, cannotConvert(value, to.String())
}

func toBoolean(from *Schema, value any) (any, error) {
	if _, ok := value.(bool); ok {
		return value, nil
	}
	if s, ok := value.(string); ok {
		parsed, err := parseTyped(s, BooleanSchema)
		if err != nil {
			return nil, err
		}
		if b, ok := parsed.(bool); ok {
			return b, nil
		}
	}
	n, err := asLong(from, value)
	return n != 0, err
}

// moment returns the date in value, parsing a text. What else it is comes back as value.
func moment(value any, to *Schema) (t time.Time, isDate bool, other any, err error) {
	if s, ok := value.(string); ok {
		// What is no date must be a number, and the error names the text.
		if value, err = parseTyped(s, to); err != nil {
			return t, false, nil, err
		}
	}
	t, isDate = value.(time.Time)
	return t, isDate, value, nil
}

func toDate(from *Schema, value any) (any, error) {
	t, isDate, value, err := moment(value, DateSchema)
	if err != nil {
		return nil, err
	}
	if isDate && (from == nil || from.Name == DateName) {
		return t, nil
	}
	if isDate && from.Name == TimestampName {
		return DateFromDays(int32(t.UnixMilli() / MillisPerDay)), nil
	}
	n, err := asLong(from, value)
	return DateFromDays(int32(n)), err
}

func toTime(from *Schema, value any) (any, error) {
	t, isDate, value, err := moment(value, TimeSchema)
	if err != nil {
		return nil, err
	}
	if isDate && (from == nil || from.Name == TimeName) {
		return t, nil
	}
	if isDate && from.Name == TimestampName {
		return FromMillis((t.UnixMilli()%MillisPerDay + MillisPerDay) % MillisPerDay), nil
	}
	n, err := asLong(from, value)
	if err != nil {
		return nil, err
	}
	return TimeFromMillis(int32(n))
}

func toTimestamp(from *Schema, value any) (any, error) {
	t, isDate, value, err := moment(value, TimestampSchema)
	if err != nil {
		return nil, err
	}
	if isDate && from == nil {
		return t, nil
	}
	if isDate {
		switch from.Name {
		case DateName:
			days, err := DaysOf(t)
			return DateFromDays(days), err
		case TimeName:
			ms, err := MillisOfDay(t)
			return FromMillis(int64(ms)), err
		case TimestampName:
			return t, nil
		}
	}
	n, err := asLong(from, value)
	return FromMillis(n), err
}

// asLong returns a number cut to an integer that wraps around, as Java's longValue does; of a date its encoding.
func asLong(from *Schema, value any) (int64, error) {
	switch v := value.(type) {
	case int8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case int64:
		return v, nil
	case float32:
		return saturate(float64(v)), nil
	case float64:
		return saturate(v), nil
	case *big.Int:
		return low64(v), nil
	case Decimal:
		if n, ok := v.Int(); ok {
			return low64(n), nil
		}
		return 0, nil // a multiple of 2^64
	case string:
		if d, ok := ParseDecimal(v); ok {
			return asLong(from, d)
		}
	case time.Time:
		if from != nil {
			switch from.Name {
			case DateName:
				days, err := DaysOf(v)
				return int64(days), err
			case TimeName:
				ms, err := MillisOfDay(v)
				return int64(ms), err
			case TimestampName:
				return v.UnixMilli(), nil
			}
		}
	}
	if from != nil {
		return 0, cannotConvert(value, from.String())
	}
	return 0, cannotConvert(value, "a number")
}

// saturate cuts as Java's d2l does: NaN is 0, what is out of range the nearest.
func saturate(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// low64 returns the low 64 bits in two's complement.
func low64(n *big.Int) int64 {
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return int64(low.Uint64())
}

func floatOf(value any) (float64, bool) {
	switch v := value.(type) {
	case int8:
		return float64(v), true
	case int16:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float32:
		return float64(v), true
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case Decimal:
		return v.Float(), true
	case string:
		if d, ok := ParseDecimal(v); ok {
			return d.Float(), true
		}
	}
	return 0, false
}

func asDouble(from *Schema, value any) (any, error) {
	if f, ok := floatOf(value); ok {
		return f, nil
	}
	n, err := asLong(from, value)
	return float64(n), err
}

func asFloat(from *Schema, value any) (any, error) {
	if f, ok := floatOf(value); ok {
		return float32(f), nil
	}
	n, err := asLong(from, value)
	return float32(n), err
}

func cannotConvert(value any, to string) error {
	return &DataError{Msg: fmt.Sprintf("Unable to convert %s (%s) to %s", describe(value), TypeName(value), to)}
}

// describe is a value within a message; bytes are not shown.
func describe(value any) string {
	if b, ok := value.([]byte); ok {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return Text(value)
}
