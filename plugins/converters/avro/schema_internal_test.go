package avro

import (
	"testing"

	"millrace/plugins/converters/schemaregistry"
)

// Any text is an error or a schema that reads an empty payload without harm.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":null}]}`)
	f.Add(`{"type":"array","items":{"type":"fixed","name":"a.F","size":2,"logicalType":"decimal","scale":1}}`)
	f.Add(`{"type":"enum","name":"E","namespace":"n","symbols":["A"],"connect.default":"A"}`)
	format := &format{options{enhanced: true, metaData: true}}
	f.Fuzz(func(_ *testing.T, text string) {
		r, err := format.Reader(schemaregistry.Source{Text: text}, func(string) (int32, error) { return 1, nil })
		if err == nil {
			_, _ = r.Read([]byte{0, 0, 0}) // an error as well as a value will do
		}
	})
}
