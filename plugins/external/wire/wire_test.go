package wire_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

var equal = cmp.Options{
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".SourceOffset" }, cmp.Comparer(func(a, b connectors.SourceOffset) bool {
		return (a == nil) == (b == nil) && (a == nil || cmp.Equal(a.Map(), b.Map()))
	})),
	cmp.Comparer(func(a, b *connectors.Schema) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b *connectors.SourcePartition) bool {
		return (a == nil) == (b == nil) && (a == nil || cmp.Equal(a.Map(), b.Map()))
	}),
	cmp.Comparer(func(a, b *connectors.Struct) bool { return connectors.EqualValues(a, b) }),
	cmp.Comparer(func(a, b *connectors.Map) bool { return connectors.EqualValues(a, b) }),
	cmp.Comparer(func(a, b connectors.Decimal) bool { return connectors.EqualValues(a, b) }),
}

// schema has one field of each kind.
func schema() *connectors.Schema {
	version := int32(3)
	inner := &connectors.Schema{Type: connectors.TypeStruct, Name: "inner", Optional: true, Fields: []connectors.Field{{Name: "x", Schema: connectors.Float32Schema}}}
	return &connectors.Schema{
		Type: connectors.TypeStruct, Name: "all", Version: &version, Doc: "All.", Parameters: map[string]string{"a": "b"},
		Fields: []connectors.Field{
			{Name: "int8", Schema: connectors.Int8Schema}, {Name: "int16", Schema: connectors.Int16Schema},
			{Name: "int32", Schema: &connectors.Schema{Type: connectors.TypeInt32, Default: int32(7)}},
			{Name: "float64", Schema: connectors.Float64Schema}, {Name: "boolean", Schema: connectors.BooleanSchema},
			{Name: "text", Schema: connectors.OptionalStringSchema}, {Name: "bytes", Schema: connectors.BytesSchema},
			{Name: "decimal", Schema: &connectors.Schema{Type: connectors.TypeBytes, Name: connectors.DecimalName, Parameters: map[string]string{"scale": "2"}}},
			{Name: "time", Schema: &connectors.Schema{Type: connectors.TypeInt64, Name: connectors.TimestampName}},
			{Name: "array", Schema: &connectors.Schema{Type: connectors.TypeArray, Value: inner}},
			{Name: "map", Schema: &connectors.Schema{Type: connectors.TypeMap, Key: connectors.StringSchema, Value: connectors.Int64Schema}},
			{Name: "inner", Schema: inner},
		},
	}
}

func value(s *connectors.Schema) *connectors.Struct {
	inner := connectors.NewStruct(s.Fields[11].Schema)
	inner.Set(0, float32(1.5))
	m := new(connectors.Map)
	m.Put("k", int64(-1))
	v := connectors.NewStruct(s)
	for i, x := range []any{int8(-128), int16(300), nil, 2.5, true, nil, []byte{}, connectors.Decimal{Unscaled: big.NewInt(-12345), Scale: 2},
		connectors.FromMillis(1700000000123), []any{inner, nil}, m, inner} {
		v.Set(i, x)
	}
	return v
}

func sources() []connectors.SourceRecord {
	s := schema()
	partition := connectors.NewSourcePartition(map[string]any{"file": "a", "n": int64(1)})
	anything := new(connectors.Map)
	anything.Put("list", []any{int64(1), "two", nil, 3.5, false})
	anything.Put(int64(5), value(s)) // a struct where no schema says so
	return []connectors.SourceRecord{
		{
			Record: connectors.Record{Topic: "t", Partition: 3, KeySchema: connectors.StringSchema, Key: "key", ValueSchema: s, Value: value(s), Timestamp: 5,
				Headers: connectors.Headers{{Key: "h", Schema: connectors.StringSchema, Value: "v"}, {Key: "h"}}},
			SourcePartition: partition, SourceOffset: connectors.OffsetMap{"position": int64(9), "inner": map[string]any{"a": nil}},
		},
		{Record: connectors.Record{Topic: "t", Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp, Value: anything}, SourcePartition: partition},
		{Record: connectors.Record{Topic: "u", Partition: 0, Timestamp: 0, ValueSchema: connectors.BytesSchema, Value: make([]byte, 300)}},
	}
}

