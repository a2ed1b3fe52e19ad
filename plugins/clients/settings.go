package clients

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// settings are a client's settings while they are read. What is never asked for has no meaning here.
type settings struct {
	props map[string]string
	asked map[string]bool
	errs  []error
}

func newSettings(props map[string]string) *settings {
	return &settings{props: props, asked: make(map[string]bool)}
}

func (s *settings) text(name string) (string, bool) {
	s.asked[name] = true
	text, ok := s.props[name]
	return strings.TrimSpace(text), ok
}

func (s *settings) wrong(name, rule string) {
	value := s.props[name]
	if secret(name) {
		value = "[hidden]"
	}
	s.errs = append(s.errs, connectors.InvalidValue(name, value, rule))
}

// secret reports whether a setting's value must not be shown.
func secret(name string) bool {
	return strings.Contains(name, "password") || strings.Contains(name, "secret") || name == "sasl.jaas.config" || name == "ssl.keystore.key"
}

// number returns a whole number, drawn into the range that the client knows.
func (s *settings) number(name string, least, most int64) (int64, bool) {
	text, ok := s.text(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.wrong(name, "Not a number of type LONG")
		return 0, false
	}
	return min(max(n, least), most), true
}

func (s *settings) millis(name string, least, most time.Duration) (time.Duration, bool) {
	n, ok := s.number(name, least.Milliseconds(), most.Milliseconds())
	return time.Duration(n) * time.Millisecond, ok
}

func (s *settings) yes(name string, otherwise bool) bool {
	switch text, ok := s.text(name); {
	case !ok:
		return otherwise
	case strings.EqualFold(text, "true"):
		return true
	case !strings.EqualFold(text, "false"):
		s.wrong(name, "Expected value to be either true or false")
	}
	return false
}

// oneOf returns the choice that a text stands for.
func oneOf[T any](s *settings, name string, choices map[string]T) (choice T, ok bool) {
	text, ok := s.text(name)
	if !ok {
		return choice, false
	}
	if choice, ok = choices[strings.ToLower(text)]; !ok {
		s.wrong(name, "String must be one of: "+strings.Join(slices.Sorted(maps.Keys(choices)), ", "))
	}
	return choice, ok
}

// accept takes settings that are as they should be without our doing.
func (s *settings) accept(names ...string) {
	for _, name := range names {
		s.asked[name] = true
	}
}

// acceptPrefixes does the same for all under one of prefixes.
func (s *settings) acceptPrefixes(prefixes ...string) {
	for name := range s.props {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			s.asked[name] = true
		}
	}
}

func (s *settings) err() error { return errors.Join(s.errs...) }

// ignored lists those of props that nobody asked for, and that say anything.
func (s *settings) ignored(props map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if !s.asked[name] && strings.TrimSpace(props[name]) != "" {
			names = append(names, name)
		}
	}
	return names
}

// isoDuration reads what Java's Duration.parse does, such as P1DT2H3M4.5S.
func isoDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration like P1DT2H", text)
	rest, ok := strings.CutPrefix(strings.ToUpper(text), "P")
	if !ok || rest == "" {
		return 0, bad
	}
	days, clock, hasTime := strings.Cut(rest, "T")
	var total time.Duration
	if days != "" {
		n, err := strconv.ParseUint(strings.TrimSuffix(days, "D"), 10, 16)
		if err != nil || !strings.HasSuffix(days, "D") {
			return 0, bad
		}
		total = time.Duration(n) * 24 * time.Hour
	}
	if hasTime {
		d, err := time.ParseDuration(strings.ToLower(clock))
		if err != nil || d < 0 || strings.Trim(clock, "0123456789.HMS") != "" {
			return 0, bad
		}
		total += d
	}
	return total, nil
}
