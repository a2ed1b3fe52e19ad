package brokerkeys

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/broker/metadata"
)

// Types of values that topic configs do not have, with the numbers DescribeConfigs sends.
const (
	TypeShort    metadata.ConfigType = 4
	TypeClass    metadata.ConfigType = 8
	TypePassword metadata.ConfigType = 9
)

// Key is one broker key.
type Key struct {
	Name       string
	Type       metadata.ConfigType
	Default    string
	HasDefault bool // false: null unless set
	// Dynamic keys may be changed while the broker runs, in Apache Kafka.
	Dynamic bool
	// Doc says what the key does here; empty for keys that are accepted without effect.
	Doc string

	low, high int64 // the range of numbers, if low <= high and not both 0
}

// All returns the keys sorted by name. The slice is shared: do not change it.
func All() []Key { return keys }

// Lookup returns the key of that name.
func Lookup(name string) (Key, bool) {
	i, ok := slices.BinarySearchFunc(keys, name, func(k Key, name string) int { return strings.Compare(k.Name, name) })
	if !ok {
		return Key{}, false
	}
	return keys[i], true
}

// Check reports what is wrong with a value: the rule, or "" if it is fine.
func (k Key) Check(value string) (rule string) {
	v := strings.TrimSpace(value)
	bits := 64
	switch k.Type {
	case metadata.TypeBoolean:
		if l := strings.ToLower(v); l != "true" && l != "false" {
			return "must be true or false"
		}
		return ""
	case metadata.TypeDouble:
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			return "must be a number"
		}
		return ""
	case TypeShort:
		bits = 16
	case metadata.TypeInt:
		bits = 32
	case metadata.TypeLong:
	default:
		return ""
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return fmt.Sprintf("must be a whole number of %d bits", bits)
	}
	if k.low == 0 && k.high == 0 {
		return ""
	}
	if n < k.low {
		return fmt.Sprintf("must be at least %d", k.low)
	}
	if n > k.high {
		return fmt.Sprintf("must be at most %d", k.high)
	}
	return ""
}

// Nearest returns the known key that a misspelt one most likely means, or "".
func Nearest(name string) string {
	best, least := "", max(2, len(name)/4)+1
	for _, k := range keys {
		if d := distance(name, k.Name, least); d < least {
			best, least = k.Name, d
		}
	}
	return best
}

// distance counts the single-character edits between a and b; it may stop at limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// TypeName is the type as Kafka's documentation calls it, in capitals.
func (k Key) TypeName() string {
	switch k.Type {
	case metadata.TypeBoolean:
		return "BOOLEAN"
	case metadata.TypeInt:
		return "INT"
	case metadata.TypeLong:
		return "LONG"
	case metadata.TypeDouble:
		return "DOUBLE"
	case metadata.TypeList:
		return "LIST"
	case TypeShort:
		return "SHORT"
	case TypeClass:
		return "CLASS"
	case TypePassword:
		return "PASSWORD"
	}
	return "STRING"
}
