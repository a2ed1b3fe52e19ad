package protobuf_test

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"millrace/connectors"
	"millrace/plugins/converters/protobuf"
	"millrace/plugins/converters/registrytest"
	"millrace/plugins/converters/schemaregistry"
)

func converter(tb testing.TB, registry *registrytest.Server, config map[string]string) connectors.Converter {
	tb.Helper()
	c := protobuf.New()
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

const header = "0000000001"

// The bytes are written out by hand from the specification of Protobuf's encoding.
func TestWire(t *testing.T) {
	inner := connectors.StructOf(field("x", connectors.Int32Schema))
	inner.Name = "other.Inner"
	union := connectors.StructOf(field("num", connectors.OptionalInt64Schema), field("txt", connectors.OptionalStringSchema))
	union.Name, union.Optional = "io.confluent.connect.protobuf.Union.choice", true
	tagged := &connectors.Schema{Type: connectors.TypeInt64, Parameters: map[string]string{"io.confluent.connect.protobuf.Tag": "16"}}
	for _, c := range []struct {
		name   string
		config map[string]string
		fields []connectors.Field
		values []any
		text   string // of the message's fields
		hex    string
		want   string // read as
	}{
		{"numbers", nil, []connectors.Field{field("a", connectors.Int32Schema), field("b", connectors.Int64Schema), field("c", connectors.Float32Schema),
			field("d", connectors.Float64Schema), field("e", connectors.BooleanSchema)}, []any{int32(150), int64(-1), float32(1), -2.0, true},
			"int32 a = 1; int64 b = 2; float c = 3; double d = 4; bool e = 5;",
			"089601" + "10ffffffffffffffffff01" + "1d0000803f" + "2100000000000000c0" + "2801", "Struct{a=150,b=-1,c=1.0,d=-2.0,e=true}"},
		{"zeros are left out", nil, []connectors.Field{field("a", connectors.Int32Schema), field("s", connectors.OptionalStringSchema)}, []any{int32(0), nil},
			"int32 a = 1; string s = 2;", "", "Struct{a=0,s=}"},
		{"texts and bytes", nil, []connectors.Field{field("s", connectors.StringSchema), field("b", connectors.BytesSchema)}, []any{"testing", []byte{1, 2}},
			"string s = 1; bytes b = 2;", "0a0774657374696e67" + "12020102", "Struct{s=testing,b="},
		{"repeated", nil, []connectors.Field{field("n", connectors.ArrayOf(connectors.Int32Schema)), field("s", connectors.ArrayOf(connectors.StringSchema))},
			[]any{[]any{int32(3), int32(270), int32(86942)}, []any{"a", ""}},
			"repeated int32 n = 1; repeated string s = 2;", "0a06038e029ea705" + "120161" + "1200", "Struct{n=[3, 270, 86942],s=[a, ]}"},
		{"map", nil, []connectors.Field{field("m", connectors.MapOf(connectors.StringSchema, connectors.Int32Schema))}, []any{mapOf("k", int32(0))},
			"map<string, int32> m = 1;", "0a050a016b1000", "Struct{m={k=0}}"},
		{"map with other keys", nil, []connectors.Field{field("m", connectors.MapOf(connectors.Float64Schema, connectors.BooleanSchema))}, []any{mapOf(1.0, true)},
			"repeated MEntry m = 1; message MEntry { double key = 1; bool value = 2; }", "0a0b09000000000000f03f1001", "Struct{m={1.0=true}}"},
		{"message", nil, []connectors.Field{field("i", inner), field("l", connectors.ArrayOf(inner))}, []any{structOf(inner, int32(1)), []any{structOf(inner, int32(0))}},
			"Inner i = 1; repeated Inner l = 2; message Inner { int32 x = 1; }", "0a020801" + "1200", "Struct{i=Struct{x=1},l=[Struct{x=0}]}"},
		{"oneof", nil, []connectors.Field{field("choice_0", union)}, []any{structOf(union, nil, "")},
			"oneof choice { int64 num = 1; string txt = 2; }", "1200", "Struct{choice_0=Struct{txt=}}"},
		{"numbers of fields", nil, []connectors.Field{field("a", tagged), field("b", connectors.BooleanSchema)}, []any{int64(1), true},
			"int64 a = 16; bool b = 1;", "800101" + "0801", "Struct{a=1,b=true}"},
		{"small integers", nil, []connectors.Field{field("a", connectors.Int8Schema)}, []any{int8(-1)},
			`int32 a = 1 [(confluent.field_meta) = { params: [{ key: "connect.type", value: "int8" }] }];`, "08ffffffffffffffffff01", "Struct{a=-1}"},
		{"logical types", nil, []connectors.Field{field("d", connectors.DecimalSchema(2)), field("on", connectors.DateSchema), field("at", connectors.TimestampSchema), field("of", connectors.TimeSchema)},
			[]any{connectors.Decimal{Unscaled: big.NewInt(-256), Scale: 2}, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), connectors.FromMillis(-1), connectors.FromMillis(3_661_001)},
			`confluent.type.Decimal d = 1 [(confluent.field_meta) = { params: [{ key: "scale", value: "2" }] }]; google.type.Date on = 2; google.protobuf.Timestamp at = 3; google.type.TimeOfDay of = 4;`,
			"0a060a02ff001802" + "120708e80f1002181d" + "1a1108ffffffffffffffffff0110c08faedc03" + "220a08011001180120c0843d", "Struct{d=-2.56,on="},
		{"optional", map[string]string{"optional.for.nullables": "true"}, []connectors.Field{field("a", connectors.OptionalInt32Schema), field("b", connectors.OptionalInt32Schema), field("c", connectors.Int32Schema)},
			[]any{nil, int32(0), int32(0)}, "optional int32 a = 1; optional int32 b = 2; int32 c = 3;", "1000", "Struct{b=0,c=0}"},
		{"wrappers", map[string]string{"wrapper.for.nullables": "true"}, []connectors.Field{field("a", connectors.OptionalStringSchema), field("b", connectors.OptionalStringSchema), field("c", connectors.OptionalBooleanSchema)},
			[]any{nil, "", true}, "google.protobuf.StringValue a = 1; google.protobuf.StringValue b = 2; google.protobuf.BoolValue c = 3;", "1200" + "1a020801", "Struct{b=,c=true}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := connectors.StructOf(c.fields...)
			s.Name = "a.b.C"
			registry := registrytest.New(t)
			conv := converter(t, registry, c.config)
			data, err := conv.FromConnect("t", nil, s, structOf(s, c.values...))
			if err != nil {
				t.Fatal(err)
			}
			got := registry.Subject("t-value")[0]
			_, body, _ := strings.Cut(got.Text, "message C {")
			body = strings.TrimSuffix(strings.Join(strings.Fields(body), " "), " }")
			if body != c.text || got.Type != "PROTOBUF" || !strings.Contains(got.Text, "package a.b;") {
				t.Errorf("registered\n%s, want fields\n%s", got.Text, c.text)
			}
			if got, want := hex.EncodeToString(data), header+"00"+c.hex; got != want {
				t.Errorf("wrote %s, want %s", got, want)
			}
			back, err := conv.ToConnect("t", nil, data)
			if err != nil {
				t.Fatal(err)
			}
			if text := connectors.Text(back.Value); !strings.HasPrefix(text, c.want) {
				t.Errorf("read %s, want %s", text, c.want)
			}
			if back.Schema.Name != "C" || *back.Schema.Version != 1 {
				t.Errorf("read schema %+v", back.Schema)
			}
			back.Schema.Name = "a.b.C"
			other := converter(t, registry, c.config)
			again, err := other.FromConnect("t2", nil, back.Schema, back.Value)
			if err != nil || hex.EncodeToString(again[5:]) != "00"+c.hex {
				t.Errorf("what was read is written as %x, %v", again, err)
			}
		})
	}
}

