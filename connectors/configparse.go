package connectors

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// InvalidValue is the error of a value that breaks a rule, in the words that users of Kafka search for.
func InvalidValue(name string, value any, reason string) *ConfigError {
	return &ConfigError{Msg: fmt.Sprintf("Invalid value %s for configuration %s: %s", messageText(value), name, reason)}
}

var commaSeparator = regexp.MustCompile(`[ \t\n\v\f\r]*,[ \t\n\v\f\r]*`)

// parse returns the typed value of a text: blanks around it are dropped, but shown in errors.
func (k *ConfigKey) parse(text string) (any, error) {
	trimmed := trimBlanks(text)
	switch k.Type {
	case ConfigBoolean:
		switch {
		case strings.EqualFold(trimmed, "true"):
			return true, nil
		case strings.EqualFold(trimmed, "false"):
			return false, nil
		}
		return nil, InvalidValue(k.Name, text, "Expected value to be either true or false")
	case ConfigPassword:
		return Password(trimmed), nil
	case ConfigString:
		return trimmed, nil
	case ConfigShort:
		n, err := strconv.ParseInt(asciiDigits(trimmed), 10, 16)
		return int16(n), k.numberError(text, err)
	case ConfigInt:
		n, err := strconv.ParseInt(asciiDigits(trimmed), 10, 32)
		return int32(n), k.numberError(text, err)
	case ConfigLong:
		n, err := strconv.ParseInt(asciiDigits(trimmed), 10, 64)
		return n, k.numberError(text, err)
	case ConfigDouble:
		f, ok := ParseFloat(trimmed, 64)
		if !ok {
			return nil, InvalidValue(k.Name, text, "Not a number of type DOUBLE")
		}
		return f, nil
	case ConfigList:
		if trimmed == "" {
			return []string{}, nil
		}
		return commaSeparator.Split(trimmed, -1), nil
	case ConfigClass:
		if trimmed == "" || k.ClassExists != nil && !k.ClassExists(trimmed) {
			return nil, InvalidValue(k.Name, text, fmt.Sprintf("Class %s could not be found.", text))
		}
		return trimmed, nil
	}
	return nil, InvalidValue(k.Name, text, fmt.Sprintf("Unknown type %s", k.Type))
}

func (k *ConfigKey) numberError(text string, err error) error {
	if err == nil {
		return nil
	}
	return InvalidValue(k.Name, text, "Not a number of type "+string(k.Type))
}

// adopt returns a default given as a Go value in the type that parsed values have.
func (k *ConfigKey) adopt(value any) (any, error) {
	switch v := value.(type) {
	case string:
		return k.parse(v)
	case bool:
		if k.Type == ConfigBoolean {
			return v, nil
		}
	case Password:
		if k.Type == ConfigPassword {
			return v, nil
		}
	case []string:
		if k.Type == ConfigList {
			return v, nil
		}
	case float64:
		if k.Type == ConfigDouble {
			return v, nil
		}
	case int:
		if n, ok := k.adoptInt(int64(v)); ok {
			return n, nil
		}
	case int16:
		if k.Type != ConfigInt {
			if n, ok := k.adoptInt(int64(v)); ok {
				return n, nil
			}
		}
	case int32:
		if n, ok := k.adoptInt(int64(v)); ok && k.Type != ConfigShort {
			return n, nil
		}
	case int64:
		if k.Type == ConfigLong || k.Type == ConfigDouble {
			n, _ := k.adoptInt(v)
			return n, nil
		}
	}
	return nil, InvalidValue(k.Name, value, "Expected value to be "+k.Type.article())
}

func (k *ConfigKey) adoptInt(n int64) (any, bool) {
	switch k.Type {
	case ConfigShort:
		return int16(n), n == int64(int16(n))
	case ConfigInt:
		return int32(n), n == int64(int32(n))
	case ConfigLong:
		return n, true
	case ConfigDouble:
		return float64(n), true
	}
	return nil, false
}

func (t ConfigType) article() string {
	switch t {
	case ConfigShort:
		return "a 16-bit integer (short)"
	case ConfigInt:
		return "a 32-bit integer"
	case ConfigLong:
		return "a 64-bit integer (long)"
	case ConfigDouble:
		return "a double"
	case ConfigBoolean:
		return "either true or false"
	case ConfigList:
		return "a comma separated list"
	}
	return "a string"
}

// trimBlanks drops what Java's String.trim drops: everything up to U+0020.
func trimBlanks(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// ParseFloat reads a float as Java's parseDouble and parseFloat do: blanks around it, a suffix f or d, NaN and Infinity
// only as spelt; beyond the range is an infinity or zero. bits is 32 or 64.
func ParseFloat(s string, bits int) (float64, bool) {
	s = trimBlanks(s)
	unsigned := strings.TrimLeft(s, "+-")
	switch {
	case len(s)-len(unsigned) > 1 || unsigned == "":
		return 0, false
	case unsigned == "NaN":
		return math.NaN(), true
	case unsigned == "Infinity":
		return math.Inf(1 - 2*strings.Count(s[:len(s)-len(unsigned)], "-")), true
	}
	hex := len(unsigned) > 1 && unsigned[0] == '0' && (unsigned[1] == 'x' || unsigned[1] == 'X')
	switch unsigned[len(unsigned)-1] {
	case 'f', 'F', 'd', 'D':
		if !hex || strings.ContainsAny(unsigned, "pP") {
			s = s[:len(s)-1]
		}
	}
	if strings.ContainsAny(s, "_iInN") { // what Go reads and Java does not
		return 0, false
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && !isRange(err) {
		return 0, false
	}
	return f, true
}

func isRange(err error) bool {
	n, ok := err.(*strconv.NumError)
	return ok && n.Err == strconv.ErrRange
}
