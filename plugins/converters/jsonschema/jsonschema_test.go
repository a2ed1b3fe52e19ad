package jsonschema_test

import (
	"math/big"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/plugins/converters/jsonschema"
	"millrace/plugins/converters/registrytest"
	"millrace/plugins/converters/schemaregistry"
)

func converter(tb testing.TB, registry *registrytest.Server, config map[string]string) connectors.Converter {
	tb.Helper()
	c := jsonschema.New()
	full := map[string]string{"schema.registry.url": registry.URL, "retries.wait.ms": "1"}
	for k, v := range config {
		full[k] = v
	}
	if err := c.Configure(full, false); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func structOf(s *connectors.Schema, values ...any) *connectors.Struct {
	st := connectors.NewStruct(s)
	for i, v := range values {
		st.Set(i, v)
	}
	return st
}

func field(name string, s *connectors.Schema) connectors.Field {
	return connectors.Field{Name: name, Schema: s}
}

func mapOf(pairs ...any) *connectors.Map {
	m := new(connectors.Map)
	for i := 0; i < len(pairs); i += 2 {
		m.Put(pairs[i], pairs[i+1])
	}
	return m
}

const header = "\x00\x00\x00\x00\x01"

func TestRoundTrip(t *testing.T) {
	version := int32(1)
	point := connectors.StructOf(field("y", connectors.Int32Schema), field("x", connectors.OptionalStringSchema))
	point.Name, point.Version = "geo.Point", &version
	withDefault := &connectors.Schema{Type: connectors.TypeInt32, Default: int32(7), Doc: "how much"}
	oneOf := connectors.StructOf(field("io.confluent.connect.json.OneOf.field.0", connectors.OptionalInt64Schema),
		field("io.confluent.connect.json.OneOf.field.1", connectors.OptionalStringSchema))
	oneOf.Name = "io.confluent.connect.json.OneOf"
	numeric := map[string]string{"decimal.format": "numeric"}
	for _, c := range []struct {
		name    string
		config  map[string]string
		schema  *connectors.Schema
		value   any
		text    string
		payload string
	}{
		{"int8", nil, connectors.Int8Schema, int8(-1), `{"type":"integer","connect.type":"int8"}`, `-1`},
		{"int64", nil, connectors.Int64Schema, int64(1) << 60, `{"type":"integer","connect.type":"int64"}`, `1152921504606846976`},
		{"float32", nil, connectors.Float32Schema, float32(1.5), `{"type":"number","connect.type":"float32"}`, `1.5`},
		{"boolean", nil, connectors.BooleanSchema, true, `{"type":"boolean"}`, `true`},
		{"string", nil, connectors.StringSchema, "a\"\\\n\x01ü", `{"type":"string"}`, `"a\"\\\n\u0001ü"`},
		{"optional", nil, connectors.OptionalStringSchema, "a", `{"oneOf":[{"type":"null"},{"type":"string"}]}`, `"a"`},
		{"bytes", nil, connectors.BytesSchema, []byte{1, 2, 3}, `{"type":"string","connect.type":"bytes"}`, `"AQID"`},
		{"decimal", nil, connectors.DecimalSchema(2), connectors.Decimal{Unscaled: big.NewInt(-150), Scale: 2},
			`{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}`, `"/2o="`},
		{"decimal as a number", numeric, connectors.DecimalSchema(2), connectors.Decimal{Unscaled: big.NewInt(-150), Scale: 2},
			`{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}`, `-1.50`},
		{"timestamp", nil, connectors.TimestampSchema, connectors.FromMillis(5),
			`{"type":"integer","title":"org.apache.kafka.connect.data.Timestamp","connect.version":1,"connect.type":"int64"}`, `5`},
		{"array", nil, connectors.ArrayOf(connectors.Int32Schema), []any{int32(1), int32(2)},
			`{"type":"array","items":{"type":"integer","connect.type":"int32"}}`, `[1,2]`},
		{"map", nil, connectors.MapOf(connectors.StringSchema, connectors.BooleanSchema), mapOf("k", true),
			`{"type":"object","connect.type":"map","additionalProperties":{"type":"boolean"}}`, `{"k":true}`},
		{"map with number keys", nil, connectors.MapOf(connectors.Int8Schema, connectors.StringSchema), mapOf(int8(1), "x"),
			`{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"integer","connect.type":"int8","connect.index":0},"value":{"type":"string","connect.index":1}}}}`,
			`[{"key":1,"value":"x"}]`},
		{"struct", nil, point, structOf(point, int32(1), nil),
			`{"type":"object","title":"geo.Point","connect.version":1,"properties":{"y":{"type":"integer","connect.type":"int32","connect.index":0},"x":{"oneOf":[{"type":"null"},{"type":"string"}],"connect.index":1}}}`,
			`{"y":1,"x":null}`},
		{"not required", map[string]string{"use.optional.for.nonrequired": "true", "object.additional.properties": "false"}, point, structOf(point, int32(1), nil),
			`{"type":"object","title":"geo.Point","connect.version":1,"properties":{"y":{"type":"integer","connect.type":"int32","connect.index":0},"x":{"oneOf":[{"type":"null"},{"type":"string"}],"connect.index":1}},"required":["y"],"additionalProperties":false}`,
			`{"y":1}`},
		{"default", nil, withDefault, int32(8), `{"type":"integer","description":"how much","default":7,"connect.type":"int32"}`, `8`},
		{"oneOf", nil, oneOf, structOf(oneOf, nil, "s"),
			`{"oneOf":[{"type":"integer","connect.type":"int64"},{"type":"string"}],"title":"io.confluent.connect.json.OneOf"}`, `"s"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			registry := registrytest.New(t)
			conv := converter(t, registry, c.config)
			data, err := conv.FromConnect("t", nil, c.schema, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := registry.Subject("t-value"); len(got) != 1 || got[0].Text != c.text || got[0].Type != "JSON" {
				t.Errorf("registered\n%v, want\n%s", got, c.text)
			}
			if got := string(data); got != header+c.payload {
				t.Errorf("wrote %q, want %q", got, header+c.payload)
			}
			back, err := conv.ToConnect("t", nil, data)
			if err != nil {
				t.Fatal(err)
			}
			if want := c.schema; c.name != "oneOf" && !back.Schema.Equal(want) {
				t.Errorf("read schema %+v, want %+v", back.Schema, want)
			}
			if c.name != "oneOf" && !connectors.EqualValues(back.Value, c.value) {
				t.Errorf("read %v, want %v", back.Value, c.value)
			}
			again, err := conv.FromConnect("t", nil, back.Schema, back.Value)
			if err != nil || string(again[5:]) != c.payload {
				t.Errorf("what was read is written as %q, %v", again, err)
			}
		})
	}
}

func TestForeignSchemas(t *testing.T) {
	for _, c := range []struct{ name, schema, payload, want string }{
		{"definitions", `{"type":"object","definitions":{"id":{"type":"integer"}},"properties":{"b":{"$ref":"#/definitions/id"},"a":{"$ref":"#/definitions/id"}}}`,
			` { "b" : 2 , "unknown":[{"x":[1e5,"\"",null,false]}],"a":1 } `, "Struct{a=1,b=2}"},
		{"a list of types", `{"type":["null","integer"]}`, `3`, "3"},
		{"enum", `{"enum":["a","b"]}`, `"b"`, "b"},
		{"allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"properties":{"b":{"type":"number"}}}]}`, `{"a":"x","b":1}`, "Struct{a=x,b=1.0}"},
		{"whole numbers", `{"type":"integer"}`, `1.0e2`, "100"},
		{"a map of a plain schema", `{"type":"object","additionalProperties":{"type":"integer"}}`, `{"a":1}`, "{a=1}"},
		{"escapes", `{"type":"string"}`, `"\u00fc\/"`, "ü/"},
		{"default of a missing property", `{"type":"object","properties":{"a":{"type":"string","default":"d"}}}`, `{}`, "Struct{a=d}"},
	} {
		registry := registrytest.New(t)
		registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: c.schema})
		got, err := converter(t, registry, nil).ToConnect("t", nil, []byte(header+c.payload))
		if err != nil || connectors.Text(got.Value) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, connectors.Text(got.Value), err, c.want)
		}
	}
}

