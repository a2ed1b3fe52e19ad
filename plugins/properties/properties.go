package properties

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An Entry is one key with its value. Line is where the key begins, counted from 1.
type Entry struct {
	Key, Value string
	Line       int
}

// A SyntaxError is a line that Java would refuse too.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Parse returns the entries of a file in their order. The error is a *SyntaxError.
func Parse(data []byte) ([]Entry, error) {
	r := reader{text: strings.TrimPrefix(decode(data), "\ufeff"), line: 1}
	var entries []Entry
	for {
		text, line, ok := r.logicalLine()
		if !ok {
			return entries, nil
		}
		rawKey, rawValue := split(text)
		key, err := unescape(rawKey)
		if err != nil {
			return nil, &SyntaxError{Line: line, Msg: err.Error()}
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, &SyntaxError{Line: line, Msg: fmt.Sprintf("%s: %v", key, err)}
		}
		entries = append(entries, Entry{Key: key, Value: value, Line: line})
	}
}

func decode(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// A reader walks the natural lines of a file and joins the continued ones.
type reader struct {
	text string
	pos  int
	line int
}

// logicalLine returns the next line that is neither blank nor a comment, its continuations appended, and where it began.
func (r *reader) logicalLine() (text string, line int, ok bool) {
	for r.pos < len(r.text) {
		line = r.line
		one := strings.TrimLeft(r.naturalLine(), blanks)
		if one == "" || one[0] == '#' || one[0] == '!' {
			continue
		}
		var b strings.Builder
		for continued(one) {
			b.WriteString(one[:len(one)-1])
			if one = ""; r.pos < len(r.text) {
				one = strings.TrimLeft(r.naturalLine(), blanks)
			}
		}
		b.WriteString(one)
		if b.Len() > 0 {
			return b.String(), line, true
		}
	}
	return "", 0, false
}

const blanks = " \t\f"

// naturalLine returns the text up to the next line end (\n, \r or \r\n) and moves behind it.
func (r *reader) naturalLine() string {
	rest := r.text[r.pos:]
	r.line++
	end := strings.IndexAny(rest, "\r\n")
	if end < 0 {
		r.pos = len(r.text)
		return rest
	}
	r.pos += end + 1
	if strings.HasPrefix(rest[end:], "\r\n") {
		r.pos++
	}
	return rest[:end]
}

// continued reports whether a line ends with a backslash that is not itself escaped.
func continued(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// split cuts a logical line at the first separator that is not escaped: blanks, = or :, or one of those within blanks.
func split(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=:"+blanks, line[i]) >= 0 {
			end = i
			break
		}
	}
	key = line[:end]
	value = strings.TrimLeft(line[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return key, value
}

var controls = map[byte]byte{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f'}

// unescape resolves \t \n \r \f \uXXXX; any other escaped character stands for itself.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break // a backslash at the very end of the file means nothing
		}
		if s[i] != 'u' {
			c := s[i]
			if control, ok := controls[c]; ok {
				c = control
			}
			b.WriteByte(c)
			continue
		}
		unit, err := hex4(s[i+1:])
		if err != nil {
			return "", err
		}
		i += 4
		if utf16.IsSurrogate(unit) && strings.HasPrefix(s[i+1:], `\u`) {
			if low, err := hex4(s[i+3:]); err == nil && utf16.DecodeRune(unit, low) != utf8.RuneError {
				unit = utf16.DecodeRune(unit, low)
				i += 6
			}
		}
		b.WriteRune(unit)
	}
	return b.String(), nil
}

func hex4(s string) (rune, error) {
	s = s[:min(4, len(s))]
	n, err := strconv.ParseUint(s, 16, 16)
	if err != nil || len(s) < 4 {
		return 0, fmt.Errorf(`\u%s is no character: want four hexadecimal digits`, s)
	}
	return rune(n), nil
}
