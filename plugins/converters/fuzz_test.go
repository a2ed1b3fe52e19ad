package converters_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"millrace/plugins/converters"
	"millrace/plugins/internal/golden"
)

// FuzzJSONRead reads any bytes, and checks that what was read without a loss is read again from what is written of it.
func FuzzJSONRead(f *testing.F) {
	for _, file := range golden.Files(f, "converters") {
		if filepath.Base(file) != "json-read.json" || os.Getenv("GOLDEN_DIR") != "" && filepath.Dir(file) != "testdata" {
			continue
		}
		for i, c := range golden.Cases[struct{ Input recordedBytes }](f, file) {
			if i%7 == 0 && c.Input.Bytes != nil {
				f.Add(c.Input.Bytes)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, schemas := range []string{"true", "false"} {
			c := jsonConverter(t, schemas)
			v, err := c.ToConnect("t", nil, bytes.Clone(data))
			if err != nil {
				continue
			}
			again, err := c.ToConnect("t", nil, bytes.Clone(data))
			if err != nil || golden.Dump(again.Value) != golden.Dump(v.Value) {
				t.Fatalf("read again: %v, %s, before %s", err, golden.Dump(again.Value), golden.Dump(v.Value))
			}
			out, err := c.FromConnect("t", nil, v.Schema, v.Value)
			if err != nil || out == nil {
				continue // what reading let pass, writing may refuse
			}
			back, err := c.ToConnect("t", nil, out)
			if err != nil {
				t.Fatalf("%s: written as %s: %v", data, out, err)
			}
			if a, b := golden.Dump(v.Value), golden.Dump(back.Value); a != b && schemas == "true" && v.Schema != nil && !lossy(a) {
				t.Fatalf("%s: written as %s\n%s\n%s", data, out, a, b)
			}
		}
	})
}

// lossy reports whether a value is one that JSON does not keep: NaN and infinities become strings, which read as 0.
func lossy(dump string) bool {
	return bytes.Contains([]byte(dump), []byte("NaN")) || bytes.Contains([]byte(dump), []byte("Infinity"))
}

// FuzzSimpleHeader reads any bytes and writes what was read.
func FuzzSimpleHeader(f *testing.F) {
	for _, s := range []string{"1", `[1,"a",{"b":2023-11-14}]`, "22:13:20.123Z", `{"a\"b":[[],[1.5]]}`, "1e400", "\xf5\x80", "[null,1]", " [1"} {
		f.Add([]byte(s))
	}
	h := new(converters.SimpleHeader)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := h.ToConnectHeader("t", "h", data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.FromConnectHeader("t", "h", v.Schema, v.Value); err != nil {
			t.Fatal(err)
		}
	})
}
