package javatime_test

import (
	"testing"
	"time"

	"millrace/connectors/javatime"
)

const moment = 1700000000123 // 2023-11-14T22:13:20.123Z, a Tuesday

func TestFormat(t *testing.T) {
	tests := []struct {
		pattern string
		ms      int64
		want    string
	}{
		{"yyyy-MM-dd'T'HH:mm:ss.SSSX", moment, "2023-11-14T22:13:20.123Z"},
		{"EEE, d MMM yy hh:mm a", moment, "Tue, 14 Nov 23 10:13 PM"},
		{"D w W F u", moment, "318 46 3 2 2"},
		{"YYYY-'W'ww", 1704085384005, "2024-W01"},
		{"YYYY ww", 1703980800000, "2024 01"}, // 2023-12-31
		{"K k z Z zzzz", moment, "10 22 UTC +0000 Coordinated Universal Time"},
		{"''yyyyy''", moment, "'02023'"},
		{"yyyy-MM-dd G", -12219292800001, "1582-10-04 AD"},
		{"yyyy-MM-dd G", -12219292800000, "1582-10-15 AD"},
		{"yyyy-MM-dd G", -63517996800000, "0044-03-15 BC"},
		{"", moment, ""},
	}
	for _, tt := range tests {
		f, err := javatime.Compile(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := f.Format(tt.ms); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"bogus": "Illegal pattern character 'b'", "yyyy'T": "Unterminated quote", "XXXX": "invalid ISO 8601 format: length=4",
	} {
		if _, err := javatime.Compile(pattern); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", pattern, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          int64
		fails         bool
	}{
		{pattern: "yyyy-MM-dd", text: "2023-11-14 and more", want: 1699920000000},
		{pattern: "yyyy-MM-dd", text: " 2023-13-40", want: 1707436800000},
		{pattern: "yyyy-MM-dd", text: "0000-00-00", want: -62170156800000},
		{pattern: "yyyy-MM-dd", text: "14-11-2023", want: -61524576000000},
		{pattern: "yyyy-MM-dd", text: "2023/11/14", fails: true},
		{pattern: "yyyyMMdd", text: "202311", fails: true},
		{pattern: "yyyyMMdd", text: "20231114", want: 1699920000000},
		{pattern: "yyyy-MM-dd HH:mm:ss z", text: "2023-11-14 22:13:20 PST", want: 1700028800000},
		{pattern: "yyyy-MM-dd HH:mm:ss z", text: "2023-11-14 22:13:20 GMT+3", fails: true},
		{pattern: "yyyy-MM-dd HH:mm:ss z", text: "2023-11-14 22:13:20 GMT+3:00", want: 1699989200000},
		{pattern: "yyyy-MM-dd HH:mm:ss Z", text: "2023-11-14 22:13:20 +0300", want: 1699989200000},
		{pattern: "yyyy-MM-dd'T'HH:mm:ssXXX", text: "2023-11-14T22:13:20+05:30", want: 1699980200000},
		{pattern: "yyyy-MM-dd'T'HH:mm:ssX", text: "2023-11-14T22:13:20Z", want: 1700000000000},
		{pattern: "dd MMM yyyy", text: "14 november 2023", want: 1699920000000},
		{pattern: "yyyy-MM-dd G", text: "0044-03-15 BC", want: -63517996800000},
		{pattern: "hh:mm a", text: "10:13 pm", want: 79980000},
		{pattern: "HH:mm", text: "25:61", want: 93660000},
		{pattern: "yyyy D", text: "2023 318", want: 1699920000000},
		{pattern: "YYYY-'W'ww-u", text: "2023-W46-2", want: 1699920000000},
		{pattern: "yyyy", text: "", fails: true},
		{pattern: "yyyy", text: "x", fails: true},
	}
	for _, tt := range tests {
		f := javatime.MustCompile(tt.pattern)
		got, ok := f.Parse(tt.text)
		if ok == tt.fails || got != tt.want && ok {
			t.Errorf("%s %q: got %d %v, want %d", tt.pattern, tt.text, got, ok, tt.want)
		}
	}
}

// TestGregorian compares with Go's calendar, which has no Julian days.
func TestGregorian(t *testing.T) {
	f := javatime.MustCompile("yyyy-MM-dd")
	for ms := int64(-12219292800000); ms < 1<<43; ms += 86400000 * 17 {
		text := time.UnixMilli(ms).UTC().Format("2006-01-02")
		if got := f.Format(ms); got != text {
			t.Fatalf("%d: got %s, want %s", ms, got, text)
		}
		if back, ok := f.Parse(text); !ok || back != ms {
			t.Fatalf("%s: got %d, want %d", text, back, ms)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2023-11-14T22:13:20.123Z")
	f.Add("EEE MMM d h:mm a z YYYY", "Tue Nov 14 10:13 PM GMT+3:00 2023")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		format, err := javatime.Compile(pattern)
		if err != nil {
			return
		}
		if ms, ok := format.Parse(text); ok {
			format.Format(ms)
		}
	})
}
