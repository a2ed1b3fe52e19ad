package mirror

import (
	"strings"

	"millrace/connectors"
)

// A filter says which names are replicated: those that an include matches in full and no exclude. A list is one pattern of
// Java's, its items being alternatives; an empty one matches nothing.
type filter struct{ include, exclude func(string) bool }

func nothing(string) bool { return false }

func (e Environment) pattern(key string, items []string) (func(string) bool, error) {
	if len(items) == 0 {
		return nothing, nil
	}
	joined := strings.Join(items, "|")
	matches, err := e.Regex(joined)
	if err != nil {
		return nil, connectors.InvalidValue(key, joined, "Not a list of names and regular expressions: "+err.Error())
	}
	return matches, nil
}

func (e Environment) filter(v connectors.Values, includeKey, excludeKey string) (f filter, err error) {
	if f.include, err = e.pattern(includeKey, v.List(includeKey)); err != nil {
		return f, err
	}
	f.exclude, err = e.pattern(excludeKey, v.List(excludeKey))
	return f, err
}

func (f filter) has(name string) bool { return f.include(name) && !f.exclude(name) }
