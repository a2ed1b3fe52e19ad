package avro_test

import (
	"testing"

	"millrace/connectors"
	"millrace/plugins/converters/registrytest"
	"millrace/plugins/converters/schemaregistry"
)

func order() (*connectors.Schema, *connectors.Struct) {
	s := connectors.StructOf(
		field("id", connectors.Int64Schema), field("customer", connectors.StringSchema), field("amount", connectors.Float64Schema),
		field("paid", connectors.BooleanSchema), field("note", connectors.OptionalStringSchema), field("at", connectors.TimestampSchema),
	)
	s.Name = "shop.Order"
	return s, structOf(s, int64(4711), "Jane \"JJ\" Doe", 99.5, true, nil, connectors.FromMillis(1700000000123))
}

func BenchmarkWrite(b *testing.B) {
	conv := converter(b, registrytest.New(b), nil)
	schema, value := order()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conv.FromConnect("t", nil, schema, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	conv := converter(b, registrytest.New(b), nil)
	schema, value := order()
	data, err := conv.FromConnect("t", nil, schema, value)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conv.ToConnect("t", nil, data); err != nil {
			b.Fatal(err)
		}
	}
}

// Any payload is an error or a value, and a value is written as bytes that are read as the same value.
func FuzzRead(f *testing.F) {
	registry := registrytest.New(f)
	registry.Register("t-value", schemaregistry.Schema{Text: `{"type":"record","name":"R","fields":[
		{"name":"a","type":["null","long","string"]},{"name":"b","type":{"type":"array","items":{"type":"map","values":"bytes"}}},
		{"name":"c","type":{"type":"int","logicalType":"time-millis"}},{"name":"d","type":{"type":"bytes","logicalType":"decimal","scale":2,"precision":9}},
		{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}}]}`})
	conv := converter(f, registry, map[string]string{"enhanced.avro.schema.support": "true", "auto.register.schemas": "false", "use.schema.id": "1"})
	f.Add([]byte{2, 2, 2, 2, 2, 'k', 2, 'v', 0, 0, 8, 2, 1, 0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := conv.ToConnect("t", nil, append([]byte{0, 0, 0, 0, 1}, payload...))
		if err != nil {
			return
		}
		data, err := conv.FromConnect("t", nil, got.Schema, got.Value)
		if err != nil {
			t.Fatal(err)
		}
		again, err := conv.ToConnect("t", nil, data)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := conv.FromConnect("t", nil, got.Schema, again.Value)
		if err != nil || string(twice) != string(data) {
			t.Fatalf("%x is written as %x, %v", data, twice, err)
		}
	})
}
