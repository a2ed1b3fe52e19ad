package golden

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"millrace/connectors"
)

// Files returns the files of cases of a kind ("converters", "transforms"): those in testdata, and those in the folder of that
// name in GOLDEN_DIR.
func Files(t testing.TB, kind string) []string {
	t.Helper()
	files := glob(t, filepath.Join("testdata", "*.json"))
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		files = append(files, glob(t, filepath.Join(dir, kind, "*.json"))...)
	}
	return files
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Cases reads a file of cases.
func Cases[T any](t testing.TB, file string) []T {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return cases
}

// An Error is a recorded failure.
type Error struct {
	Error   string
	Message string
	Cause   string
	Phase   string
}

// Data is a value with its schema.
type Data struct {
	Schema *Schema
	Value  Value
}

// Decode returns the value of d.
func (d Data) Decode() (connectors.SchemaAndValue, error) {
	schema := d.Schema.Decoded()
	v, err := d.Value.Decode(schema)
	return connectors.SchemaAndValue{Schema: schema, Value: v}, err
}

// A Schema is a recorded schema.
type Schema struct {
	Type       string
	Optional   bool
	Name       string
	Version    *int32
	Doc        string
	Parameters map[string]string
	Default    Value
	Fields     []struct {
		Name   string
		Schema *Schema
	}
	Keys   *Schema
	Values *Schema

	decoded *connectors.Schema
}

var types = map[string]connectors.Type{
	"int8": connectors.TypeInt8, "int16": connectors.TypeInt16, "int32": connectors.TypeInt32, "int64": connectors.TypeInt64,
	"float32": connectors.TypeFloat32, "float64": connectors.TypeFloat64, "boolean": connectors.TypeBoolean,
	"string": connectors.TypeString, "bytes": connectors.TypeBytes, "array": connectors.TypeArray, "map": connectors.TypeMap,
	"struct": connectors.TypeStruct,
}

// Decoded returns the schema, always the same one. It panics if the recording is none.
func (s *Schema) Decoded() *connectors.Schema {
	if s == nil {
		return nil
	}
	if s.decoded != nil {
		return s.decoded
	}
	d := &connectors.Schema{
		Type: types[s.Type], Optional: s.Optional, Name: s.Name, Version: s.Version, Doc: s.Doc, Parameters: s.Parameters,
		Key: s.Keys.Decoded(), Value: s.Values.Decoded(),
	}
	for _, f := range s.Fields {
		d.Fields = append(d.Fields, connectors.Field{Name: f.Name, Schema: f.Schema.Decoded()})
	}
	s.decoded = d
	if s.Default != nil {
		v, err := s.Default.Decode(d)
		if err != nil {
			panic(err)
		}
		d.Default = v
	}
	return d
}

// A Value is a recorded value.
type Value json.RawMessage

// UnmarshalJSON keeps the text.
func (v *Value) UnmarshalJSON(b []byte) error {
	*v = append([]byte(nil), b...)
	return nil
}

// MarshalJSON returns the text.
func (v Value) MarshalJSON() ([]byte, error) { return v, nil }

// Decode returns the value; schema is that of structs which name none.
func (v Value) Decode(schema *connectors.Schema) (any, error) {
	if len(v) == 0 || string(v) == "null" {
		return nil, nil
	}
	switch v[0] {
	case '"':
		var s string
		err := json.Unmarshal(v, &s)
		return s, err
	case 't', 'f':
		return v[0] == 't', nil
	case '[':
		return v.list(schema)
	}
	var object map[string]Value
	if err := json.Unmarshal(v, &object); err != nil {
		return nil, err
	}
	if s, ok := object["struct"]; ok {
		return decodeStruct(s, object["schema"], schema)
	}
	for tag, content := range object {
		return content.tagged(tag, schema)
	}
	return nil, fmt.Errorf("empty object")
}

func (v Value) list(schema *connectors.Schema) (any, error) {
	var items []Value
	if err := json.Unmarshal(v, &items); err != nil {
		return nil, err
	}
	var element *connectors.Schema
	if schema != nil {
		element = schema.Value
	}
	list := make([]any, len(items))
	for i, item := range items {
		var err error
		if list[i], err = item.Decode(element); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Opaque is an object that Connect has no type for.
type Opaque struct{ Class string }

func (v Value) tagged(tag string, schema *connectors.Schema) (any, error) {
	text := string(bytes.Trim(v, `"`))
	switch tag {
	case "int8":
		n, err := strconv.ParseInt(text, 10, 8)
		return int8(n), err
	case "int16":
		n, err := strconv.ParseInt(text, 10, 16)
		return int16(n), err
	case "int32":
		n, err := strconv.ParseInt(text, 10, 32)
		return int32(n), err
	case "int64":
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err
	case "float32":
		f, err := strconv.ParseFloat(text, 32)
		return float32(f), err
	case "float64":
		return strconv.ParseFloat(text, 64)
	case "bytes", "buffer":
		return base64.StdEncoding.DecodeString(text)
	case "bigint":
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return nil, fmt.Errorf("bad bigint %s", text)
		}
		return n, nil
	case "instant":
		n, err := strconv.ParseInt(text, 10, 64)
		return connectors.FromMillis(n), err
	case "decimal":
		var d struct {
			Unscaled string
			Scale    int32
		}
		err := json.Unmarshal(v, &d)
		n, _ := new(big.Int).SetString(d.Unscaled, 10)
		return connectors.Decimal{Unscaled: n, Scale: d.Scale}, err
	case "map":
		return v.mapping(schema)
	case "java":
		return Opaque{text}, nil
	}
	return nil, fmt.Errorf("unknown value %s", tag)
}

func (v Value) mapping(schema *connectors.Schema) (any, error) {
	var entries [][2]Value
	if err := json.Unmarshal(v, &entries); err != nil {
		return nil, err
	}
	var key, value *connectors.Schema
	if schema != nil {
		key, value = schema.Key, schema.Value
	}
	m := connectors.NewMap(len(entries))
	for _, e := range entries {
		k, err := e[0].Decode(key)
		if err != nil {
			return nil, err
		}
		val, err := e[1].Decode(value)
		if err != nil {
			return nil, err
		}
		m.Put(k, val)
	}
	return m, nil
}

func decodeStruct(fields, own Value, schema *connectors.Schema) (any, error) {
	if own != nil {
		var s Schema
		if err := json.Unmarshal(own, &s); err != nil {
			return nil, err
		}
		schema = s.Decoded()
	}
	var values map[string]Value
	if err := json.Unmarshal(fields, &values); err != nil {
		return nil, err
	}
	if schema == nil {
		return nil, fmt.Errorf("struct without a schema")
	}
	st := connectors.NewStruct(schema)
	for i, f := range schema.Fields {
		v, err := values[f.Name].Decode(f.Schema)
		if err != nil {
			return nil, err
		}
		st.Set(i, v)
	}
	return st, nil
}
