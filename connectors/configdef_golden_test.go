package connectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
)

// A configCase is what Kafka's ConfigDef said to a definition and a configuration.
type configCase struct {
	Name     string
	Keys     []configKey
	Props    map[string]*string
	Define   *failure
	Parse    json.RawMessage
	Validate json.RawMessage
	// of to-text.json
	Type  connectors.ConfigType
	Value json.RawMessage
	Text  *string
}

type configKey struct {
	Name       string
	Type       connectors.ConfigType
	Default    json.RawMessage
	Required   *bool
	Dependents []string
	Validator  json.RawMessage
}

type failure struct{ Error, Message string }

type validated struct {
	Name        string
	Value       json.RawMessage
	Recommended []any
	Errors      []string
	Visible     bool
}

func goldenFiles(t *testing.T, kind string) []string {
	t.Helper()
	patterns := []string{filepath.Join("testdata", kind, "*.json")}
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		patterns = append(patterns, filepath.Join(dir, kind, "*.json"))
	}
	var files []string
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// framework are the recordings of Connect's own definitions, which this package does not have.
var framework = []string{"connector.json", "worker.json", "definitions.json"}

func TestConfigDefGolden(t *testing.T) {
	count := 0
	for _, file := range goldenFiles(t, "configdef") {
		if slices.Contains(framework, filepath.Base(file)) {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []configCase
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range cases {
			count++
			t.Run(filepath.Base(file)+"/"+c.Name, func(t *testing.T) { c.run(t) })
		}
	}
	t.Logf("golden: %d cases", count)
}

func (c configCase) run(t *testing.T) {
	if c.Keys == nil {
		got := c.Type.Text(goldenValue(t, c.Value))
		if diff := cmp.Diff(c.Text, got); diff != "" {
			t.Error(diff)
		}
		return
	}
	def, err := define(t, c.Keys)
	if c.Define != nil || err != nil {
		checkFailure(t, err, c.Define)
		return
	}
	c.checkParse(t, def)
	c.checkValidate(t, def)
}

// define returns the definition, or the error with which NewConfigDef panics.
func define(t *testing.T, keys []configKey) (def *connectors.ConfigDef, err error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			var ok bool
			if err, ok = p.(*connectors.ConfigError); !ok {
				panic(p)
			}
		}
	}()
	var list []connectors.ConfigKey
	for _, k := range keys {
		key := connectors.ConfigKey{
			Name: k.Name, Type: k.Type, Dependents: k.Dependents, ClassExists: javaClass,
			Required: k.Default == nil, Default: goldenValue(t, k.Default),
		}
		if k.Required != nil {
			key.Required = *k.Required
		}
		key.Validator = goldenCheck(t, k.Validator)
		switch k.Name {
		case "colour":
			key.Recommender = colours{}
		case "shade":
			key.Recommender = noList{}
		}
		list = append(list, key)
	}
	return connectors.NewConfigDef(list...), nil
}

// javaClass stands for the class path that the recordings were made with.
func javaClass(class string) bool {
	return class != "no.such" && !strings.HasSuffix(class, "Cast.Value")
}

type colours struct{}

func (colours) ValidValues(string, map[string]any) []any { return []any{"red", "blue"} }

func (colours) Visible(_ string, parsed map[string]any) bool { return parsed["colourful"] == true }

type noList struct{ colours }

func (noList) CheckRecommend(string, map[string]any) error { return errors.New("no list today") }

