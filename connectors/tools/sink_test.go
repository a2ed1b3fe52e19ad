package tools_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/tools"
)

func TestVerifiableSinkContract(t *testing.T) {
	var out output
	connectortest.TestSink(t, connectortest.SinkCase{
		Plugin: plugin(t, "VerifiableSink", &out),
		Setup: func(t *testing.T) (map[string]string, func(int) []string) {
			out.lines()
			return map[string]string{"name": "c"}, func(int) []string {
				var got []string
				for _, line := range out.lines() {
					var l struct {
						Seqno   string
						Flushed bool
					}
					if err := json.Unmarshal([]byte(line), &l); err != nil {
						t.Fatalf("line %s: %v", line, err)
					}
					if l.Flushed {
						got = append(got, l.Seqno)
					}
				}
				return got
			}
		},
	})
}

func TestVerifiableSinkLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock begins at 946684800000
		var out output
		s := connectortest.StartSink(t, plugin(t, "VerifiableSink", &out), map[string]string{"name": "c"})
		first := connectortest.Record("t", 5, connectors.Int64Schema, int64(7))
		first.Key = int32(1)
		renamed := connectortest.Record("other", 9, connectors.StringSchema, "x")
		renamed.Topic = "renamed"
		s.Put(first, renamed)
		want := []string{
			`{"task":1,"seqno":7,"offset":5,"time_ms":946684800000,"name":"c","topic":"t","sinkTask":0}`,
			`{"task":null,"seqno":"x","offset":9,"time_ms":946684800000,"name":"c","topic":"renamed","sinkTask":0}`,
		}
		if diff := cmp.Diff(want, out.lines()); diff != "" {
			t.Errorf("put (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		s.Flush()
		got := out.lines()
		if len(got) == 2 && strings.Contains(got[0], "renamed") {
			got[0], got[1] = got[1], got[0] // partitions are flushed in any order
		}
		want = []string{
			`{"task":1,"seqno":7,"offset":5,"time_ms":946684801000,"name":"c","topic":"t","sinkTask":0,"flushed":true}`,
			`{"task":null,"seqno":"x","offset":9,"time_ms":946684801000,"name":"c","topic":"renamed","sinkTask":0,"flushed":true}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("flush (-want +got):\n%s", diff)
		}
		s.Flush()
		if lines := out.lines(); lines != nil {
			t.Errorf("a second flush prints %q", lines)
		}
	})
}

// commitContext counts requests.
type commitContext struct {
	connectortest.SinkContext
	requests int
}

func (c *commitContext) RequestCommit() { c.requests++ }

func startSinkTask(t *testing.T, out *output) (connectors.SinkTask, *commitContext) {
	t.Helper()
	task, tc := plugin(t, "VerifiableSink", out).NewSink().NewTask(), new(commitContext)
	if err := task.Start(t.Context(), tc, map[string]string{"name": "c", "id": "0"}); err != nil {
		t.Fatal(err)
	}
	return task, tc
}

func TestVerifiableSinkFlushesByPartition(t *testing.T) {
	var out output
	task, _ := startSinkTask(t, &out)
	a, b := connectors.TopicPartition{Topic: "a"}, connectors.TopicPartition{Topic: "b"}
	if err := task.Put(t.Context(), append(connectortest.Records("a", 0, "v"), connectortest.Records("b", 0, "v", "w")...)); err != nil {
		t.Fatal(err)
	}
	out.lines()
	if err := task.Flush(t.Context(), map[connectors.TopicPartition]int64{a: 1}); err != nil {
		t.Fatal(err)
	}
	if lines := out.lines(); len(lines) != 1 || !strings.Contains(lines[0], `"topic":"a"`) {
		t.Errorf("the flush of one partition prints %q", lines)
	}
	listener := task.(connectors.PartitionListener)
	if err := listener.ClosePartitions(t.Context(), []connectors.TopicPartition{a, b}); err != nil {
		t.Fatal(err)
	}
	if err := task.Flush(t.Context(), map[connectors.TopicPartition]int64{a: 1, b: 2}); err != nil {
		t.Fatal(err)
	}
	if lines := out.lines(); lines != nil {
		t.Errorf("a partition that is gone is flushed: %q", lines)
	}
}

func TestVerifiableSinkAsksForCommit(t *testing.T) {
	var out output
	task, tc := startSinkTask(t, &out)
	value := strings.Repeat("v", tools.CommitBytes/4)
	put := func() {
		if err := task.Put(t.Context(), connectortest.Records("t", 0, value)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		put()
	}
	if tc.requests != 0 {
		t.Errorf("%d commits were asked for too soon", tc.requests)
	}
	put()
	put()
	if tc.requests != 1 {
		t.Errorf("%d commits were asked for, want 1", tc.requests)
	}
	if err := task.Flush(t.Context(), map[connectors.TopicPartition]int64{{Topic: "t"}: 1}); err != nil {
		t.Fatal(err)
	}
	put()
	if tc.requests != 1 {
		t.Errorf("%d commits were asked for after a flush, want 1", tc.requests)
	}
}

func TestValuesAreJSON(t *testing.T) {
	schema := connectors.StructOf(connectors.Field{Name: "a", Schema: connectors.Int32Schema}, connectors.Field{Name: "b", Schema: connectors.OptionalStringSchema})
	record := connectors.NewStruct(schema)
	record.Set(0, int32(1))
	m := connectors.NewMap(2)
	m.Put(int32(1), "one")
	m.Put(`k"`, nil)
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"null", nil, "null"},
		{"boolean", true, "true"},
		{"integer", int64(-5), "-5"},
		{"float", float32(12.2), "12.2"},
		{"not_a_number", math.NaN(), `"NaN"`},
		{"infinite", float32(math.Inf(-1)), `"-Infinity"`},
		{"decimal", connectors.Decimal{Unscaled: big.NewInt(1234), Scale: 2}, "12.34"},
		{"big", big.NewInt(7), "7"},
		{"bytes", []byte{1, 2}, `"AQI="`},
		{"moment", time.UnixMilli(1700000000123).UTC(), "1700000000123"},
		{"text", "a\"\\\b\t\n\f\r\x01\x1f<é>", `"a\"\\\b\t\n\f\r\u0001\u001F<é>"`},
		{"broken_text", "a\xff", `"a` + "\ufffd" + `"`},
		{"list", []any{int8(1), []any{}, "x"}, `[1,[],"x"]`},
		{"map", m, `{"1":"one","k\"":null}`},
		{"struct", record, `{"a":1,"b":null}`},
		{"of_no_type", struct{ A int }{1}, `"{1}"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tools.AppendJSON(nil, tt.value))
			if got != tt.want || !json.Valid([]byte(got)) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\"\\\x00\u2028\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(tools.AppendJSON(nil, s), &got); err != nil || got != string([]rune(s)) {
			t.Errorf("%q comes back as %q, %v", s, got, err)
		}
	})
}