const foreign = `
syntax = "proto3";
package shop;
import "common.proto";
import "google/protobuf/wrappers.proto";
message Order {
  sint32 delta = 1;
  fixed64 big = 2;
  common.Color color = 3;
  repeated int32 loose = 4 [packed = false];
  Line line = 5;
  google.protobuf.Int64Value count = 6;
  message Line { string sku = 1; uint32 n = 2; message Deep { bool ok = 1; } }
}
message Second { string s = 1; }
`

func foreignRegistry(tb testing.TB) *registrytest.Server {
	registry := registrytest.New(tb)
	registry.Register("t-value", schemaregistry.Schema{Type: "PROTOBUF", Text: foreign,
		References: []schemaregistry.Reference{{Name: "common.proto", Subject: "common", Version: 1}}})
	registry.Register("common", schemaregistry.Schema{Type: "PROTOBUF", Text: `syntax = "proto3"; package common; enum Color { RED = 0; BLUE = 5; }`})
	return registry
}

// Payloads as others write them: other messages of a file, unknown fields, packed or not, a message in parts.
func TestForeignPayload(t *testing.T) {
	conv := converter(t, foreignRegistry(t), map[string]string{"enhanced.protobuf.schema.support": "true"})
	for payload, want := range map[string]string{
		"00" + "0803" + "110200000000000000" + "1805" + "2001" + "22020203" + "2a030a0161" + "2a021007" + "3200" + "7a0178": "Struct{delta=-2,big=2,color=BLUE,loose=[1, 2, 3],line=Struct{sku=a,n=7},count=0}",
		"020000":          "Struct{delta=0,big=0,color=RED,loose=[]}", // the first message, written out
		"02020a0178":      "Struct{s=x}",
		"0400000a0179":    "Struct{sku=y,n=0}",
		"060000000801":    "Struct{ok=true}",
		"00" + "a20601ff": "Struct{delta=0,big=0,color=RED,loose=[]}",
	} {
		data, err := hex.DecodeString(header + payload)
		if err != nil {
			t.Fatal(err)
		}
		if payload == "020000" {
			data = data[:len(data)-1]
		}
		got, err := conv.ToConnect("t", nil, data)
		if err != nil || connectors.Text(got.Value) != want {
			t.Errorf("%s: %s, %v; want %s", payload, connectors.Text(got.Value), err, want)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	conv := converter(t, foreignRegistry(t), nil)
	for payload, want := range map[string]string{
		"":           "message indexes",
		"80":         "message indexes",
		"7e00":       "message indexes",
		"0204":       "no message",
		"0008":       "cut short",
		"000a00":     "wire type 2, want 0",
		"00189601":   "no value with number",
		"002a050a01": "cut short",
		"00000000":   "cut short",
	} {
		data, err := hex.DecodeString(header + payload)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conv.ToConnect("t", nil, data)
		if err == nil || !strings.Contains(err.Error(), want) || connectors.Retriable(err) {
			t.Errorf("%s: %v, want %q", payload, err, want)
		}
	}
}

func TestBadSchemas(t *testing.T) {
	bad := connectors.StructOf(field("a-b", connectors.Int32Schema))
	nested := connectors.StructOf(field("a", connectors.ArrayOf(connectors.ArrayOf(connectors.Int32Schema))))
	conv := converter(t, registrytest.New(t), nil)
	for _, c := range []struct {
		schema *connectors.Schema
		value  any
		want   string
	}{
		{connectors.StringSchema, "x", "only a struct"},
		{bad, structOf(bad, int32(1)), "scrub.invalid.names"},
		{nested, structOf(nested, []any{}), "directly in an array"},
	} {
		if _, err := conv.FromConnect("t", nil, c.schema, c.value); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	for text, want := range map[string]string{
		"message": "unusable Protobuf schema",
		`syntax = "proto3"; import "../../etc/passwd"; message M {}`: "unusable Protobuf schema",
		`syntax = "proto3"; message M { M next = 1; }`:               "contains itself",
		`syntax = "proto2"; message M { optional group G = 1 {} }`:   "cannot be read",
	} {
		registry := registrytest.New(t)
		registry.Register("t-value", schemaregistry.Schema{Type: "PROTOBUF", Text: text})
		_, err := converter(t, registry, nil).ToConnect("t", nil, []byte{0, 0, 0, 0, 1, 0})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestUseLatestVersion(t *testing.T) {
	s := connectors.StructOf(field("sku", connectors.StringSchema), field("n", connectors.Int32Schema), field("extra", connectors.StringSchema))
	registry := registrytest.New(t)
	registry.Register("t-value", schemaregistry.Schema{Type: "PROTOBUF", Text: `syntax = "proto3"; message Line { uint32 n = 9; string sku = 3; }`})
	config := map[string]string{"auto.register.schemas": "false", "use.latest.version": "true", "latest.compatibility.strict": "false"}
	data, err := converter(t, registry, config).FromConnect("t", nil, s, structOf(s, "a", int32(7), "x"))
	if err != nil || hex.EncodeToString(data) != header+"001a01614807" {
		t.Errorf("%x, %v", data, err)
	}
	config["latest.compatibility.strict"] = "true"
	if _, err = converter(t, registry, config).FromConnect("t", nil, s, structOf(s, "a", int32(7), "x")); err == nil || !strings.Contains(err.Error(), "extra") {
		t.Errorf("a field too many: %v", err)
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

// Any payload is an error or a value that can be written.
func FuzzRead(f *testing.F) {
	conv := converter(f, foreignRegistry(f), map[string]string{"auto.register.schemas": "false", "use.schema.id": "1", "latest.compatibility.strict": "false"})
	f.Add([]byte{0, 8, 3, 0x18, 5, 0x2a, 3, 0x0a, 1, 'a'})
	f.Add([]byte{6, 0, 0, 0, 8, 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := conv.ToConnect("t", nil, append([]byte{0, 0, 0, 0, 1}, payload...))
		if err != nil || got.Schema.Name != "Order" {
			return
		}
		if _, err := conv.FromConnect("t", nil, got.Schema, got.Value); err != nil {
			t.Fatal(err)
		}
	})
}
