package jaas

import (
	"errors"
	"fmt"
	"strings"
)

// A Module is one entry: a login module's class, its control flag in lower case, its options. Options may be secret.
type Module struct {
	Class, Flag string
	Options     map[string]string
}

// Parse reads entries like: class flag name="value" ...; Errors do not show values.
func Parse(text string) ([]Module, error) {
	words, err := scan(text)
	if err != nil {
		return nil, err
	}
	return modules(words)
}

// ParseFile reads sections like: Name { entries };
func ParseFile(text string) (map[string][]Module, error) {
	words, err := scan(text)
	if err != nil {
		return nil, err
	}
	sections := make(map[string][]Module)
	for len(words) > 0 {
		if len(words) < 2 || words[0].special || !words[1].is("{") {
			return nil, errors.New("a section must be a name and entries in braces")
		}
		name := words[0].text
		end := 2
		for end < len(words) && !words[end].is("}") {
			end++
		}
		if end+1 >= len(words) || !words[end+1].is(";") {
			return nil, fmt.Errorf("section %s must end with };", name)
		}
		if _, twice := sections[name]; twice {
			return nil, fmt.Errorf("section %s is there twice", name)
		}
		if sections[name], err = modules(words[2:end]); err != nil {
			return nil, fmt.Errorf("section %s: %w", name, err)
		}
		words = words[end+2:]
	}
	return sections, nil
}

func modules(words []word) ([]Module, error) {
	var list []Module
	for len(words) > 0 {
		end := 0
		for end < len(words) && !words[end].is(";") {
			end++
		}
		if end == len(words) || end < 2 || words[0].special {
			return nil, errors.New("must be a login module, a control flag and options, ended by a semicolon")
		}
		m, err := module(words[:end])
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		words = words[end+1:]
	}
	return list, nil
}

func module(words []word) (Module, error) {
	m := Module{Class: words[0].text, Flag: strings.ToLower(words[1].text), Options: make(map[string]string)}
	switch m.Flag {
	case "required", "requisite", "sufficient", "optional":
	default:
		return Module{}, errors.New("the word after the login module must be required, requisite, sufficient or optional")
	}
	for rest := words[2:]; len(rest) > 0; rest = rest[3:] {
		if len(rest) < 3 || rest[0].special || !rest[1].is("=") || rest[2].special {
			return Module{}, errors.New(`options must be name="value"`)
		}
		m.Options[rest[0].text] = rest[2].text
	}
	return m, nil
}

// A word is a name, a value, or one of the special characters.
type word struct {
	text    string
	special bool
}

func (w word) is(special string) bool { return w.special && w.text == special }

// scan splits at blanks and special characters, and leaves comments out. A quoted word is one, whatever is in it.
func scan(text string) ([]word, error) {
	const blanks, specials = " \t\r\n\f", "=;{}"
	var words []word
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := text[i]; {
		case strings.IndexByte(blanks, c) >= 0:
			i++
		case strings.HasPrefix(rest, "//"):
			i += len(rest)
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				i -= len(rest) - end
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				return nil, errors.New("a comment is not closed")
			}
			i += end + 2
		case strings.IndexByte(specials, c) >= 0:
			words = append(words, word{string(c), true})
			i++
		case c == '"' || c == '\'':
			value, length, ok := quoted(rest)
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			words = append(words, word{value, false})
			i += length
		default:
			end := strings.IndexAny(rest, blanks+specials+`"'`)
			if end < 0 {
				end = len(rest)
			}
			words = append(words, word{rest[:end], false})
			i += end
		}
	}
	return words, nil
}

// quoted reads a word in quotes, in which a backslash stands before a special character.
func quoted(text string) (value string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == text[0]:
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(text):
			i++
			switch e := text[i]; e {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			default:
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}
