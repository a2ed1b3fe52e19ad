package converters

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Limits of the parser that Kafka uses, against texts made to cost.
const (
	maxDepth  = 1000
	maxNumber = 1000 // characters
)

// A scanner reads JSON. It accepts zeros before numbers, as Kafka's parser is set to, and nothing else that JSON does not know.
// Errors are syntax errors.
type scanner struct {
	data []byte
	pos  int
}

// A kind is what a value looks like, under the name that messages have.
type kind string

const (
	kindNull    kind = "NULL"
	kindBoolean kind = "BOOLEAN"
	kindNumber  kind = "NUMBER"
	kindString  kind = "STRING"
	kindArray   kind = "ARRAY"
	kindObject  kind = "OBJECT"
	kindMissing kind = "MISSING"
)

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// kind returns what comes next, after blanks.
func (s *scanner) kind() (kind, error) {
	s.space()
	if s.pos >= len(s.data) {
		return kindMissing, nil
	}
	switch c := s.data[s.pos]; c {
	case '{':
		return kindObject, nil
	case '[':
		return kindArray, nil
	case '"':
		return kindString, nil
	case 't', 'f':
		return kindBoolean, nil
	case 'n':
		return kindNull, nil
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return kindNumber, nil
		}
	}
	return "", s.unexpected("a value")
}

func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return fmt.Errorf("unexpected end of JSON, want %s", want)
	}
	return fmt.Errorf("unexpected %q at byte %d, want %s", s.data[s.pos], s.pos, want)
}

// take takes one character after blanks.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// word takes true, false or null, with nothing that could belong to it behind.
func (s *scanner) word(word string) error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.unexpected(word)
	}
	s.pos += len(word)
	if s.pos < len(s.data) {
		if c := s.data[s.pos]; c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' {
			return s.unexpected("the end of " + word)
		}
	}
	return nil
}

func (s *scanner) boolean() (bool, error) {
	if s.data[s.pos] == 't' {
		return true, s.word("true")
	}
	return false, s.word("false")
}

// number takes a number and returns its text; whole says that it has neither a point nor an exponent.
func (s *scanner) number() (text []byte, whole bool, err error) {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	if err := s.digits(); err != nil {
		return nil, false, err
	}
	whole = true
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		whole = false
		s.pos++
		if err := s.digits(); err != nil {
			return nil, false, err
		}
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		whole = false
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if err := s.digits(); err != nil {
			return nil, false, err
		}
	}
	if s.pos-start > maxNumber {
		return nil, false, fmt.Errorf("number at byte %d has more than %d characters", start, maxNumber)
	}
	if s.pos < len(s.data) && !endsNumber(s.data[s.pos]) {
		return nil, false, s.unexpected("the end of a number")
	}
	return s.data[start:s.pos], whole, nil
}

func endsNumber(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ']', '}', '/', '#':
		return true
	}
	return false
}

func (s *scanner) digits() error {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	if s.pos == start {
		return s.unexpected("a digit")
	}
	return nil
}

// text takes a string. Without escapes, the result shares the memory of the input.
func (s *scanner) text() (string, error) {
	s.pos++
	start := s.pos
	ascii := true
	s.pos += plain(s.data[start:])
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			raw := s.data[start:s.pos]
			s.pos++
			if !ascii && !utf8.Valid(raw) {
				return "", fmt.Errorf("invalid UTF-8 in the string at byte %d", start)
			}
			return unsafe.String(unsafe.SliceData(raw), len(raw)), nil
		case c == '\\':
			return s.escapedText(start)
		case c < ' ':
			return "", s.unexpected("an escaped control character")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		s.pos++
	}
	return "", s.unexpected("the end of a string")
}

// escapedText goes on with a string in which there is an escape.
func (s *scanner) escapedText(start int) (string, error) {
	b := append(make([]byte, 0, s.pos-start+32), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			if !utf8.Valid(b) {
				return "", fmt.Errorf("invalid UTF-8 in the string at byte %d", start)
			}
			return string(b), nil
		case c < ' ':
			return "", s.unexpected("an escaped control character")
		case c != '\\':
			b = append(b, c)
			s.pos++
			continue
		}
		s.pos++
		r, err := s.escape()
		if err != nil {
			return "", err
		}
		b = utf8.AppendRune(b, r)
	}
	return "", s.unexpected("the end of a string")
}

// escape takes what follows a backslash. Half a surrogate pair becomes U+FFFD.
func (s *scanner) escape() (rune, error) {
	if s.pos >= len(s.data) {
		return 0, s.unexpected("an escape")
	}
	c := s.data[s.pos]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, err := s.unicode()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if len(s.data)-s.pos > 1 && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
			before := s.pos
			s.pos++
			low, err := s.unicode()
			if err != nil {
				return 0, err
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
			s.pos = before
		}
		return utf8.RuneError, nil
	default:
		return 0, s.unexpected("an escape")
	}
	s.pos++
	return rune(c), nil
}

// unicode takes u and four hexadecimal digits.
func (s *scanner) unicode() (rune, error) {
	s.pos++
	var r rune
	for range 4 {
		if s.pos >= len(s.data) {
			return 0, s.unexpected("a hexadecimal digit")
		}
		c := s.data[s.pos]
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, s.unexpected("a hexadecimal digit")
		}
		s.pos++
	}
	return r, nil
}

// skip takes a value of any kind and returns its bytes.
func (s *scanner) skip(depth int) ([]byte, error) {
	k, err := s.kind()
	if err != nil {
		return nil, err
	}
	start := s.pos
	switch k {
	case kindMissing:
		err = s.unexpected("a value")
	case kindNull:
		err = s.word("null")
	case kindBoolean:
		_, err = s.boolean()
	case kindNumber:
		_, _, err = s.number()
	case kindString:
		_, err = s.text()
	case kindArray:
		err = s.elements(depth, func() error {
			_, err := s.skip(depth + 1)
			return err
		})
	case kindObject:
		err = s.members(depth, func(string) error {
			_, err := s.skip(depth + 1)
			return err
		})
	}
	return s.data[start:s.pos], err
}

// elements takes an array and calls each at the beginning of every element; each takes it.
func (s *scanner) elements(depth int, each func() error) error {
	if depth >= maxDepth {
		return fmt.Errorf("nested deeper than %d at byte %d", maxDepth, s.pos)
	}
	s.pos++
	if s.take(']') {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.unexpected("',' or ']'")
		}
	}
}

// members takes an object and calls each at the beginning of every value; each takes it.
func (s *scanner) members(depth int, each func(name string) error) error {
	if depth >= maxDepth {
		return fmt.Errorf("nested deeper than %d at byte %d", maxDepth, s.pos)
	}
	s.pos++
	if s.take('}') {
		return nil
	}
	for {
		s.space()
		if s.pos >= len(s.data) || s.data[s.pos] != '"' {
			return s.unexpected("a member's name")
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.unexpected("':'")
		}
		if err := each(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.unexpected("',' or '}'")
		}
	}
}
