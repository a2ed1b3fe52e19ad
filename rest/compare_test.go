package rest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A comparison walks a recorded answer and ours and notes every difference, by the rules beside the recordings: definitions, plugins and
// offsets are compared by name, lists of texts as sets, traces and messages by what a user would see.
type comparison struct {
	step   *step
	loose  []string
	fields int
	lines  []string
}

// answer is a response without what differs from worker to worker.
type answer struct {
	status  int
	headers map[string]string
	body    any
	hasBody bool
	text    string
}

// rule reports whether one of patterns, paths with * for any part, names path.
func rule(patterns []string, path []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern string, path []string) bool {
	pattern = strings.Trim(pattern, "/")
	var parts []string
	if pattern != "" {
		parts = strings.Split(pattern, "/")
	}
	if len(parts) != len(path) {
		return false
	}
	for i, p := range parts {
		if p != "*" && p != path[i] {
			return false
		}
	}
	return true
}

func (c *comparison) differ(path []string, want, got any) {
	c.lines = append(c.lines, fmt.Sprintf("/%s: want %s, got %s", strings.Join(path, "/"), short(want), short(got)))
}

func (c *comparison) same(path []string, want, got any) {
	c.fields++
	if toJSON(want) != toJSON(got) {
		c.differ(path, want, got)
	}
}

func (c *comparison) answers(want *response, got answer) {
	c.same([]string{"status"}, want.Status, got.status)
	html := strings.Contains(want.Headers["content-type"], "html")
	for k, v := range want.Headers {
		if !html {
			c.same([]string{"header", k}, v, got.headers[k])
		}
	}
	switch {
	case want.hasBody:
		if !got.hasBody {
			c.differ(nil, want.Body, "text "+got.text)
			return
		}
		c.walk(nil, chosen(c.step, want.Body), chosen(c.step, got.body))
	case want.Text != nil:
		if !html && !rule(c.loose, nil) {
			c.same(nil, *want.Text, got.text)
		}
	case got.hasBody || got.text != "":
		c.differ(nil, "an empty body", got.text+toJSON(got.body))
	}
}

func (c *comparison) walk(path []string, want, got any) {
	if rule(c.step.Ignore, path) {
		return
	}
	if rule(c.loose, path) {
		c.fields++
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) || empty(want) != empty(got) {
			c.differ(path, want, got)
		}
		return
	}
	last := ""
	if len(path) > 0 {
		last = path[len(path)-1]
	}
	if last == "message" || len(path) > 1 && path[len(path)-2] == "errors" {
		want, got = plain(want), plain(got)
	}
	for pattern, text := range c.step.Starts {
		if matches(pattern, path) {
			c.fields++
			if s, ok := got.(string); !ok || !strings.HasPrefix(s, text) {
				c.differ(path, text+"...", got)
			}
			return
		}
	}
	if last == "trace" && len(path) > 0 {
		c.trace(path, want, got)
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			c.members(path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			c.elements(path, w, g)
			return
		}
	}
	c.same(path, want, got)
}

func (c *comparison) trace(path []string, want, got any) {
	c.fields++
	s, ok := got.(string)
	if !ok || strings.TrimSpace(s) == "" {
		c.differ(path, want, got)
		return
	}
	switch c.step.Trace {
	case "", "any":
	case "message":
		want, got = plain(want), plain(got)
		fallthrough
	default:
		if want != got {
			c.differ(path, want, got)
		}
	}
}

func (c *comparison) members(path []string, want, got map[string]any) {
	for k, w := range want {
		at := append(slices.Clone(path), k)
		if g, ok := got[k]; ok {
			c.walk(at, w, g)
		} else if !rule(c.step.Ignore, at) {
			c.differ(at, w, "nothing")
		}
	}
	for k, g := range got {
		at := append(slices.Clone(path), k)
		more := len(path) > 0 && path[len(path)-1] == "definition" && k == "order"
		if _, ok := want[k]; !ok && !more && !rule(c.step.Ignore, at) {
			c.differ(at, "nothing", g)
		}
	}
	if len(want) == 0 && len(got) == 0 {
		c.fields++
	}
}

func (c *comparison) elements(path []string, want, got []any) {
	all := slices.Concat(want, got)
	switch {
	case len(all) > 0 && !slices.ContainsFunc(all, func(x any) bool { return identity(x) == "" }):
		c.named(path, want, got)
	case slices.ContainsFunc(all, isContainer) || len(path) > 0 && path[len(path)-1] == "errors":
		if len(want) != len(got) {
			c.differ(path, want, got)
		}
		for i := range min(len(want), len(got)) {
			c.walk(append(slices.Clone(path), strconv.Itoa(i)), want[i], got[i])
		}
	default:
		c.fields += max(len(want), 1)
		open := len(path) > 0 && (path[len(path)-1] == "groups" || path[len(path)-1] == "recommended_values")
		if !within(want, got) || !open && !within(got, want) || len(want) > len(got) {
			c.differ(path, want, got)
		}
	}
}

