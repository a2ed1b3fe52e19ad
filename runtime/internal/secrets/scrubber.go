package secrets

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// quoted finds passwords within JAAS texts.
var quoted = regexp.MustCompile(`(?i)(?:password|secret|token)\s*=\s*["']([^"']+)["']`)

const (
	// Shorter values are too likely to be part of something else.
	shortest = 4
	// anywhere is the length from which a value is removed from within words, too.
	anywhere = 8
	// most bounds the values that a Scrubber knows; the oldest go.
	most = 256
)

// A Scrubber removes secret values from text. It is immutable; nil knows no secrets.
type Scrubber struct {
	values []string // oldest first
	order  []string // longest first, so that no part of one is left
	keys   map[string]bool
}

// With returns a Scrubber that knows more secrets. keys are names of configuration keys: they stay as they are, even if a secret
// reads the same.
func (s *Scrubber) With(values, keys []string) *Scrubber {
	n := &Scrubber{keys: make(map[string]bool, len(keys))}
	if s != nil {
		n.values = slices.Clone(s.values)
		for k := range s.keys {
			n.keys[k] = true
		}
	}
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" && v != Hidden && !slices.Contains(n.values, v) {
			n.values = append(n.values, v)
		}
	}
	n.values = n.values[max(0, len(n.values)-most):]
	for _, k := range keys {
		n.keys[k] = true
	}
	n.order = slices.SortedFunc(slices.Values(n.values), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return n
}

// Text returns text without the secrets.
func (s *Scrubber) Text(text string) string {
	if s == nil {
		return text
	}
	for _, v := range s.order {
		if !strings.Contains(text, v) {
			continue
		}
		// However short, the value that an error quotes is removed.
		text = strings.ReplaceAll(text, "Invalid value "+v+" for configuration ", "Invalid value "+Hidden+" for configuration ")
		if len(v) >= shortest {
			text = s.remove(text, v)
		}
	}
	return text
}

func (s *Scrubber) remove(text, value string) string {
	var b strings.Builder
	from := 0
	for {
		i := strings.Index(text[from:], value)
		if i < 0 {
			return b.String() + text[from:]
		}
		begin, end := from+i, from+i+len(value)
		b.WriteString(text[from:begin])
		if s.keeps(text, begin, end) {
			b.WriteString(value)
		} else {
			b.WriteString(Hidden)
		}
		from = end
	}
}

// keeps reports whether what stands from begin to end is part of a word that is no secret.
func (s *Scrubber) keeps(text string, begin, end int) bool {
	first, last := begin, end
	for first > 0 && inKey(text[first-1]) {
		first--
	}
	for last < len(text) && inKey(text[last]) {
		last++
	}
	word := text[first:last]
	if s.keys[strings.TrimRight(word, ".")] {
		return true
	}
	inside := first < begin || strings.TrimRight(text[end:last], ".") != ""
	return inside && end-begin < anywhere
}

func inKey(c byte) bool {
	return c == '.' || c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
