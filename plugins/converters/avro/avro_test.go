package avro_test

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/plugins/converters/avro"
	"millrace/plugins/converters/registrytest"
	"millrace/plugins/converters/schemaregistry"
)

func converter(tb testing.TB, registry *registrytest.Server, config map[string]string) connectors.Converter {
	tb.Helper()
	c := avro.New()
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

func ptr(v int32) *int32 { return &v }

func structOf(s *connectors.Schema, values ...any) *connectors.Struct {
	st := connectors.NewStruct(s)
	for i, v := range values {
		st.Set(i, v)
	}
	return st
}

func mapOf(pairs ...any) *connectors.Map {
	m := new(connectors.Map)
	for i := 0; i < len(pairs); i += 2 {
		m.Put(pairs[i], pairs[i+1])
	}
	return m
}

func field(name string, s *connectors.Schema) connectors.Field {
	return connectors.Field{Name: name, Schema: s}
}

type wireCase struct {
	name   string
	config map[string]string
	schema *connectors.Schema
	value  any
	text   string
	hex    string // after the schema id
}

func wireCases() []wireCase {
	point := connectors.StructOf(field("x", connectors.Int32Schema), field("y", connectors.OptionalStringSchema))
	point.Name = "geo.Point"
	unnamed := connectors.StructOf(field("id", connectors.Int64Schema))
	withDefault := &connectors.Schema{Type: connectors.TypeString, Optional: true, Default: "none"}
	defaults := connectors.StructOf(field("a", withDefault))
	defaults.Name = "D"
	color := &connectors.Schema{Type: connectors.TypeString, Name: "Color", Parameters: map[string]string{
		"io.confluent.connect.avro.Enum": "Color", "io.confluent.connect.avro.Enum.BLUE": "BLUE", "io.confluent.connect.avro.Enum.RED": "RED",
	}}
	union := connectors.StructOf(field("int", connectors.OptionalInt32Schema), field("string", connectors.OptionalStringSchema))
	union.Name, union.Optional = "io.confluent.connect.avro.Union", true
	twice := connectors.StructOf(field("from", point), field("to", point.AsOptional(true)))
	twice.Name = "geo.Line"
	return []wireCase{
		{name: "int8", schema: connectors.Int8Schema, value: int8(-1), text: `{"type":"int","connect.type":"int8"}`, hex: "01"},
		{name: "int16", schema: connectors.Int16Schema, value: int16(64), text: `{"type":"int","connect.type":"int16"}`, hex: "8001"},
		{name: "int32", schema: connectors.Int32Schema, value: int32(-65), text: `"int"`, hex: "8101"},
		{name: "int64", schema: connectors.Int64Schema, value: int64(-1 << 63), text: `"long"`, hex: "ffffffffffffffffff01"},
		{name: "float32", schema: connectors.Float32Schema, value: float32(1), text: `"float"`, hex: "0000803f"},
		{name: "float64", schema: connectors.Float64Schema, value: -2.0, text: `"double"`, hex: "00000000000000c0"},
		{name: "boolean", schema: connectors.BooleanSchema, value: true, text: `"boolean"`, hex: "01"},
		{name: "string", schema: connectors.StringSchema, value: "foo", text: `"string"`, hex: "06666f6f"},
		{name: "optional string", schema: connectors.OptionalStringSchema, value: "foo", text: `["null","string"]`, hex: "0206666f6f"},
		{name: "bytes alone have no length", schema: connectors.BytesSchema, value: []byte{1, 2}, text: `"bytes"`, hex: "0102"},
		{name: "array", schema: connectors.ArrayOf(connectors.Int64Schema), value: []any{int64(3), int64(27)},
			text: `{"type":"array","items":"long"}`, hex: "04063600"},
		{name: "empty array", schema: connectors.ArrayOf(connectors.Int64Schema), value: []any{}, text: `{"type":"array","items":"long"}`, hex: "00"},
		{name: "map", schema: connectors.MapOf(connectors.StringSchema, connectors.OptionalInt32Schema), value: mapOf("a", int32(1), "b", nil),
			text: `{"type":"map","values":["null","int"]}`, hex: "0402610202026200" + "00"},
		{name: "map with number keys", schema: connectors.MapOf(connectors.Int32Schema, connectors.StringSchema), value: mapOf(int32(1), "x"),
			text: `{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]}}`,
			hex:  "0202027800"},
		{name: "date", schema: connectors.DateSchema, value: connectors.DateFromDays(1),
			text: `{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}`, hex: "02"},
		{name: "timestamp", schema: connectors.TimestampSchema, value: connectors.FromMillis(-1),
			text: `{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}`, hex: "01"},
		{name: "decimal alone", schema: connectors.DecimalSchema(2), value: connectors.Decimal{Unscaled: big.NewInt(-256), Scale: 2},
			text: `{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`,
			hex:  "ff00"},
		{name: "record", schema: point, value: structOf(point, int32(1), "a"), hex: "02020261",
			text: `{"type":"record","name":"Point","namespace":"geo","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","string"],"default":null}],"connect.name":"geo.Point"}`},
		{name: "record without a name", schema: unnamed, value: structOf(unnamed, int64(1)), hex: "02",
			text: `{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"id","type":"long"}]}`},
		{name: "default comes first", schema: defaults, value: structOf(defaults, "x"), hex: "000278",
			text: `{"type":"record","name":"D","fields":[{"name":"a","type":[{"type":"string","connect.default":"none"},"null"],"default":"none"}],"connect.name":"D"}`},
		{name: "enum", config: map[string]string{"enhanced.avro.schema.support": "true"}, schema: color, value: "RED", hex: "02",
			text: `{"type":"enum","name":"Color","symbols":["BLUE","RED"],"connect.parameters":{"io.confluent.connect.avro.Enum":"Color","io.confluent.connect.avro.Enum.BLUE":"BLUE","io.confluent.connect.avro.Enum.RED":"RED"},"connect.name":"Color"}`},
		{name: "union", schema: union, value: structOf(union, nil, "s"), text: `["null","int","string"]`, hex: "040273"},
		{name: "a name used twice", schema: twice, value: structOf(twice, structOf(point, int32(1), nil), structOf(point, int32(2), nil)), hex: "0200020400",
			text: `{"type":"record","name":"Line","namespace":"geo","fields":[{"name":"from","type":{"type":"record","name":"Point","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","string"],"default":null}],"connect.name":"geo.Point"}},{"name":"to","type":["null","Point"],"default":null}],"connect.name":"geo.Line"}`},
	}
}

// The bytes are written out by hand from Avro's specification of its binary encoding.
func TestWire(t *testing.T) {
	for _, c := range wireCases() {
		t.Run(c.name, func(t *testing.T) {
			registry := registrytest.New(t)
			conv := converter(t, registry, c.config)
			data, err := conv.FromConnect("t", nil, c.schema, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := registry.Subject("t-value"); len(got) != 1 || got[0].Text != c.text {
				t.Errorf("registered\n%v, want\n%s", got, c.text)
			}
			if got, want := hex.EncodeToString(data), "0000000001"+c.hex; got != want {
				t.Errorf("wrote %s, want %s", got, want)
			}
			back, err := conv.ToConnect("t", nil, data)
			if err != nil {
				t.Fatal(err)
			}
			want := *c.schema
			if want.Type == connectors.TypeStruct && want.Name != "io.confluent.connect.avro.Union" {
				want.Version = ptr(1) // of the subject
			}
			if !back.Schema.Equal(&want) {
				t.Errorf("read schema %+v, want %+v", back.Schema, &want)
			}
			st, isStruct := back.Value.(*connectors.Struct)
			if !isStruct && !connectors.EqualValues(back.Value, c.value) {
				t.Errorf("read %v, want %v", back.Value, c.value)
			}
			if isStruct {
				again, err := conv.FromConnect("t", nil, c.schema, st)
				if err != nil || string(again) != string(data) {
					t.Errorf("what was read is written as %x, %v; want %x", again, err, data)
				}
			}
		})
	}
}

func TestNull(t *testing.T) {
	conv := converter(t, registrytest.New(t), nil)
	for _, s := range []*connectors.Schema{nil, connectors.OptionalStringSchema} {
		if data, err := conv.FromConnect("t", nil, s, nil); data != nil || err != nil {
			t.Errorf("null of %v is %x, %v", s, data, err)
		}
	}
	if _, err := conv.FromConnect("t", nil, connectors.StringSchema, nil); err == nil {
		t.Error("null of a required string is no error")
	}
	if v, err := conv.ToConnect("t", nil, nil); v.Schema != nil || v.Value != nil || err != nil {
		t.Errorf("null is read as %v, %v", v, err)
	}
}

// A schema as others write them: blocks with their length, several blocks, enums, fixed, unions of records.
func TestForeignPayload(t *testing.T) {
	registry := registrytest.New(t)
	id := registry.Register("other", schemaregistry.Schema{Text: `{
		"type": "record", "name": "a.R", "doc": "about R", "fields": [
			{"name": "tags", "type": {"type": "array", "items": "string"}, "doc": "labels"},
			{"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["SPADES", "HEARTS"]}},
			{"name": "sum", "type": {"type": "fixed", "name": "md", "size": 2}},
			{"name": "who", "type": ["null", "int", {"type": "record", "name": "Person", "fields": [{"name": "n", "type": "string"}]}]},
			{"name": "micros", "type": {"type": "long", "logicalType": "timestamp-micros"}},
			{"name": "level", "type": "int", "default": 7}
		]}`})
	if id != 1 {
		t.Fatal(id)
	}
	payload := "0000000001" +
		"01" + "04" + "0261" + // a block of one element in two bytes
		"02" + "0262" + "00" + // another and the end
		"02" + // HEARTS
		"beef" +
		"04" + "0650616d" + // Person
		"02" + "0e"
	data, err := hex.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	conv := converter(t, registry, nil)
	got, err := conv.ToConnect("t", nil, data)
	if err != nil {
		t.Fatal(err)
	}
	st := got.Value.(*connectors.Struct)
	if got.Schema.Name != "a.R" || got.Schema.Doc != "about R" || got.Schema.Version != nil {
		t.Errorf("schema is %+v", got.Schema)
	}
	if diff := cmp.Diff([]any{"a", "b"}, st.Raw(0)); diff != "" {
		t.Error(diff)
	}
	if st.Raw(1) != "HEARTS" || string(st.Raw(2).([]byte)) != "\xbe\xef" || st.Raw(4) != int64(1) || st.Raw(5) != int32(7) {
		t.Errorf("values are %v %v %v %v", st.Raw(1), st.Raw(2), st.Raw(4), st.Raw(5))
	}
	who := st.Raw(3).(*connectors.Struct)
	if p, err := who.Get("Person"); err != nil || p.(*connectors.Struct).Raw(0) != "Pam" {
		t.Errorf("Person is %v, %v", p, err)
	}
	if got.Schema.Fields[5].Schema.Default != int32(7) || got.Schema.Fields[0].Schema.Doc != "labels" {
		t.Errorf("fields are %+v", got.Schema.Fields)
	}
}

func TestUseLatestVersion(t *testing.T) {
	own := connectors.StructOf(field("id", connectors.Int32Schema), field("extra", connectors.StringSchema))
	own.Name = "R"
	value := structOf(own, int32(1), "x")
	latest := `{"type":"record","name":"R","fields":[{"name":"note","type":["null","string"],"default":null},{"name":"id","type":"long"},{"name":"level","type":"int","default":3}]}`
	config := map[string]string{"auto.register.schemas": "false", "use.latest.version": "true", "latest.compatibility.strict": "false"}

	registry := registrytest.New(t)
	registry.Register("t-value", schemaregistry.Schema{Text: latest})
	data, err := converter(t, registry, config).FromConnect("t", nil, own, value)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(data), "0000000001"+"00"+"02"+"06"; got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	config["latest.compatibility.strict"] = "true"
	_, err = converter(t, registry, config).FromConnect("t", nil, own, value)
	if err == nil || !strings.Contains(err.Error(), "extra") || connectors.Retriable(err) {
		t.Errorf("a field too many: %v", err)
	}
}

func TestInvalidNames(t *testing.T) {
	s := connectors.StructOf(field("order-id", connectors.Int32Schema), field("1st", connectors.Int32Schema))
	s.Name = "my-app.order"
	registry := registrytest.New(t)
	if _, err := converter(t, registry, nil).FromConnect("t", nil, s, structOf(s, int32(1), int32(2))); err == nil {
		t.Error("no error")
	}
	conv := converter(t, registry, map[string]string{"scrub.invalid.names": "true", "connect.meta.data": "false"})
	data, err := conv.FromConnect("t", nil, s, structOf(s, int32(1), int32(2)))
	if err != nil || hex.EncodeToString(data) != "00000000010204" {
		t.Errorf("%x, %v", data, err)
	}
	want := `{"type":"record","name":"order","namespace":"my_app","fields":[{"name":"order_id","type":"int"},{"name":"x1st","type":"int"}]}`
	if got := registry.Subject("t-value")[0].Text; got != want {
		t.Errorf("registered %s", got)
	}
}

func TestBadSchemas(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                     "no JSON",
		`"nope"`:                                "no name defined",
		`["null"]`:                              "no other type than null",
		`[["int"]]`:                             "directly in a union",
		`["int","int"]`:                         "twice in a union",
		`"null"`:                                "only be in a union",
		`{"type":"record","name":"R"}`:          "no list of fields",
		`{"type":"fixed","name":"F","size":-1}`: "must be a number from 0",
		`{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`:     "contains itself",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`: "default",
		`{"type":"array","items":` + strings.Repeat(`{"type":"array","items":`, 200):      "no JSON",
	} {
		registry := registrytest.New(t)
		registry.Register("t-value", schemaregistry.Schema{Text: text})
		_, err := converter(t, registry, nil).ToConnect("t", nil, []byte{0, 0, 0, 0, 1, 0})
		if err == nil || !strings.Contains(err.Error(), want) || connectors.Retriable(err) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	registry := registrytest.New(t)
	registry.Register("t-value", schemaregistry.Schema{Text: `{"type":"array","items":{"type":"record","name":"E","fields":[]}}`})
	conv := converter(t, registry, nil)
	for payload, want := range map[string]string{
		"":                       "too short",
		"0100000001":             "magic byte 1",
		"0000000001":             "ends too early",
		"0000000001feffffff7f00": "claims",
		"0000000001ffffffffffffffffff01ffffffffffffffffff01": "claims",
		"000000000100ff": "1 bytes follow",
		"000000000280":   "read schema 2",
	} {
		data, err := hex.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conv.ToConnect("t", nil, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", payload, err, want)
		}
	}
}
