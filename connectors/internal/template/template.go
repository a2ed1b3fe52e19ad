package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/connectors"
)

// A Template is a parsed text. The zero Template is empty.
type Template struct {
	text  string
	parts []part
}

// A part is literal text, or a variable with an optional argument.
type part struct {
	literal  string
	variable string
	argument string
}

// Parse parses text; variables names what may stand in it, "header:" one that needs an argument. The error names the
// variable and the rule, not the key.
func Parse(text string, variables ...string) (Template, error) {
	t := Template{text: text}
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			t.parts = append(t.parts, part{literal: before})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return Template{}, fmt.Errorf("%q: a variable that starts with ${ needs a closing }", text)
		}
		p := part{variable: name}
		v, arg, hasArg := strings.Cut(name, ":")
		if hasArg {
			p.variable, p.argument = v+":", arg
		}
		if !slices.Contains(variables, p.variable) || hasArg && arg == "" {
			return Template{}, fmt.Errorf("%q: unknown variable ${%s}; there are %s", text, name, list(variables))
		}
		t.parts = append(t.parts, p)
		rest = tail
	}
	return t, nil
}

func list(variables []string) string {
	shown := make([]string, len(variables))
	for i, v := range variables {
		if strings.HasSuffix(v, ":") {
			v += "name"
		}
		shown[i] = "${" + v + "}"
	}
	return strings.Join(shown, ", ")
}

// String returns the text that was parsed.
func (t Template) String() string { return t.text }

// Constant reports whether the template has no variables.
func (t Template) Constant() bool {
	return !slices.ContainsFunc(t.parts, func(p part) bool { return p.variable != "" })
}

// Expand replaces each variable by what value says of it. The name of a variable with an argument ends in a colon.
func (t Template) Expand(value func(variable, argument string) (string, error)) (string, error) {
	if len(t.parts) == 1 && t.parts[0].variable == "" {
		return t.parts[0].literal, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.variable == "" {
			b.WriteString(p.literal)
			continue
		}
		s, err := value(p.variable, p.argument)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// SinkVariables are what ExpandSink knows.
var SinkVariables = []string{"topic", "partition", "key", "header:"}

// ExpandSink expands a template of SinkVariables for r. A missing or structured key or header is a *connectors.DataError.
func (t Template) ExpandSink(r *connectors.SinkRecord) (string, error) {
	return t.Expand(func(variable, argument string) (string, error) {
		switch variable {
		case "topic":
			return r.Topic, nil
		case "partition":
			return strconv.Itoa(int(r.Original.Partition)), nil
		case "key":
			return text("the key", r.Key)
		default:
			h, ok := r.Headers.Last(argument)
			if !ok {
				return "", &connectors.DataError{Msg: fmt.Sprintf("template %q: the record has no header %q", t.text, argument)}
			}
			return text("header "+argument, h.Value)
		}
	})
}

// text returns a plain value as text.
func text(what string, value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case bool, int8, int16, int32, int64, float32, float64:
		return fmt.Sprint(v), nil
	case nil:
		return "", &connectors.DataError{Msg: "template: " + what + " is null"}
	default:
		return "", &connectors.DataError{Msg: fmt.Sprintf("template: %s is a %T, not a plain value", what, value)}
	}
}

// LegalTopic replaces what may not stand in a topic's name by an underscore.
func LegalTopic(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
}
