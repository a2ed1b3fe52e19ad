package clients

import (
	"errors"
	"fmt"
	"strings"
)

// parseJAAS reads the one entry of a sasl.jaas.config: a login module, a control flag, then name="value" options and a
// semicolon. Only module may be named. Errors do not show values.
func parseJAAS(text, module string) (map[string]string, error) {
	words, err := jaasWords(text)
	if err != nil {
		return nil, err
	}
	if len(words) < 3 || words[len(words)-1] != ";" {
		return nil, errors.New("must be a login module, a control flag and options, ended by a semicolon")
	}
	words = words[:len(words)-1]
	if words[0] != module {
		return nil, fmt.Errorf("must name the login module %s for this mechanism", module)
	}
	switch strings.ToLower(words[1]) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return nil, errors.New("the word after the login module must be required, requisite, sufficient or optional")
	}
	options := make(map[string]string)
	for rest := words[2:]; len(rest) > 0; rest = rest[3:] {
		if len(rest) < 3 || rest[1] != "=" || rest[0] == ";" || rest[2] == ";" || rest[2] == "=" {
			return nil, errors.New(`options must be name="value", and one entry is allowed`)
		}
		options[rest[0]] = rest[2]
	}
	return options, nil
}

// jaasWords splits a jaas text at blanks, = and ;. A quoted word is one, whatever is in it.
func jaasWords(text string) ([]string, error) {
	var words []string
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.IndexByte(" \t\r\n\f", c) >= 0:
			i++
		case c == '=' || c == ';':
			words = append(words, string(c))
			i++
		case c == '"' || c == '\'':
			word, length, ok := quoted(text[i:])
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			words = append(words, word)
			i += length
		default:
			end := strings.IndexAny(text[i:], " \t\r\n\f=;\"'")
			if end < 0 {
				end = len(text) - i
			}
			words = append(words, text[i:i+end])
			i += end
		}
	}
	return words, nil
}

// quoted reads a word in quotes, in which a backslash stands before a special character.
func quoted(text string) (word string, length int, ok bool) {
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
