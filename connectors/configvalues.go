package connectors

import (
	"fmt"
	"strings"
	"time"
)

// Values are parsed values by key; defaults are filled in. The getters return the zero value for a null and panic if the
// key has another type, which is a mistake of the program.
type Values map[string]any

// IsNull reports whether name has no value.
func (v Values) IsNull(name string) bool { return v[name] == nil }

// Bool returns a BOOLEAN.
func (v Values) Bool(name string) bool { return get[bool](v, name) }

// String returns a STRING or CLASS.
func (v Values) String(name string) string { return get[string](v, name) }

// Short returns a SHORT.
func (v Values) Short(name string) int16 { return get[int16](v, name) }

// Int returns an INT.
func (v Values) Int(name string) int32 { return get[int32](v, name) }

// Long returns a LONG.
func (v Values) Long(name string) int64 { return get[int64](v, name) }

// Double returns a DOUBLE.
func (v Values) Double(name string) float64 { return get[float64](v, name) }

// List returns a LIST; the caller does not change it.
func (v Values) List(name string) []string { return get[[]string](v, name) }

// Password returns a PASSWORD.
func (v Values) Password(name string) Password { return get[Password](v, name) }

// Millis returns an INT or LONG of milliseconds as a duration.
func (v Values) Millis(name string) time.Duration {
	if n, ok := v[name].(int32); ok {
		return time.Duration(n) * time.Millisecond
	}
	return time.Duration(get[int64](v, name)) * time.Millisecond
}

func get[T any](v Values, name string) T {
	var zero T
	value := v[name]
	if value == nil {
		return zero
	}
	typed, ok := value.(T)
	if !ok {
		panic(fmt.Sprintf("configuration %s is a %T, not a %T", name, value, zero))
	}
	return typed
}

// Text returns a parsed value as REST shows it: lists joined by commas, passwords hidden; nil for a null.
func (t ConfigType) Text(value any) *string {
	if value == nil {
		return nil
	}
	text := messageText(value)
	if list, ok := value.([]string); ok {
		text = strings.Join(list, ",")
	}
	return &text
}

// DefaultText returns the default as REST shows it; nil for a null or none.
func (k *ConfigKey) DefaultText() *string {
	if k.Required {
		return nil
	}
	return k.Type.Text(k.Default)
}

// messageText is a value within an error message.
func messageText(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return v
	case float64:
		return string(appendJavaFloat(nil, v, 64))
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	}
	return fmt.Sprint(value)
}
