package jsonschema

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
	"unsafe"

	"millrace/connectors"
)

// maxDepth bounds how deep schemas and texts nest.
const maxDepth = 100

func dataError(format string, args ...any) error {
	return &connectors.DataError{Msg: fmt.Sprintf(format, args...)}
}

// A scanner is a place in a JSON text.
type scanner struct {
	data []byte
	pos  int
	// steps is how many more values may be read: trying one branch of a oneOf after the other reads some several times.
	steps int
}

func newScanner(data []byte) *scanner {
	return &scanner{data: data, steps: 100 + 64*len(data)}
}

func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return dataError("JSON ends at byte %d where %s should be", len(s.data), want)
	}
	return dataError("JSON has %q at byte %d where %s should be", s.data[s.pos], s.pos, want)
}

// peek skips blanks and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// take skips c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.pos >= len(s.data) {
		return false
	}
	s.pos++
	return true
}

// word skips a word if it is next.
func (s *scanner) word(word string) bool {
	s.peek()
	end := s.pos + len(word)
	if end > len(s.data) || string(s.data[s.pos:end]) != word {
		return false
	}
	s.pos = end
	return true
}

// text reads a string, which shares memory with the text if it can.
func (s *scanner) text() (string, error) {
	if s.peek() != '"' {
		return "", s.unexpected("a string")
	}
	start := s.pos + 1
	plain, ascii := true, true
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			raw := s.data[start:i]
			if plain && (ascii || utf8.Valid(raw)) {
				return unsafe.String(unsafe.SliceData(raw), len(raw)), nil // the text is never changed
			}
			var text string
			if err := json.Unmarshal(s.data[start-1:s.pos], &text); err != nil {
				return "", dataError("JSON has an invalid string at byte %d: %v", start-1, err)
			}
			return text, nil
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			return "", dataError("JSON has a control character in a string at byte %d", i)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", dataError("JSON ends in a string that begins at byte %d", start-1)
}

// number returns the text of a number.
func (s *scanner) number() ([]byte, error) {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return nil, s.unexpected("a number")
	}
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			s.pos++
			continue
		}
		break
	}
	return s.data[start:s.pos], nil
}

// list calls each at the start of every element.
func (s *scanner) list(each func() error) error {
	if !s.take('[') {
		return s.unexpected("a list")
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if s.take(',') {
			continue
		}
		if s.take(']') {
			return nil
		}
		return s.unexpected("a comma or the end of the list")
	}
}

// object calls each at the start of every member's value.
func (s *scanner) object(each func(name string) error) error {
	if !s.take('{') {
		return s.unexpected("an object")
	}
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.unexpected("a colon")
		}
		if err := each(name); err != nil {
			return err
		}
		if s.take(',') {
			continue
		}
		if s.take('}') {
			return nil
		}
		return s.unexpected("a comma or the end of the object")
	}
}

// skip skips a value.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return dataError("JSON is nested more than %d deep", maxDepth)
	}
	var err error
	switch c := s.peek(); {
	case c == '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.list(func() error { return s.skip(depth + 1) })
	case c == '"':
		_, err = s.text()
	case c == 't' && s.word("true"), c == 'f' && s.word("false"), c == 'n' && s.word("null"):
	default:
		_, err = s.number()
	}
	return err
}
