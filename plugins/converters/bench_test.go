package converters_test

import (
	"testing"

	"millrace/connectors"
	"millrace/plugins/converters"
)

func order() (*connectors.Schema, *connectors.Struct) {
	schema := connectors.StructOf(
		connectors.Field{Name: "id", Schema: connectors.Int64Schema},
		connectors.Field{Name: "customer", Schema: connectors.StringSchema},
		connectors.Field{Name: "amount", Schema: connectors.Float64Schema},
		connectors.Field{Name: "paid", Schema: connectors.BooleanSchema},
		connectors.Field{Name: "note", Schema: connectors.OptionalStringSchema},
		connectors.Field{Name: "at", Schema: connectors.TimestampSchema},
	)
	s := connectors.NewStruct(schema)
	for i, v := range []any{int64(4711), "Jane \"JJ\" Doe", 99.5, true, nil, connectors.FromMillis(1700000000123)} {
		s.Set(i, v)
	}
	return schema, s
}

func jsonConverter(tb testing.TB, schemas string) *converters.JSON {
	tb.Helper()
	c := new(converters.JSON)
	if err := c.Configure(map[string]string{"schemas.enable": schemas}, false); err != nil {
		tb.Fatal(err)
	}
	return c
}

func BenchmarkJSONWrite(b *testing.B) {
	for _, schemas := range []string{"true", "false"} {
		b.Run("schemas="+schemas, func(b *testing.B) {
			c := jsonConverter(b, schemas)
			schema, value := order()
			b.ReportAllocs()
			for b.Loop() {
				out, err := c.FromConnect("t", nil, schema, value)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}

func BenchmarkJSONRead(b *testing.B) {
	for _, schemas := range []string{"true", "false"} {
		b.Run("schemas="+schemas, func(b *testing.B) {
			c := jsonConverter(b, schemas)
			schema, value := order()
			data, err := c.FromConnect("t", nil, schema, value)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.ToConnect("t", nil, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkString(b *testing.B) {
	c := new(converters.String)
	if err := c.Configure(nil, false); err != nil {
		b.Fatal(err)
	}
	var line any = "a line of some hundred bytes, as a file has it, on its way from one place to another without being copied"
	data := []byte(line.(string))
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.FromConnect("t", nil, connectors.StringSchema, line); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.ToConnect("t", nil, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSimpleHeader(b *testing.B) {
	h := new(converters.SimpleHeader)
	for _, text := range []string{"queue://orders", "1700000000123", `{"a":[1,2]}`} {
		data := []byte(text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.ToConnectHeader("t", "h", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
