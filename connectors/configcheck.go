package connectors

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A checkFunc is a ConfigCheck of a text and a function that returns the reason why a value is refused, "" if it is not.
type checkFunc struct {
	text   string
	reason func(value any) string
}

func (c checkFunc) String() string { return c.text }

func (c checkFunc) Check(name string, value any) error {
	if reason := c.reason(value); reason != "" {
		return InvalidValue(name, value, reason)
	}
	return nil
}

// CheckFunc is a rule described by text. reason returns why value is refused, "" if it is not.
func CheckFunc(text string, reason func(value any) string) ConfigCheck {
	return checkFunc{text, reason}
}

// AllOf checks one rule after the other.
func AllOf(checks ...ConfigCheck) ConfigCheck { return allOf(checks) }

type allOf []ConfigCheck

func (c allOf) String() string {
	texts := make([]string, len(c))
	for i, check := range c {
		texts[i] = check.String()
	}
	return strings.Join(texts, ", ")
}

func (c allOf) Check(name string, value any) error {
	for _, check := range c {
		if err := check.Check(name, value); err != nil {
			return err
		}
	}
	return nil
}

// AtLeast wants a number not below lowest.
func AtLeast(lowest float64) ConfigCheck { return Between(lowest, math.Inf(1)) }

// AtMost wants a number not above highest.
func AtMost(highest float64) ConfigCheck { return Between(math.Inf(-1), highest) }

// Between wants a number from lowest to highest, both included.
func Between(lowest, highest float64) ConfigCheck {
	text := "..."
	if !math.IsInf(lowest, -1) {
		text = limitText(lowest) + "," + text
	}
	if !math.IsInf(highest, 1) {
		text += "," + limitText(highest)
	}
	return CheckFunc("["+text+"]", func(value any) string {
		n, ok := number(value)
		switch {
		case !ok:
			return "Value must be non-null"
		case n < lowest:
			return "Value must be at least " + limitText(lowest)
		case n > highest:
			return "Value must be no more than " + limitText(highest)
		}
		return ""
	})
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int16:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func limitText(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return fmt.Sprint(int64(f))
	}
	return string(appendJavaFloat(nil, f, 64))
}

// In wants one of values.
func In(values ...string) ConfigCheck {
	return CheckFunc("["+strings.Join(values, ", ")+"]", func(value any) string {
		if s, ok := value.(string); ok && slices.Contains(values, s) {
			return ""
		}
		return "String must be one of: " + strings.Join(values, ", ")
	})
}

// CaseInsensitiveIn wants one of values in any case. Texts show them in upper case and Kafka's order.
func CaseInsensitiveIn(values ...string) ConfigCheck {
	upper := make([]string, len(values))
	for i, v := range values {
		upper[i] = strings.ToUpper(v)
	}
	upper = hashSetOrder(upper)
	list := strings.Join(upper, ", ")
	return CheckFunc("(case insensitive) ["+list+"]", func(value any) string {
		if s, ok := value.(string); ok && slices.Contains(upper, strings.ToUpper(s)) {
			return ""
		}
		return "String must be one of (case insensitive): " + list
	})
}

// hashSetOrder returns texts in the order in which a Java hash set has them: Kafka's messages show that order.
func hashSetOrder(texts []string) []string {
	buckets := 16
	for 4*len(texts) > 3*buckets {
		buckets *= 2
	}
	bucket := func(s string) int {
		var h uint32
		for _, unit := range utf16.Encode([]rune(s)) {
			h = 31*h + uint32(unit)
		}
		return int(h^h>>16) & (buckets - 1)
	}
	ordered := slices.Clone(texts)
	slices.SortStableFunc(ordered, func(a, b string) int { return bucket(a) - bucket(b) })
	return ordered
}

// NonNull refuses a null, also an explicit one.
func NonNull() ConfigCheck {
	return CheckFunc("non-null string", func(value any) string {
		if value == nil {
			return "entry must be non null"
		}
		return ""
	})
}

// NonEmpty refuses the empty string.
func NonEmpty() ConfigCheck {
	return CheckFunc("non-empty string", func(value any) string {
		if s, ok := value.(string); ok && s == "" {
			return "String must be non-empty"
		}
		return ""
	})
}

// NonEmptyWithoutControlChars refuses the empty string and control characters.
func NonEmptyWithoutControlChars() ConfigCheck {
	return CheckFunc("non-empty string without ISO control characters", func(value any) string {
		s, ok := value.(string)
		if !ok {
			return ""
		}
		if s == "" {
			return "String may not be empty"
		}
		var controls []string
		for _, r := range s {
			if unicode.IsControl(r) {
				controls = append(controls, fmt.Sprint(int(r)))
			}
		}
		if controls == nil {
			return ""
		}
		return "String may not contain control sequences but had the following ASCII chars: " + strings.Join(controls, ", ")
	})
}

// Regex wants a pattern that compile accepts.
func Regex(compile func(pattern string) error) ConfigCheck {
	return CheckFunc("valid regex", func(value any) string {
		s, ok := value.(string)
		if !ok {
			return "Invalid regex: there is none"
		}
		if err := compile(s); err != nil {
			return "Invalid regex: " + err.Error()
		}
		return ""
	})
}
