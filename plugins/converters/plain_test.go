package converters_test

import (
	"encoding/json"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/plugins/converters"
)

// TestJSONText has every byte that matters at every place of a word, between bytes that are plain.
func TestJSONText(t *testing.T) {
	c := new(converters.JSON)
	if err := c.Configure(map[string]string{"schemas.enable": "false"}, false); err != nil {
		t.Fatal(err)
	}
	for _, special := range []string{"\x00", "\x1f", " ", "!", "\"", "#", "[", "\\", "]", "~", "\x7f", "\u0080", "é", "€", "😀", "a\"\x1f", "\"!", "\\]"} {
		for before := range 18 {
			for _, after := range []int{0, 1, 7, 9} {
				want := strings.Repeat("!", before) + special + strings.Repeat("~", after)
				data, err := c.FromConnect("t", nil, connectors.StringSchema, want)
				if err != nil {
					t.Fatal(err)
				}
				var got string
				if err := json.Unmarshal(data, &got); err != nil || got != want {
					t.Errorf("%q is written as %s (%v)", want, data, err)
				}
				for _, text := range [][]byte{data, standard(t, want)} {
					if read, err := c.ToConnect("t", nil, text); err != nil || read.Value != want {
						t.Errorf("%s is read as %q (%v)", text, read.Value, err)
					}
				}
			}
		}
	}
}

func standard(t *testing.T, s string) []byte {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
