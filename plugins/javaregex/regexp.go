package javaregex

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dlclark/regexp2"
)

// A Regexp is a compiled pattern. It may be used by several goroutines.
type Regexp struct {
	pattern string
	names   map[string]int
	whole   engine // anchored at both ends
	find    engine
}

// An engine returns where the first match and its groups begin and end (-1 for groups that took no part), nil for none.
type engine func(text string) []int

// Compile compiles a pattern.
func Compile(pattern string) (*Regexp, error) {
	t, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	r := &Regexp{pattern: pattern, names: t.names}
	if r.find, err = compile(t.text); err != nil {
		return nil, fmt.Errorf("%s in %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "), pattern)
	}
	if r.whole, err = compile(`\A(?:` + t.text + `)\z`); err != nil {
		return nil, fmt.Errorf("%w in %s", err, pattern)
	}
	return r, nil
}

// Check is Compile for those who only want to know whether pattern is right: see connectors.Regex.
func Check(pattern string) error {
	_, err := Compile(pattern)
	return err
}

func compile(text string) (engine, error) {
	if r, err := regexp.Compile(text); err == nil {
		return r.FindStringSubmatchIndex, nil
	}
	r, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, err
	}
	return func(text string) []int { return backtrack(r, text) }, nil
}

// backtrack translates the answer of the other engine, which counts characters.
func backtrack(r *regexp2.Regexp, text string) []int {
	m, err := r.FindStringMatch(text)
	if err != nil || m == nil { // the only error is a timeout, and none is set
		return nil
	}
	offsets := make([]int, 0, len(text)+1)
	for i := range text {
		offsets = append(offsets, i)
	}
	offsets = append(offsets, len(text))
	var found []int
	for _, g := range m.Groups() {
		if len(g.Captures) == 0 {
			found = append(found, -1, -1)
			continue
		}
		found = append(found, offsets[g.Index], offsets[g.Index+g.Length])
	}
	return found
}

// String returns the pattern.
func (r *Regexp) String() string { return r.pattern }

// MatchWhole reports whether the pattern matches all of text.
func (r *Regexp) MatchWhole(text string) bool { return r.whole(text) != nil }

// ReplaceFirst replaces the first match by replacement, in which $1 and ${name} stand for groups and a backslash takes
// the character after it its meaning. It fails on a group that there is not.
func (r *Regexp) ReplaceFirst(text, replacement string) (string, error) {
	m := r.find(text)
	if m == nil {
		return text, nil
	}
	var b strings.Builder
	b.WriteString(text[:m[0]])
	group := func(n int) {
		if m[2*n] >= 0 {
			b.WriteString(text[m[2*n]:m[2*n+1]])
		}
	}
	for i := 0; i < len(replacement); i++ {
		switch c := replacement[i]; c {
		case '\\':
			i++
			if i == len(replacement) {
				return "", fmt.Errorf("replacement %q: character to be escaped is missing", replacement)
			}
			b.WriteByte(replacement[i])
		case '$':
			n, length, err := r.reference(replacement[i+1:], len(m)/2)
			if err != nil {
				return "", fmt.Errorf("replacement %q: %w", replacement, err)
			}
			group(n)
			i += length
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(text[m[1]:])
	return b.String(), nil
}

// reference reads what follows a '$': the number of a group, with as many digits as there are groups for, or {name}.
func (r *Regexp) reference(s string, groups int) (n, length int, err error) {
	if s == "" {
		return 0, 0, fmt.Errorf("illegal group reference: group index is missing")
	}
	if s[0] == '{' {
		name, _, ok := strings.Cut(s[1:], "}")
		if !ok {
			return 0, 0, fmt.Errorf("named capturing group is missing trailing '}'")
		}
		n, ok := r.names[name]
		if !ok {
			return 0, 0, fmt.Errorf("No group with name {%s}", name) //nolint:staticcheck // Java's text
		}
		return n, len(name) + 2, nil
	}
	if !isDigit(s[0]) {
		return 0, 0, fmt.Errorf("illegal group reference")
	}
	n = int(s[0] - '0')
	if n >= groups {
		return 0, 0, fmt.Errorf("No group %d", n) //nolint:staticcheck // Java's text
	}
	length = 1
	for length < len(s) && isDigit(s[length]) && 10*n+int(s[length]-'0') < groups {
		n = 10*n + int(s[length]-'0')
		length++
	}
	return n, length, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
