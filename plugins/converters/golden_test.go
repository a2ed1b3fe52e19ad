package converters_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/plugins/converters"
	"millrace/plugins/internal/golden"
)

// A convertCase is a conversion that Kafka's converter made.
type convertCase struct {
	Name, Class, As, Op string
	Config              map[string]string
	Input, Output       json.RawMessage
}

// recordedBytes is a byte array; nil is null.
type recordedBytes struct{ Bytes []byte }

func TestConvertersGolden(t *testing.T) {
	count := 0
	for _, file := range golden.Files(t, "converters") {
		base := filepath.Base(file)
		if !strings.HasSuffix(base, "-read.json") && !strings.HasSuffix(base, "-write.json") {
			continue
		}
		for _, c := range golden.Cases[convertCase](t, file) {
			count++
			t.Run(base+"/"+c.Name, func(t *testing.T) { c.run(t) })
		}
	}
	t.Logf("golden: %d cases", count)
}

func (c convertCase) run(t *testing.T) {
	var failure golden.Error
	if bytes.Contains(c.Output, []byte(`"error"`)) {
		decode(t, c.Output, &failure)
	}
	conv, err := c.converter(t)
	if err != nil {
		golden.CheckError(t, err, &failure)
		return
	}
	if strings.HasPrefix(c.Op, "from") {
		var input golden.Data
		decode(t, c.Input, &input)
		in := data(t, input)
		got, err := conv.write(in)
		if failure.Error != "" {
			golden.CheckError(t, err, &failure)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var want recordedBytes
		decode(t, c.Output, &want)
		if (got == nil) != (want.Bytes == nil) ||
			!bytes.Equal(got, want.Bytes) && !sameJSON(c.Class, got, want.Bytes) && !exception(t, got, want.Bytes) {
			t.Errorf("got %s, want %s", got, want.Bytes)
		}
		return
	}
	var input recordedBytes
	decode(t, c.Input, &input)
	got, err := conv.read(input.Bytes)
	if failure.Error != "" {
		golden.CheckError(t, err, &failure)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var want golden.Data
	decode(t, c.Output, &want)
	golden.Compare(t, "read", got, data(t, want))
}

// exception reports whether a difference is one that we mean to have.
func exception(t *testing.T, got, want []byte) bool {
	if bytes.HasPrefix(want, []byte("java.nio.HeapByteBuffer[")) {
		t.Log("exception: Java prints the object that holds the bytes; the StringConverter writes the bytes")
		return true
	}
	if sameFloats(string(got), string(want)) {
		t.Log("exception: Java before 19 prints more digits of some floats than are needed; so do not later ones, nor do we")
		return true
	}
	return false
}

var float = regexp.MustCompile(`\d+\.\d+(E-?\d+)?`)

// sameFloats reports whether two texts differ only in how they print the same floats, and ours in fewer digits.
func sameFloats(got, want string) bool {
	g, w := float.FindAllString(got, -1), float.FindAllString(want, -1)
	if len(g) == 0 || len(g) != len(w) || float.ReplaceAllString(got, "#") != float.ReplaceAllString(want, "#") {
		return false
	}
	for i := range g {
		bits := 64
		if len(w[i]) < 16 { // of a float32
			bits = 32
		}
		a, err1 := strconv.ParseFloat(g[i], bits)
		b, err2 := strconv.ParseFloat(w[i], bits)
		if err1 != nil || err2 != nil || a != b || len(g[i]) > len(w[i]) {
			return false
		}
	}
	return true
}

// sameJSON compares what has no order: the parameters of a schema.
func sameJSON(class string, got, want []byte) bool {
	if !strings.HasSuffix(class, "JsonConverter") {
		return false
	}
	sorted := func(b []byte) string {
		var v any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if d.Decode(&v) != nil {
			return ""
		}
		out, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(out)
	}
	return len(got) == len(want) && sorted(got) == sorted(want)
}

// a conversion hides whether a converter is one of headers.
type conversion struct {
	write func(connectors.SchemaAndValue) ([]byte, error)
	read  func([]byte) (connectors.SchemaAndValue, error)
}

func (c convertCase) converter(t *testing.T) (conversion, error) {
	for _, p := range converters.Plugins() {
		switch {
		case p.Class != c.Class:
		case c.As == "header" && p.Kind == connectors.KindHeaderConverter:
			h := p.NewHeaderConverter()
			return conversion{
				write: func(v connectors.SchemaAndValue) ([]byte, error) {
					return h.FromConnectHeader("t", "h", v.Schema, v.Value)
				},
				read: func(b []byte) (connectors.SchemaAndValue, error) { return h.ToConnectHeader("t", "h", b) },
			}, h.Configure(c.Config)
		case c.As != "header" && p.Kind == connectors.KindConverter:
			v := p.NewConverter()
			return conversion{
				write: func(d connectors.SchemaAndValue) ([]byte, error) { return v.FromConnect("t", nil, d.Schema, d.Value) },
				read:  func(b []byte) (connectors.SchemaAndValue, error) { return v.ToConnect("t", nil, b) },
			}, v.Configure(c.Config, c.As == "key")
		}
	}
	t.Fatalf("no %s as %s", c.Class, c.As)
	return conversion{}, nil
}

// TestDefinitions compares the keys of each class with Kafka's.
func TestDefinitions(t *testing.T) {
	for _, want := range golden.Cases[golden.Definition](t, "testdata/definitions.json") {
		found := false
		for _, p := range converters.Plugins() {
			if p.Class == want.Class {
				found = true
				want.Compare(t, p.Config)
			}
		}
		if !found {
			t.Errorf("no %s", want.Class)
		}
	}
}