func goldenCheck(t *testing.T, raw json.RawMessage) connectors.ConfigCheck {
	t.Helper()
	if raw == nil || string(raw) == "null" {
		return nil
	}
	if string(raw) == `"[1,...]"` {
		return connectors.AtLeast(1)
	}
	var v struct {
		Kind, Text string
		Args       []any
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var numbers []float64
	var words []string
	for _, a := range v.Args {
		if f, ok := a.(float64); ok {
			numbers = append(numbers, f)
		}
		words = append(words, fmt.Sprint(a))
	}
	checks := map[string]func() connectors.ConfigCheck{
		"at least":                             func() connectors.ConfigCheck { return connectors.AtLeast(numbers[0]) },
		"between":                              func() connectors.ConfigCheck { return connectors.Between(numbers[0], numbers[1]) },
		"one of":                               func() connectors.ConfigCheck { return connectors.In(words...) },
		"one of, case insensitive":             func() connectors.ConfigCheck { return connectors.CaseInsensitiveIn(words...) },
		"list of":                              func() connectors.ConfigCheck { return connectors.ListOf(words...) },
		"non-empty list of":                    func() connectors.ConfigCheck { return connectors.NonEmptyListOf(words...) },
		"list, may be empty, not null":         func() connectors.ConfigCheck { return connectors.DistinctList(true, false) },
		"list, may be empty or null":           func() connectors.ConfigCheck { return connectors.DistinctList(true, true) },
		"list, not empty, not null":            func() connectors.ConfigCheck { return connectors.DistinctList(false, false) },
		"list of at most":                      func() connectors.ConfigCheck { return connectors.ListAtMost(int(numbers[0])) },
		"non-empty list (transforms)":          connectors.NonEmptyList,
		"non-null":                             connectors.NonNull,
		"non-empty":                            connectors.NonEmpty,
		"non-empty without control characters": connectors.NonEmptyWithoutControlChars,
		"regex":                                func() connectors.ConfigCheck { return connectors.Regex(compile) },
		"non-empty and regex": func() connectors.ConfigCheck {
			return connectors.AllOf(connectors.NonEmpty(), connectors.Regex(compile))
		},
		"even number": func() connectors.ConfigCheck {
			return connectors.CheckFunc("even", func(value any) string {
				if n, ok := value.(int32); ok && n%2 != 0 {
					return "must be even"
				}
				return ""
			})
		},
	}
	create, ok := checks[v.Kind]
	if !ok {
		t.Fatalf("unknown check %s", v.Kind)
	}
	check := create()
	if check.String() != v.Text {
		t.Errorf("check reads %q, want %q", check, v.Text)
	}
	return check
}

func compile(pattern string) error {
	_, err := regexp.Compile(pattern)
	return err
}

func (c configCase) checkParse(t *testing.T, def *connectors.ConfigDef) {
	t.Helper()
	got, err := def.Parse(c.Props)
	var f failure
	if json.Unmarshal(c.Parse, &f) == nil && f.Error != "" {
		checkFailure(t, err, &f)
		return
	}
	if err != nil {
		t.Errorf("parse: %v", err)
		return
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(c.Parse, &want); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("parse: got %v", got)
	}
	for k, raw := range want {
		if w := goldenValue(t, raw); !equal(got[k], w) {
			t.Errorf("parse: %s is %#v, want %#v", k, got[k], w)
		}
	}
}

func (c configCase) checkValidate(t *testing.T, def *connectors.ConfigDef) {
	t.Helper()
	got := make(map[string]*connectors.ConfigValue)
	for _, v := range def.Validate(c.Props) {
		got[v.Name] = v
	}
	var want []validated
	if err := json.Unmarshal(c.Validate, &want); err != nil {
		return // validation itself failed, in a null pointer: we report it
	}
	if len(got) != len(want) {
		t.Errorf("validate: got %d keys, want %d", len(got), len(want))
	}
	for _, w := range want {
		g := got[w.Name]
		if g == nil {
			t.Errorf("validate: no %s", w.Name)
			continue
		}
		if v := goldenValue(t, w.Value); !equal(g.Value, v) || g.Visible != w.Visible {
			t.Errorf("validate: %s is %#v (visible %v), want %#v (%v)", w.Name, g.Value, g.Visible, v, w.Visible)
		}
		if diff := cmp.Diff(essence(w.Errors), essence(g.Errors)); diff != "" {
			t.Errorf("validate: errors of %s (-want +got)\n%s", w.Name, diff)
		}
		if len(w.Recommended)+len(g.RecommendedValues) > 0 && !cmp.Equal(w.Recommended, g.RecommendedValues) {
			t.Errorf("validate: recommended %v, want %v", g.RecommendedValues, w.Recommended)
		}
	}
}

// essence cuts what a compiler of regular expressions says off messages.
func essence(errs []string) []string {
	cut := []string{}
	for _, e := range errs {
		before, _, _ := strings.Cut(e, "Invalid regex:")
		cut = append(cut, before)
	}
	return cut
}

func checkFailure(t *testing.T, err error, want *failure) {
	t.Helper()
	if err == nil || want == nil {
		t.Errorf("got error %v, want %v", err, want)
		return
	}
	if want.Error != "ConfigException" {
		return
	}
	message := strings.ReplaceAll(want.Message, ", but it was a java.lang.Long", "")
	if got := essence([]string{err.Error()})[0]; got != essence([]string{message})[0] {
		t.Errorf("got error %q, want %q", err, want.Message)
	}
}

func equal(got, want any) bool {
	if f, ok := got.(float64); ok && math.IsNaN(f) {
		w, ok := want.(float64)
		return ok && math.IsNaN(w)
	}
	return cmp.Equal(got, want)
}

// goldenValue decodes a recorded configuration value.
func goldenValue(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	if raw == nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	switch v := v.(type) {
	case []any:
		list := []string{}
		for _, e := range v {
			list = append(list, e.(string))
		}
		return list
	case map[string]any:
		for tag, content := range v {
			text := fmt.Sprint(content)
			bits := map[string]int{"int16": 16, "int32": 32, "int64": 64}[tag]
			n, err := strconv.ParseInt(text, 10, max(bits, 1))
			switch tag {
			case "password":
				return connectors.Password(text)
			case "class":
				return text
			case "float64":
				f, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			if err != nil {
				t.Fatal(err)
			}
			switch bits {
			case 16:
				return int16(n)
			case 32:
				return int32(n)
			}
			return n
		}
	}
	return v
}