// named compares elements by their identity: more plugins or keys than recorded are fine, more errors or offsets are not.
func (c *comparison) named(path []string, want, got []any) {
	a, b := byIdentity(want), byIdentity(got)
	first, _ := slices.Concat(want, got)[0].(map[string]any)
	_, fixed := first["partition"]
	for k, w := range a {
		at := append(slices.Clone(path), k)
		if g, ok := b[k]; ok {
			c.walk(at, w, g)
		} else {
			c.differ(at, w, "nothing")
		}
	}
	for k, g := range b {
		if _, ok := a[k]; ok {
			continue
		}
		value, _ := g.(map[string]any)["value"].(map[string]any)
		errs, _ := value["errors"].([]any)
		if fixed || len(errs) > 0 {
			c.differ(append(slices.Clone(path), k), "nothing", g)
		}
	}
}

func byIdentity(list []any) map[string]any {
	m := make(map[string]any, len(list))
	for _, x := range list {
		m[identity(x)] = x
	}
	return m
}

// identity is what names an element of a list whose order says nothing; empty for other elements.
func identity(x any) string {
	m, ok := x.(map[string]any)
	if !ok {
		return ""
	}
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { _, ok := m[n]; return !ok })
	}
	name := func(v any) string {
		inner, _ := v.(map[string]any)
		s, _ := inner["name"].(string)
		return s
	}
	switch {
	case has("definition", "value"):
		if n := name(m["value"]); n != "" {
			return n
		}
		return name(m["definition"]) + " " // an empty name is one too
	case has("display_name"):
		return name(m)
	case has("class", "type"):
		return fmt.Sprint(m["class"], " ", m["type"])
	case has("partition", "offset"):
		return toJSON(m["partition"])
	}
	return ""
}

func isContainer(x any) bool {
	switch x.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func within(a, b []any) bool {
	return !slices.ContainsFunc(a, func(x any) bool {
		return !slices.ContainsFunc(b, func(y any) bool { return fmt.Sprint(x) == fmt.Sprint(y) })
	})
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

var (
	exceptionName = regexp.MustCompile(`^([a-z]\w*\.)+[\w$]*(Exception|Error): `)
	printedConfig = regexp.MustCompile(`(?s)^Connector config \{.*\} contains`)
	regexReason   = regexp.MustCompile(`(?s)(Invalid regex: ).*`)
	insensitive   = regexp.MustCompile(`(one of \(case insensitive\): )(.*)`)
)

// plain is a message without what only Java says: exception names, printed maps, the words of its regex compiler.
func plain(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	for exceptionName.MatchString(s) {
		s = exceptionName.ReplaceAllString(s, "")
	}
	s = printedConfig.ReplaceAllString(s, "Connector config contains")
	s = regexReason.ReplaceAllString(s, "${1}...")
	return insensitive.ReplaceAllStringFunc(s, func(m string) string {
		parts := insensitive.FindStringSubmatch(m)
		values := strings.Split(parts[2], ", ")
		sort.Strings(values)
		return parts[1] + strings.Join(values, ", ")
	})
}

// chosen is the part of a list or object that the step's only names.
func chosen(s *step, body any) any {
	starts := func(name string) bool {
		return slices.ContainsFunc(s.Only, func(w string) bool { return strings.HasPrefix(name, w) })
	}
	if len(s.Only) == 0 {
		return body
	}
	switch b := body.(type) {
	case map[string]any:
		if _, isError := b["error_code"]; isError {
			return b
		}
		kept := make(map[string]any)
		for k, v := range b {
			if starts(k) {
				kept[k] = v
			}
		}
		return kept
	case []any:
		kept := []any{}
		for _, x := range b {
			name, ok := x.(string)
			if m, isMap := x.(map[string]any); isMap && !ok {
				if name, ok = m["class"].(string); !ok {
					name, _ = m["name"].(string)
				}
			}
			if starts(name) {
				kept = append(kept, x)
			}
		}
		return kept
	}
	return body
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func short(v any) string {
	s, ok := v.(string)
	if !ok {
		s = toJSON(v)
	}
	if len(s) > 400 {
		s = s[:400] + "..."
	}
	return s
}
