package javaregex

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A translator rewrites a pattern so that both engines understand it: named groups become plain ones, whose numbers are
// kept, since the engines disagree on them; classes are spelt out; possessive quantifiers become atomic groups.
type translator struct {
	pattern string
	pos     int
	out     strings.Builder
	text    string
	names   map[string]int
	groups  int
	opens   []int // where in out the open groups began
	atom    int   // where in out the thing began that a quantifier would repeat; -1 for nothing
}

func translate(pattern string) (*translator, error) {
	t := &translator{pattern: pattern, names: make(map[string]int), atom: -1}
	for t.pos < len(pattern) {
		if err := t.next(); err != nil {
			return nil, err
		}
	}
	if len(t.opens) > 0 {
		return nil, t.errorf("Unclosed group")
	}
	t.text = t.out.String()
	return t, nil
}

func (t *translator) errorf(format string, args ...any) error {
	return fmt.Errorf("%s near index %d in %s", fmt.Sprintf(format, args...), t.pos, t.pattern)
}

func (t *translator) next() error {
	c := t.pattern[t.pos]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		t.atom = t.out.Len()
		text, err := t.class()
		t.out.WriteString(text)
		return err
	case '(':
		return t.open()
	case ')':
		if len(t.opens) == 0 {
			return t.errorf("Unmatched closing ')'")
		}
		t.atom = t.opens[len(t.opens)-1]
		t.opens = t.opens[:len(t.opens)-1]
		t.out.WriteByte(c)
		t.pos++
	case '*', '+', '?', '{':
		return t.quantifier()
	case '|':
		t.out.WriteByte(c)
		t.pos++
		t.atom = -1
	case '^', '$', '.':
		t.emit(string(c), 1)
	default:
		_, size := utf8.DecodeRuneInString(t.pattern[t.pos:])
		t.emit(regexp.QuoteMeta(t.pattern[t.pos:t.pos+size]), size)
	}
	return nil
}

// emit writes an atom for size bytes of the pattern.
func (t *translator) emit(text string, size int) {
	t.atom = t.out.Len()
	t.out.WriteString(text)
	t.pos += size
}

func (t *translator) open() error {
	rest := t.pattern[t.pos:]
	t.opens = append(t.opens, t.out.Len())
	t.atom = -1
	switch {
	case !strings.HasPrefix(rest, "(?"):
		t.groups++
		t.out.WriteByte('(')
		t.pos++
	case strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?<=") && !strings.HasPrefix(rest, "(?<!"):
		name, _, ok := strings.Cut(rest[3:], ">")
		if !ok || !isName(name) {
			return t.errorf("named capturing group is missing trailing '>'")
		}
		if _, ok := t.names[name]; ok {
			return t.errorf("Named capturing group <%s> is already defined", name)
		}
		t.groups++
		t.names[name] = t.groups
		t.out.WriteByte('(')
		t.pos += len(name) + 4
	default:
		return t.flags(rest)
	}
	return nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != ""
}

// flags copies what opens a group that does not capture. A group of flags alone, (?i), holds on to the end of the one
// around it.
func (t *translator) flags(rest string) error {
	for _, prefix := range []string{"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"} {
		if strings.HasPrefix(rest, prefix) {
			t.out.WriteString(prefix)
			t.pos += len(prefix)
			return nil
		}
	}
	end := strings.IndexAny(rest, ":)")
	if end < 0 {
		return t.errorf("Unknown inline modifier")
	}
	var flags strings.Builder
	for _, c := range rest[2:end] {
		switch c {
		case 'i', 'm', 's', 'x', '-':
			flags.WriteRune(c)
		case 'd', 'u', 'U': // of no effect on ASCII
		default:
			return t.errorf("Unknown inline modifier")
		}
	}
	alone := rest[end] == ')'
	set := strings.TrimSuffix(flags.String(), "-")
	if !alone || set != "" {
		t.out.WriteString("(?" + set + rest[end:end+1])
	}
	if alone {
		t.opens = t.opens[:len(t.opens)-1]
	}
	t.pos += end + 1
	return nil
}

var repetition = regexp.MustCompile(`^\{(\d+)(?:,(\d*))?\}`)

func (t *translator) quantifier() error {
	rest := t.pattern[t.pos:]
	text := rest[:1]
	if rest[0] == '{' {
		m := repetition.FindStringSubmatch(rest)
		if m == nil || t.atom < 0 {
			return t.errorf("Illegal repetition")
		}
		low, err1 := strconv.Atoi(m[1])
		high, err2 := strconv.Atoi(m[2])
		if err1 != nil || m[2] != "" && (err2 != nil || high < low) {
			return t.errorf("Illegal repetition range")
		}
		text = m[0]
	}
	if t.atom < 0 {
		return t.errorf("Dangling meta character '%s'", text)
	}
	t.pos += len(text)
	rest = t.pattern[t.pos:]
	switch {
	case strings.HasPrefix(rest, "?"):
		text += "?"
		t.pos++
	case strings.HasPrefix(rest, "+"):
		t.pos++
		before := t.out.String()
		t.out.Reset()
		t.out.WriteString(before[:t.atom] + "(?>" + before[t.atom:] + text + ")")
		t.atom = -1
		return nil
	}
	t.out.WriteString(text)
	t.atom = -1
	return nil
}