func TestSources(t *testing.T) {
	var e wire.Encoder
	var d wire.Decoder
	for range 3 { // the dictionaries go on
		want := sources()
		data, n, err := e.Sources(want)
		if err != nil || n != len(want) {
			t.Fatal(n, err)
		}
		if err := pb.Unmarshal(data, new(proto.Records)); err != nil {
			t.Fatalf("not the message Records: %v", err)
		}
		got, err := d.Sources(append([]byte(nil), data...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, equal); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got[0].SourcePartition != got[1].SourcePartition || got[0].KeySchema != connectors.StringSchema {
			t.Error("source partition or plain schema is not shared")
		}
	}
}

func TestSinks(t *testing.T) {
	want := []connectors.SinkRecord{
		{Record: connectors.Record{Topic: "t", Partition: 1, Value: "v", Timestamp: 1}, Offset: 1 << 40, TimestampType: connectors.CreateTime,
			Original: connectors.TopicPartition{Topic: "t", Partition: 1}},
		{Record: connectors.Record{Topic: "renamed", Partition: connectors.NoPartition, Timestamp: -1}, Offset: 0, TimestampType: connectors.NoTimestampType,
			Original: connectors.TopicPartition{Topic: "t", Partition: 0}},
	}
	var e wire.Encoder
	data, _, err := e.Sinks(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := new(wire.Decoder).Sinks(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A converter may make a schema for each record, and a source a partition: dictionaries must not grow without end.
func TestDictionariesStartOver(t *testing.T) {
	var e wire.Encoder
	var d wire.Decoder
	for i := 0; i < 200_000; i += 1000 {
		records := make([]connectors.SourceRecord, 1000)
		for j := range records {
			name := fmt.Sprint(i + j)
			records[j] = connectors.SourceRecord{
				Record:          connectors.Record{Topic: name, ValueSchema: &connectors.Schema{Type: connectors.TypeString, Name: name}, Value: name},
				SourcePartition: connectors.NewSourcePartition(map[string]any{"p": name}),
			}
		}
		for rest := records; len(rest) > 0; {
			data, n, err := e.Sources(rest)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Sources(append([]byte(nil), data...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rest[n-1], got[n-1], equal); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			rest = rest[n:]
		}
	}
}

func TestWhatCannotCross(t *testing.T) {
	loop := &connectors.Schema{Type: connectors.TypeArray}
	loop.Value = loop
	var deep any = "x"
	for range 200 {
		deep = []any{deep}
	}
	for name, r := range map[string]connectors.Record{
		"type":   {Value: struct{}{}},
		"schema": {ValueSchema: loop},
		"depth":  {Value: deep},
	} {
		var e wire.Encoder
		if _, _, err := e.Sources([]connectors.SourceRecord{{Record: r}}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if data, _, err := e.Sources(sources()); err != nil {
			t.Errorf("%s: the encoder is not usable: %v", name, err)
		} else if _, err := new(wire.Decoder).Sources(data); err != nil {
			t.Errorf("%s: dictionaries did not start over: %v", name, err)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	var e wire.Encoder
	data, _, err := e.Sources(sources())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, sinkErr := new(wire.Decoder).Sinks(append([]byte(nil), data...))
		records, err := new(wire.Decoder).Sources(data)
		if err != nil {
			return
		}
		_ = sinkErr // the fields of sinks have limits of their own
		var e wire.Encoder
		var d wire.Decoder
		for rest := records; len(rest) > 0; {
			again, n, err := e.Sources(rest)
			if err != nil {
				t.Fatalf("what was decoded does not encode: %v", err)
			}
			got, err := d.Sources(append([]byte(nil), again...))
			if err != nil {
				t.Fatalf("what was encoded does not decode: %v", err)
			}
			for i := range got {
				if got[i].SourceOffset != nil {
					got[i].SourceOffset.Map()
				}
				if !connectors.EqualValues(rest[i].Value, got[i].Value) {
					if _, ok := rest[i].Value.(map[string]any); !ok {
						t.Fatalf("value %v came back as %v", rest[i].Value, got[i].Value)
					}
				}
			}
			rest = rest[n:]
		}
	})
}

func BenchmarkSources(b *testing.B) {
	s := &connectors.Schema{Type: connectors.TypeStruct, Fields: []connectors.Field{
		{Name: "id", Schema: connectors.Int64Schema}, {Name: "name", Schema: connectors.StringSchema}, {Name: "load", Schema: connectors.Float64Schema}}}
	values := map[string]func(i int) (*connectors.Schema, any){
		"string": func(int) (*connectors.Schema, any) {
			return connectors.StringSchema, "a line of about fifty characters as files have it"
		},
		"struct": func(i int) (*connectors.Schema, any) {
			v := connectors.NewStruct(s)
			v.Set(0, int64(i))
			v.Set(1, "sensor")
			v.Set(2, 0.5)
			return s, v
		},
	}
	for _, name := range []string{"string", "struct"} {
		b.Run(name, func(b *testing.B) {
			partition := connectors.NewSourcePartition(map[string]any{"file": "a"})
			records := make([]connectors.SourceRecord, 1000)
			for i := range records {
				schema, v := values[name](i)
				records[i] = connectors.SourceRecord{Record: connectors.Record{Topic: "t", Partition: -1, Timestamp: int64(i), ValueSchema: schema, Value: v},
					SourcePartition: partition, SourceOffset: connectors.OffsetMap{"position": int64(i)}}
			}
			var e wire.Encoder
			var d wire.Decoder
			b.ReportAllocs()
			for b.Loop() {
				data, _, err := e.Sources(records)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := d.Sources(append([]byte(nil), data...)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
		})
	}
}
