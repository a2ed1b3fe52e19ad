package jsonschema

import (
	"testing"

	"millrace/plugins/converters/schemaregistry"
)

// Any schema and payload are an error or a value that can be written, and is then read as one that is written the same.
func FuzzRead(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"oneOf":[{"type":"null"},{"type":"integer"},{"type":"string","connect.type":"bytes"}]}}}`, `{"a":1}`)
	f.Add(`{"type":"array","items":{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.type":"bytes","connect.parameters":{"scale":"2"}}}`, `[1.5]`)
	f.Add(`{"$ref":"#/$defs/a","$defs":{"a":{"type":["null","number"]}}}`, `1e5`)
	f.Add(`{"type":"array","connect.type":"map","items":{"properties":{"key":{"type":"boolean"},"value":{"enum":["x"]}}}}`, `[{"key":true,"value":"x"}]`)
	format := &format{options{additional: true}}
	f.Fuzz(func(t *testing.T, schema, payload string) {
		r, err := format.Reader(schemaregistry.Source{Text: schema}, func(string) (int32, error) { return 1, nil })
		if err != nil {
			return
		}
		v, err := r.Read([]byte(payload))
		if err != nil || v.Value == nil {
			return
		}
		w, err := format.Writer(v.Schema, schemaregistry.Source{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Append(nil, v.Value); err != nil {
			t.Fatal(err)
		}
	})
}