func TestReferences(t *testing.T) {
	registry := registrytest.New(t)
	registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: `{"type":"array","items":{"$ref":"item.json"}}`,
		References: []schemaregistry.Reference{{Name: "item.json", Subject: "item", Version: 1}}})
	registry.Register("item", schemaregistry.Schema{Type: schemaregistry.JSON, Text: `{"type":"string"}`})
	got, err := converter(t, registry, nil).ToConnect("t", nil, []byte(header+`["a"]`))
	if err != nil || connectors.Text(got.Value) != "[a]" {
		t.Errorf("%v, %v", got.Value, err)
	}
}

func TestErrors(t *testing.T) {
	deep := strings.Repeat("[", 200)
	for _, c := range []struct{ schema, payload, want string }{
		{`{`, `1`, "no JSON"},
		{`true`, `1`, "says no type"},
		{`{}`, `1`, "no type that Connect knows"},
		{`{"type":"null"}`, `null`, "cannot stand alone"},
		{`{"type":"array","items":{"$ref":"#"}}`, `[]`, "contains itself"},
		{`{"$ref":"#/definitions/x"}`, `1`, "leads nowhere"},
		{`{"$ref":"x.json"}`, `1`, "leads to no schema"},
		{`{"type":"integer","default":"x"}`, `1`, "default"},
		{`{"type":"integer"}`, ``, "JSON ends"},
		{`{"type":"integer"}`, `null`, "neither optional"},
		{`{"type":"integer"}`, `1.5`, "no integer"},
		{`{"type":"integer"}`, `1 2`, "the end"},
		{`{"type":"integer","connect.type":"int8"}`, `128`, "out of the range"},
		{`{"type":"string"}`, `"a`, "ends in a string"},
		{`{"enum":["a"]}`, `"b"`, "no symbol"},
		{`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"a":1}`, "field a"},
		{`{"type":"object","properties":{"a":{"type":"string"}}}`, `{}`, "field a"},
		{`{"type":"object","properties":{}}`, `{"b":` + deep, "nested more"},
		{`{"type":["string","integer"]}`, `true`, "fits no type"},
	} {
		registry := registrytest.New(t)
		registry.Register("t-value", schemaregistry.Schema{Type: schemaregistry.JSON, Text: c.schema})
		_, err := converter(t, registry, nil).ToConnect("t", nil, []byte(header+c.payload))
		if err == nil || !strings.Contains(err.Error(), c.want) || connectors.Retriable(err) {
			t.Errorf("%s of %s: %v, want %q", c.payload, c.schema, err, c.want)
		}
	}
}

func BenchmarkWriteRead(b *testing.B) {
	s := connectors.StructOf(
		field("id", connectors.Int64Schema), field("customer", connectors.StringSchema), field("amount", connectors.Float64Schema),
		field("paid", connectors.BooleanSchema), field("note", connectors.OptionalStringSchema), field("at", connectors.TimestampSchema),
	)
	value := structOf(s, int64(4711), "Jane \"JJ\" Doe", 99.5, true, nil, connectors.FromMillis(1700000000123))
	conv := converter(b, registrytest.New(b), nil)
	data, err := conv.FromConnect("t", nil, s, value)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := conv.FromConnect("t", nil, s, value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := conv.ToConnect("t", nil, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
