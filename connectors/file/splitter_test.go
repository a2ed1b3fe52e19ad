package file_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors/file"
)

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want []string
		rest string
	}{
		"newlines":          {"a\nb\n", []string{"a", "b"}, ""},
		"carriage returns":  {"a\rb\rc\n", []string{"a", "b", "c"}, ""},
		"both":              {"a\r\nb\r\n", []string{"a", "b"}, ""},
		"mixed":             {"a\r\r\nb\n\rc", []string{"a", "", "b", ""}, "c"},
		"empty lines":       {"\n\n\r\n", []string{"", "", ""}, ""},
		"no end":            {"abc", nil, "abc"},
		"lone return waits": {"a\nb\r", []string{"a"}, "b"},
		"nothing":           {"", nil, ""},
		"not UTF-8":         {"\xff\xe9a\nb\n", []string{"��a", "b"}, ""},
		"long":              {strings.Repeat("x", 600<<10) + "\ny\n", []string{strings.Repeat("x", 600<<10), "y"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 7, 2, 1} {
				if len(c.data) > 1000 && size < 1000 {
					size = 10000 + size
				}
				got, _, rest := file.Lines([]byte(c.data), size)
				if diff := cmp.Diff(c.want, got); diff != "" || rest != c.rest {
					t.Errorf("pieces of %d: rest %q (-want +got):\n%s", size, rest, diff)
				}
			}
		})
	}
}

// FuzzLines checks that how the bytes arrive does not change the lines, and that positions count every byte once.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\n\n\rd"), 3)
	f.Add([]byte("\xff\r"), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 || len(data) > 4096 {
			t.Skip()
		}
		got, taken, rest := file.Lines(data, size)
		want, wantTaken, wantRest := file.Lines(data, len(data)+1)
		if diff := cmp.Diff(want, got); diff != "" || rest != wantRest || taken != wantTaken {
			t.Errorf("pieces of %d: rest %q and %q, %d and %d bytes\n%s", size, wantRest, rest, wantTaken, taken, diff)
		}
	})
}
