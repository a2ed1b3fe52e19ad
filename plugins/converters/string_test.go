package converters_test

import (
	"testing"

	"millrace/connectors"
	"millrace/plugins/converters"
)

func TestStringEncodings(t *testing.T) {
	tests := []struct{ encoding, text, bytes, back string }{
		{"UTF-8", "ü€", "\xc3\xbc\xe2\x82\xac", "ü€"},
		{"utf-16", "ü", "\xfe\xff\x00\xfc", "ü"},
		{"UTF-16LE", "😀", "\x3d\xd8\x00\xde", "😀"},
		{"UTF-32", "ü", "\x00\x00\x00\xfc", "ü"},
		{"latin1", "ü€", "\xfc?", "ü?"},
		{"US-ASCII", "aü", "a?", "a?"},
		{"windows-1252", "ü€☃", "\xfc\x80?", "ü€?"},
		{"Cp1252", "€", "\x80", "€"},
		{"ISO-8859-15", "€", "\xa4", "€"},
		{"Shift_JIS", "日本", "\x93\xfa\x96\x7b", "日本"},
	}
	for _, tt := range tests {
		c := new(converters.String)
		if err := c.Configure(map[string]string{"converter.encoding": tt.encoding}, false); err != nil {
			t.Fatal(err)
		}
		b, err := c.FromConnect("t", nil, connectors.StringSchema, tt.text)
		if err != nil || string(b) != tt.bytes {
			t.Errorf("%s: %q is written as %q, %v", tt.encoding, tt.text, b, err)
		}
		v, err := c.ToConnect("t", nil, b)
		if err != nil || v.Value != tt.back {
			t.Errorf("%s: %q is read as %q, %v", tt.encoding, b, v.Value, err)
		}
	}
}

// TestSharedMemory shows that outputs do not overlap though many are cut from one chunk.
func TestSharedMemory(t *testing.T) {
	c := jsonConverter(t, "false")
	schema, value := order()
	want, err := c.FromConnect("t", nil, schema, value)
	if err != nil {
		t.Fatal(err)
	}
	var outs [][]byte
	for range 1000 {
		b, err := c.FromConnect("t", nil, schema, value)
		if err != nil {
			t.Fatal(err)
		}
		outs = append(outs, append(b, "appended"...)[:len(b)])
	}
	for i, b := range outs {
		if string(b) != string(want) {
			t.Fatalf("output %d became %s", i, b)
		}
	}
}
