package connectors

import (
	"bytes"
	"math"
	"math/big"
	"slices"
	"time"
)

// EqualValues reports whether two values of Connect are the same: of the same type, maps in any order, NaN equal to NaN,
// decimals with the same scale. A *big.Int may stand for an integer too big for int64.
func EqualValues(a, b any) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case float32:
		b, ok := b.(float32)
		return ok && (math.Float32bits(a) == math.Float32bits(b) || a != a && b != b)
	case float64:
		b, ok := b.(float64)
		return ok && (math.Float64bits(a) == math.Float64bits(b) || a != a && b != b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case Decimal:
		b, ok := b.(Decimal)
		return ok && a.Scale == b.Scale && a.Unscaled.Cmp(b.Unscaled) == 0
	case *big.Int:
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, EqualValues)
	case *Map:
		b, ok := b.(*Map)
		return ok && a.equal(b)
	case *Struct:
		b, ok := b.(*Struct)
		return ok && (a == b || a.schema.Equal(b.schema) && slices.EqualFunc(a.values, b.values, EqualValues))
	}
	switch b.(type) {
	case []byte, []any: // Go cannot compare these
		return false
	}
	return a == b
}

func (m *Map) equal(o *Map) bool {
	if m.Len() != o.Len() {
		return false
	}
	for k, v := range m.All() {
		w, ok := o.Get(k)
		if !ok || !EqualValues(v, w) {
			return false
		}
	}
	return true
}
