package jaas_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/plugins/jaas"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want []jaas.Module
		err  string
	}{
		{`a.B Required user="x" password='y"\'';`, []jaas.Module{{"a.B", "required", map[string]string{"user": "x", "password": `y"'`}}}, ""},
		{"a.B optional n = v ; c.D sufficient\n;", []jaas.Module{{"a.B", "optional", map[string]string{"n": "v"}}, {"c.D", "sufficient", map[string]string{}}}, ""},
		{`a.B required url="http://x;{}"; // the end`, []jaas.Module{{"a.B", "required", map[string]string{"url": "http://x;{}"}}}, ""},
		{`a.B required n="=";`, []jaas.Module{{"a.B", "required", map[string]string{"n": "="}}}, ""},
		{"", nil, ""},
		{`a.B required n="v"`, nil, "ended by a semicolon"},
		{`a.B;`, nil, "ended by a semicolon"},
		{`a.B sometimes;`, nil, "must be required, requisite, sufficient or optional"},
		{`a.B required n v;`, nil, "options must be"},
		{`a.B required n=;`, nil, "options must be"},
		{`a.B required n="v;`, nil, "a quote is not closed"},
		{`a.B required /* n=v;`, nil, "a comment is not closed"},
	}
	for _, tt := range tests {
		got, err := jaas.Parse(tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v lacks %q", tt.text, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", tt.text, err, diff)
		}
	}
}

func TestParseFile(t *testing.T) {
	const file = `
/* who may
   call */
KafkaConnect { // the REST API
    x.Y required file="/etc/users";
};
KafkaClient {
    a.B required;
    c.D optional n=v;
};`
	got, err := jaas.ParseFile(file)
	want := map[string][]jaas.Module{
		"KafkaConnect": {{"x.Y", "required", map[string]string{"file": "/etc/users"}}},
		"KafkaClient":  {{"a.B", "required", map[string]string{}}, {"c.D", "optional", map[string]string{"n": "v"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"KafkaConnect":                     "a section must be a name and entries in braces",
		"{ a.B required; };":               "a section must be a name and entries in braces",
		"A { a.B required; }":              "section A must end with };",
		"A { a.B required };":              "section A: must be a login module",
		"A { a.B required; }; A { };":      "section A is there twice",
		"A { a.B required; };\nB a.B b=c;": "a section must be a name and entries in braces",
	} {
		if _, err := jaas.ParseFile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v lacks %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`a.B required username="a" password="b\"c";`)
	f.Add(`a.B optional a='b' c = d ;`)
	f.Add(`K { a.B optional; }; // x`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := jaas.Parse(text)
		if err != nil {
			return
		}
		for _, m := range list {
			if m.Class == "" && !strings.ContainsAny(text, `"'`) || m.Flag == "" || m.Options == nil {
				t.Errorf("%q: %+v", text, m)
			}
		}
		if sections, err := jaas.ParseFile("K {" + text + "\n};"); err == nil && len(list) > 0 && len(sections["K"]) == 0 {
			t.Errorf("%q is entries, but not in a section", text)
		}
	})
}
