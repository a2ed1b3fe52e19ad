package javaregex_test

import (
	"testing"

	"millrace/plugins/javaregex"
)

func TestMatchWhole(t *testing.T) {
	tests := []struct {
		pattern string
		in, out []string
	}{
		{"", []string{""}, []string{"a"}},
		{"ord|orders", []string{"ord", "orders"}, []string{"order"}},
		{"(?i)ORDERS", []string{"orders", "OrDers"}, []string{"orders1"}},
		{`^db-(\d+)-(.*)$`, []string{"db-12-x"}, []string{"db--x", "xdb-1-y"}},
		{"or(?=ders).*", []string{"orders"}, []string{"oranges"}},
		{"(?<!x)a.*", []string{"ab"}, []string{"ba"}},
		{`(\w+)-\1`, []string{"a-a"}, []string{"a-b"}},
		{`(?<n>\w+)-\k<n>`, []string{"a-a"}, []string{"a-b"}},
		{"a*+b", []string{"aab"}, []string{"aa"}},
		{"a*+ab", nil, []string{"aab"}},
		{`\Qa.b\E+`, []string{"a.b", "a.bbb"}, []string{"axb", "a.ba.b"}},
		{"[a-z&&[^b]]+", []string{"acd"}, []string{"abc"}},
		{"[a-c[x-z]]+", []string{"axz"}, []string{"ad"}},
		{`\p{Alpha}+\p{Punct}`, []string{"ab-"}, []string{"a1-"}},
		{`\p{L}+`, []string{"ä"}, []string{"1"}},
		{`\x41\u0042\x{43}`, []string{"ABC"}, []string{"abc"}},
		{`[\w.-]{2,3}`, []string{"a.", "a-b"}, []string{"a", "abcd"}},
		{"a}]", []string{"a}]"}, nil},
	}
	for _, tt := range tests {
		r, err := javaregex.Compile(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for _, s := range tt.in {
			if !r.MatchWhole(s) {
				t.Errorf("%s: does not match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.out {
			if r.MatchWhole(s) {
				t.Errorf("%s: matches %q", tt.pattern, s)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, pattern := range []string{"(", ")", "[", "[a", "*", "+a", "a{2,1}", "{", "a{x}", `\`, "(?<n", "(?<1>a)", `\k<n>`, "(?q)", `\y`, `\p{Nope}`, "a**"} {
		if err := javaregex.Check(pattern); err == nil {
			t.Errorf("%s compiles", pattern)
		}
	}
}

func TestReplaceFirst(t *testing.T) {
	tests := []struct{ pattern, text, replacement, want, wantErr string }{
		{pattern: "(.*)rs", text: "orders", replacement: "$1-done", want: "orde-done"},
		{pattern: "ord|orders", text: "orders", replacement: "x", want: "xers"},
		{pattern: "(?<n>o)(.)", text: "orders", replacement: "${n}$2$20", want: "orr0ders"},
		{pattern: "o(?=r)", text: "fürorders", replacement: "0", want: "für0rders"},
		{pattern: "(a)|(b)", text: "b", replacement: "<$1$2>", want: "<b>"},
		{pattern: "a", text: "b", replacement: "$9", want: "b"},
		{pattern: "o", text: "o", replacement: `\$1\\`, want: `$1\`},
		{pattern: "o", text: "o", replacement: "$1", wantErr: `replacement "$1": No group 1`},
		{pattern: "o", text: "o", replacement: `a\`, wantErr: `replacement "a\\": character to be escaped is missing`},
		{pattern: "o", text: "o", replacement: "${x}", wantErr: `replacement "${x}": No group with name {x}`},
	}
	for _, tt := range tests {
		r, err := javaregex.Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.ReplaceFirst(tt.text, tt.replacement)
		if err != nil && err.Error() != tt.wantErr || err == nil && (got != tt.want || tt.wantErr != "") {
			t.Errorf("%s %s: got %q, %v", tt.pattern, tt.replacement, got, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`(?<n>[a-z&&[^b]]+)\k<n>*+`, "aa", "${n}$1")
	f.Add(`\Qx\E{2,3}?|(?i)[^\d\p{Lu}]`, "xx", `\$0`)
	f.Fuzz(func(t *testing.T, pattern, text, replacement string) {
		if len(pattern) > 30 || len(text) > 20 { // backtracking may take its time
			return
		}
		r, err := javaregex.Compile(pattern)
		if err != nil {
			return
		}
		r.MatchWhole(text)
		if _, err := r.ReplaceFirst(text, replacement); err != nil {
			t.Log(err)
		}
	})
}
