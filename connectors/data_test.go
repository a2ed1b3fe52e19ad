package connectors_test

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"testing"
	"time"

	"millrace/connectors"
)

func person() *connectors.Schema {
	return connectors.StructOf(
		connectors.Field{Name: "name", Schema: connectors.StringSchema},
		connectors.Field{Name: "age", Schema: &connectors.Schema{Type: connectors.TypeInt32, Default: int32(7)}},
		connectors.Field{Name: "tags", Schema: connectors.ArrayOf(connectors.StringSchema).AsOptional(true)},
	)
}

func TestStruct(t *testing.T) {
	s := connectors.NewStruct(person())
	for _, tt := range []struct {
		field   string
		value   any
		wantErr string
	}{
		{"name", "x", ""},
		{"tags", []any{"a"}, ""},
		{"tags", nil, ""},
		{"name", nil, `Invalid value: null used for required field: "name", schema type: STRING`},
		{"name", int32(1), `Invalid Java object for schema with type STRING: int32 for field: "name"`},
		{"tags", []any{nil}, `Invalid value: null used for required element of array field: "tags", schema type: STRING`},
		{"nope", 1, "nope is not a valid field name"},
	} {
		err := s.Put(tt.field, tt.value)
		if got := fmt.Sprint(err); got != tt.wantErr && (err != nil || tt.wantErr != "") {
			t.Errorf("put %s %v: %s, want %s", tt.field, tt.value, got, tt.wantErr)
		}
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	age, err := s.Get("age")
	if err != nil || age != int32(7) || s.Raw(1) != nil {
		t.Errorf("age %v (raw %v), %v", age, s.Raw(1), err)
	}
	if _, err := s.Get("nope"); err == nil {
		t.Error("got a field that there is not")
	}
	c := s.Clone()
	c.Set(0, "y")
	if s.String() != "Struct{name=x}" || c.String() != "Struct{name=y}" {
		t.Errorf("%s, clone %s", s, c)
	}
	if err := connectors.NewStruct(person()).Validate(); err == nil {
		t.Error("a struct without its name is valid")
	}
}

func TestValidateValue(t *testing.T) {
	ints := connectors.MapOf(connectors.StringSchema, connectors.Int64Schema)
	good, bad := connectors.NewMap(1), connectors.NewMap(1)
	good.Put("a", int64(1))
	bad.Put("a", "1")
	inner := connectors.NewStruct(person())
	inner.Set(0, "x")
	tests := []struct {
		schema *connectors.Schema
		value  any
		ok     bool
	}{
		{connectors.OptionalInt8Schema, nil, true},
		{connectors.Int8Schema, int8(1), true},
		{connectors.Int8Schema, int16(1), false},
		{connectors.TimestampSchema, time.Now(), true},
		{connectors.TimestampSchema, int64(1), false},
		{connectors.DecimalSchema(2), connectors.Decimal{Unscaled: big.NewInt(1), Scale: 2}, true},
		{connectors.DecimalSchema(2), []byte{1}, false},
		{ints, good, true},
		{ints, bad, false},
		{connectors.ArrayOf(nil), []any{1}, false},
		{person(), inner, true},
		{connectors.StructOf(), inner, false},
	}
	for _, tt := range tests {
		if err := connectors.ValidateValue(tt.schema, tt.value); (err == nil) != tt.ok {
			t.Errorf("%s %v: %v", tt.schema, tt.value, err)
		}
	}
}

func TestSchemaEqual(t *testing.T) {
	base := func() *connectors.Schema {
		s := person()
		s.Name, s.Doc, s.Parameters = "p", "d", map[string]string{"k": "v"}
		d := connectors.NewStruct(s)
		d.Set(0, "x")
		s.Default = d // which refers to s
		return s
	}
	if !base().Equal(base()) {
		t.Error("the same schemas are not equal")
	}
	for name, change := range map[string]func(*connectors.Schema){
		"type":       func(s *connectors.Schema) { s.Type = connectors.TypeMap },
		"optional":   func(s *connectors.Schema) { s.Optional = true },
		"name":       func(s *connectors.Schema) { s.Name = "q" },
		"version":    func(s *connectors.Schema) { v := int32(1); s.Version = &v },
		"doc":        func(s *connectors.Schema) { s.Doc = "" },
		"parameters": func(s *connectors.Schema) { s.Parameters = nil },
		"default":    func(s *connectors.Schema) { s.Default = nil },
		"field":      func(s *connectors.Schema) { s.Fields[0].Name = "n" },
		"field type": func(s *connectors.Schema) { s.Fields[0].Schema = connectors.Int8Schema },
	} {
		changed := base()
		change(changed)
		if base().Equal(changed) || changed.Equal(base()) {
			t.Errorf("equal in spite of another %s", name)
		}
	}
	if base().Equal(nil) {
		t.Error("equal to nil")
	}
}

// TestMap compares with a plain list of pairs, across the size from which there is an index.
func TestMap(t *testing.T) {
	m := new(connectors.Map)
	for i := range 100 {
		m.Put(fmt.Sprint(i%40), i)
		m.Put(int64(i%40), -i)
	}
	m.Put([]any{"list"}, "by content")
	m.Delete("7")
	m.Delete("nothing")
	if m.Len() != 80 {
		t.Fatalf("%d entries, want 80", m.Len())
	}
	for i := range 40 {
		last := i + 80
		if i >= 20 {
			last = i + 40
		}
		v, ok := m.Get(fmt.Sprint(i))
		if ok != (i != 7) || ok && v != last {
			t.Errorf("%d: %v %v", i, v, ok)
		}
		if v, _ := m.Get(int64(i)); v != -last {
			t.Errorf("%d: %v", i, v)
		}
	}
	if v, ok := m.Get([]any{"list"}); !ok || v != "by content" {
		t.Errorf("list: %v %v", v, ok)
	}
	if m.At(0).Key != "0" || m.At(1).Key != int64(0) {
		t.Error("order was not kept")
	}
	c := m.Clone()
	c.Put("0", "changed")
	if v, _ := m.Get("0"); v == "changed" {
		t.Error("a clone changed the map")
	}
	if !connectors.EqualValues(m, m.Clone()) || connectors.EqualValues(m, c) {
		t.Error("equality")
	}
}

func TestDecimal(t *testing.T) {
	tests := []struct {
		text, want, plain string
		scale             int32
		bytes             []byte
	}{
		{"0", "0", "0", 0, []byte{0}},
		{"12.34", "12.34", "12.34", 2, []byte{0x04, 0xD2}},
		{"-1.28", "-1.28", "-1.28", 2, []byte{0x80}},
		{"+1.29", "1.29", "1.29", 2, []byte{0x00, 0x81}},
		{"-0.001", "-0.001", "-0.001", 3, []byte{0xFF}},
		{"1E-7", "1E-7", "0.0000001", 7, []byte{1}},
		{"1.5e10", "1.5E+10", "15000000000", -9, []byte{15}},
		{"-256", "-256", "-256", 0, []byte{0xFF, 0x00}},
		{".5", "0.5", "0.5", 1, []byte{5}},
		{"5.", "5", "5", 0, []byte{5}},
	}
	for _, tt := range tests {
		d, ok := connectors.ParseDecimal(tt.text)
		if !ok {
			t.Errorf("%s does not parse", tt.text)
			continue
		}
		if d.String() != tt.want || d.Plain() != tt.plain || d.Scale != tt.scale || string(d.Bytes()) != string(tt.bytes) {
			t.Errorf("%s: %s, %s, scale %d, bytes %x", tt.text, d, d.Plain(), d.Scale, d.Bytes())
		}
		back, err := connectors.DecimalFromBytes(d.Bytes(), d.Scale)
		if err != nil || !connectors.EqualValues(back, d) {
			t.Errorf("%s from its bytes is %s, %v", d, back, err)
		}
	}
	for _, text := range []string{"", "-", ".", "1e", "1e+-2", "--1", "1_0", "0x1", " 1", "1e99999999999", "e5", "+-1"} {
		if d, ok := connectors.ParseDecimal(text); ok {
			t.Errorf("%q parses as %s", text, d)
		}
	}
	if _, err := connectors.DecimalFromBytes(nil, 0); err == nil {
		t.Error("no bytes are a decimal")
	}
	huge, _ := connectors.ParseDecimal("1e2000000000") // must not be written out
	if _, ok := huge.Int(); ok || !math.IsInf(huge.Float(), 1) || huge.Plain() != "1E+2000000000" {
		t.Errorf("%s, %v", huge.Plain(), huge.Float())
	}
}

func TestText(t *testing.T) {
	m := connectors.NewMap(2)
	m.Put("k", []any{int8(1), nil, 2.5})
	m.Put(true, connectors.FromMillis(1700000000123))
	want := "{k=[1, null, 2.5], true=Tue Nov 14 22:13:20 UTC 2023}"
	if got := connectors.Text(m); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for f, want := range map[float64]string{
		1e7: "1.0E7", 123456.75: "123456.75", 1e-3: "0.001", 1e-4: "1.0E-4", math.Copysign(0, -1): "-0.0", 4.9e-324: "4.9E-324",
		math.Inf(-1): "-Infinity", 100: "100.0",
	} {
		if got := string(connectors.AppendFloat(nil, f, 64)); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
}

// TestParseValueDepth: nesting deep enough to exhaust a stack is plain text.
func TestParseValueDepth(t *testing.T) {
	deep := make([]byte, 1<<20)
	for i := range deep {
		deep[i] = '['
	}
	if v := connectors.ParseValue(string(deep)); v.Schema != connectors.StringSchema {
		t.Errorf("got %s", v.Schema)
	}
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"1", `[1,"a",{"b":2023-11-14}]`, "22:13:20.123Z", `{"a\"b":[[],[1.5]]}`, "1e400", "[null,1]", " [1", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := connectors.ParseValue(text)
		b, err := connectors.AppendHeaderText(nil, v.Value)
		if err != nil {
			t.Fatal(err)
		}
		if v.Schema == connectors.StringSchema || v.Schema == nil {
			return
		}
		again := connectors.ParseValue(string(b))
		if n, ok := v.Value.(int64); ok && again.Value != n {
			t.Errorf("%q: %d, written %s, read %v", text, n, b, again.Value)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"1", "-1.50", "1e400", ".5E-3", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := connectors.ParseDecimal(text)
		if !ok {
			return
		}
		if back, ok := connectors.ParseDecimal(d.String()); !ok || !connectors.EqualValues(back, d) {
			t.Errorf("%q: %s is read as %s", text, d, back)
		}
		if back, err := connectors.DecimalFromBytes(d.Bytes(), d.Scale); err != nil || !connectors.EqualValues(back, d) {
			t.Errorf("%q: from bytes %s, %v", text, back, err)
		}
	})
}

func TestStructMaker(t *testing.T) {
	wide := connectors.StructOf()
	for i := range 1000 {
		wide.Fields = append(wide.Fields, connectors.Field{Name: strconv.Itoa(i), Schema: connectors.OptionalInt32Schema})
	}
	schemas := []*connectors.Schema{connectors.StructOf(), connectors.StructOf(connectors.Field{Name: "a", Schema: connectors.OptionalInt32Schema}), wide}
	var m connectors.StructMaker
	var made []*connectors.Struct
	for i := range int32(300) {
		s := m.New(schemas[int(i)%len(schemas)])
		for f := range s.Schema().Fields {
			if s.Raw(f) != nil {
				t.Fatalf("field %d of struct %d is set from the start", f, i)
			}
			s.Set(f, i)
		}
		made = append(made, s)
	}
	for i, s := range made {
		for f := range s.Schema().Fields {
			if s.Raw(f) != int32(i) {
				t.Fatalf("field %d of struct %d is %v: it shares memory with another's", f, i, s.Raw(f))
			}
		}
	}
}
