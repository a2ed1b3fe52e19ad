package javaregex

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shorthands are the members of Java's ASCII classes.
var shorthands = map[byte]string{'d': "0-9", 'w': "a-zA-Z0-9_", 's': " \\t\\n\x0B\\f\\r", 'h': " \\t\u00A0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000", 'v': "\\n\x0B\\f\\r\u0085\u2028\u2029"}

// posix are the members of Java's named ASCII classes.
var posix = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": "\x00-\x7F", "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": `!-/:-@\[-` + "`{-~", "Graph": "!-~", "Print": " -~", "Blank": " \\t", "Cntrl": "\x00-\x1F\x7F", "XDigit": "0-9a-fA-F",
	"Space": " \\t\\n\x0B\\f\\r", "javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`, "IsAlphabetic": `\p{L}`, "IsDigit": `\p{Nd}`,
	"IsLetter": `\p{L}`, "IsUppercase": `\p{Lu}`, "IsLowercase": `\p{Ll}`, "IsPunctuation": `\p{P}`, "IsWhite_Space": `\s`,
}

// escape translates an escape outside of classes.
func (t *translator) escape() error {
	rest := t.pattern[t.pos:]
	if len(rest) < 2 {
		return t.errorf("Unexpected end after a backslash")
	}
	switch c := rest[1]; c {
	case 'Q':
		literal, _, ended := strings.Cut(rest[2:], `\E`)
		t.pos += 2 + len(literal)
		if ended {
			t.pos += 2
		}
		for _, r := range literal { // a quantifier would only repeat the last
			t.atom = t.out.Len()
			t.out.WriteString(regexp.QuoteMeta(string(r)))
		}
		return nil
	case 'k':
		name, _, ok := strings.Cut(strings.TrimPrefix(rest[2:], "<"), ">")
		n, known := t.names[name]
		if !ok || !known {
			return t.errorf("named capturing group <%s> does not exist", name)
		}
		t.emit(`(?:\`+strconv.Itoa(n)+")", len(name)+4)
		return nil
	case 'b', 'B', 'A', 'z', 'Z', 'G':
		t.emit(rest[:2], 2)
		return nil
	case 'R':
		t.emit("(?:\\r\\n|["+shorthands['v']+"])", 2)
		return nil
	default:
		if c >= '1' && c <= '9' {
			t.emit(`(?:\`+string(c)+")", 2)
			return nil
		}
	}
	text, size, err := t.member(rest)
	if err != nil {
		return err
	}
	t.emit("["+text+"]", size)
	return nil
}

// member translates an escape that stands for one or several characters, for use within a class.
func (t *translator) member(rest string) (text string, size int, err error) {
	if len(rest) < 2 {
		return "", 0, t.errorf("Unexpected end after a backslash")
	}
	c := rest[1]
	if members, ok := shorthands[c]; ok {
		return members, 2, nil
	}
	switch c {
	case 'D':
		return `\D`, 2, nil
	case 'W':
		return `\W`, 2, nil
	case 'S':
		return `\S`, 2, nil
	case 't', 'n', 'r', 'f', 'a':
		return rest[:2], 2, nil
	case 'e':
		return "\x1B", 2, nil
	case 'p', 'P':
		return t.property(rest)
	case 'x', 'u', '0':
		return t.code(rest)
	case 'c':
		if len(rest) < 3 {
			return "", 0, t.errorf("Illegal control escape sequence")
		}
		return quoteMember(rune(rest[2] ^ 64)), 3, nil
	}
	if c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) {
		return "", 0, t.errorf("Illegal/unsupported escape sequence")
	}
	r, n := utf8.DecodeRuneInString(rest[1:])
	return quoteMember(r), 1 + n, nil
}

func (t *translator) property(rest string) (string, int, error) {
	name, size := rest[2:min(3, len(rest))], 3
	if strings.HasPrefix(rest[2:], "{") {
		inner, _, ok := strings.Cut(rest[3:], "}")
		if !ok {
			return "", 0, t.errorf("Unclosed character family")
		}
		name, size = inner, len(inner)+4
	}
	if name == "" {
		return "", 0, t.errorf("Unknown character property name {%s}", name)
	}
	members, ok := posix[name]
	if ok && rest[1] == 'p' {
		return members, size, nil
	}
	if ok { // a set without these; both engines know \P only for Unicode's own
		return "", 0, t.errorf("\\P{%s} is not supported, write [^\\p{%s}]", name, name)
	}
	return `\` + rest[1:2] + "{" + strings.TrimPrefix(name, "Is") + "}", size, nil
}

// code reads \xhh, \x{h..h}, \uhhhh and \0 with octal digits.
func (t *translator) code(rest string) (string, int, error) {
	digits, base, size := "", 16, 0
	switch {
	case strings.HasPrefix(rest, `\x{`):
		inner, _, ok := strings.Cut(rest[3:], "}")
		if !ok {
			return "", 0, t.errorf("Unclosed hexadecimal escape sequence")
		}
		digits, size = inner, len(inner)+4
	case rest[1] == 'x' && len(rest) >= 4:
		digits, size = rest[2:4], 4
	case rest[1] == 'u' && len(rest) >= 6:
		digits, size = rest[2:6], 6
	case rest[1] == '0':
		end := 2
		for end < len(rest) && end < 5 && rest[end] >= '0' && rest[end] <= '7' {
			end++
		}
		digits, base, size = rest[2:end], 8, end
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || n > utf8.MaxRune {
		return "", 0, t.errorf("Illegal escape sequence of a character code")
	}
	return quoteMember(rune(n)), size, nil
}

// quoteMember quotes a character within a class.
func quoteMember(r rune) string {
	switch r {
	case '\\', ']', '[', '^', '-', '&':
		return `\` + string(r)
	}
	return string(r)
}

// class translates a class, which begins at pos. Classes within it are united with it; an intersection becomes a look ahead
// before a class.
func (t *translator) class() (string, error) {
	t.pos++
	negated := false
	if strings.HasPrefix(t.pattern[t.pos:], "^") {
		negated = true
		t.pos++
	}
	var members strings.Builder
	var ahead []string // the other sides of intersections
	first := true
	for ; ; first = false {
		rest := t.pattern[t.pos:]
		switch {
		case rest == "":
			return "", t.errorf("Unclosed character class")
		case rest[0] == ']' && !first:
			t.pos++
			return joined(members.String(), ahead, negated), nil
		case strings.HasPrefix(rest, "&&"):
			t.pos += 2
			ahead = append(ahead, "["+members.String()+"]")
			members.Reset()
		case rest[0] == '[':
			inner, err := t.class()
			if err != nil {
				return "", err
			}
			if plain, ok := strings.CutPrefix(inner, "["); ok && !strings.HasPrefix(plain, "^") {
				members.WriteString(strings.TrimSuffix(plain, "]"))
			} else if members.Len() == 0 && len(ahead) > 0 { // && and a class that cannot be united
				ahead = append(ahead, inner)
			} else {
				return "", t.errorf("A union with a negated class is not supported")
			}
		case rest[0] == '\\':
			text, size, err := t.member(rest)
			if err != nil {
				return "", err
			}
			members.WriteString(text)
			t.pos += size
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if r == '-' { // of a range or itself, as the engines see it
				members.WriteByte('-')
			} else {
				members.WriteString(quoteMember(r))
			}
			t.pos += size
		}
	}
}

// joined puts a class together: what is in members and in all of ahead.
func joined(members string, ahead []string, negated bool) string {
	if len(ahead) == 0 {
		if negated {
			return "[^" + members + "]"
		}
		return "[" + members + "]"
	}
	if members != "" {
		ahead = append(ahead, "["+members+"]")
	}
	last := len(ahead) - 1
	text := ahead[last]
	for _, a := range ahead[:last] {
		text = "(?=" + a + ")" + text
	}
	if negated {
		return "(?:(?!" + text + ")[\\s\\S])"
	}
	return "(?:" + text + ")"
}
