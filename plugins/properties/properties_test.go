package properties_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/plugins/properties"
)

func TestParse(t *testing.T) {
	type entries = []properties.Entry
	tests := []struct {
		name, in string
		want     entries
	}{
		{"separators", "a=1\nb:2\nc 3\nd \t= 4\ne\t:5\nf==6\n", entries{{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}, {"d", "4", 4}, {"e", "5", 5}, {"f", "=6", 6}}},
		{"comments and blank lines count", "# x\n\n  ! y \\\nk=v\n", entries{{"k", "v", 4}}},
		{"no value", "a\nb=\n", entries{{"a", "", 1}, {"b", "", 2}}},
		{"continued", "a=1,\\\n   2,\\\n\t3\nb=4", entries{{"a", "1,2,3", 1}, {"b", "4", 4}}},
		{"a comment sign in a continuation is text", "a=1\\\n#2", entries{{"a", "1#2", 1}}},
		{"an escaped backslash does not continue", "a=1\\\\\nb=2", entries{{"a", `1\`, 1}, {"b", "2", 2}}},
		{"continued into the end of the file", "a=1\\", entries{{"a", "1", 1}}},
		{"escaped separators in keys", `a\=b\:c\ d=e`, entries{{"a=b:c d", "e", 1}}},
		{"control escapes", `a=\t\n\r\f\q\"`, entries{{"a", "\t\n\r\fq\"", 1}}},
		{"unicode", `a=\u00e9\uD83D\ude00\u0041`, entries{{"a", "é😀A", 1}}},
		{"windows and old line ends", "a=1\r\nb=2\rc=3", entries{{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}}},
		{"trailing blanks belong to the value", "a=1  \n", entries{{"a", "1  ", 1}}},
		{"utf-8", "a=é", entries{{"a", "é", 1}}},
		{"iso-8859-1", "a=\xe9", entries{{"a", "é", 1}}},
		{"byte order mark", "\ufeffa=1", entries{{"a", "1", 1}}},
		{"repeated keys stay", "a=1\na=2", entries{{"a", "1", 1}, {"a", "2", 2}}},
		{"empty key", "=x", entries{{"", "x", 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := properties.Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseErrorsNameTheLine(t *testing.T) {
	for in, want := range map[string]string{
		"a=1\nb=\\u12":   `line 2: b: \u12 is no character: want four hexadecimal digits`,
		"\n\\uxyz1=1":    `line 2: \uxyz1 is no character: want four hexadecimal digits`,
		"a=1\\\n\\u+123": `line 1: a: \u+123 is no character: want four hexadecimal digits`,
	} {
		_, err := properties.Parse([]byte(in))
		if err == nil || err.Error() != want {
			t.Errorf("Parse(%q) = %v, want %s", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a=1", "a\\\n b:c", `\u0041 = \uD83D\ude00`, "#c\r!d\r\nx", "\\", "\xff=\\u"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := properties.Parse(data)
		if err != nil {
			return
		}
		lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r")
		last := 0
		for _, e := range entries {
			if e.Line <= last || e.Line > lines {
				t.Fatalf("%q is at line %d after line %d of %d", e.Key, e.Line, last, lines)
			}
			last = e.Line
		}
	})
}
