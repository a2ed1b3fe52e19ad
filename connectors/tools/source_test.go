package tools_test

import (
	"context"
	"io"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
)

func TestVerifiableSourceLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock begins at 946684800000
		var out output
		s := connectortest.StartSource(t, plugin(t, "VerifiableSource", &out),
			map[string]string{"name": `my "one"`, "topic": "t", "throughput": "2"}, nil)
		s.Wait(2)
		s.Stop()
		want := []string{
			`{"task":0,"seqno":0,"time_ms":946684800000,"name":"my \"one\"","topic":"t"}`,
			`{"task":0,"seqno":1,"time_ms":946684800500,"name":"my \"one\"","topic":"t"}`,
		}
		if diff := cmp.Diff(want, out.lines()); diff != "" {
			t.Errorf("made (-want +got):\n%s", diff)
		}
		s.Commit(2)
		want = []string{
			`{"committed":true,"task":0,"seqno":0,"time_ms":946684800500,"name":"my \"one\"","topic":"t"}`,
			`{"committed":true,"task":0,"seqno":1,"time_ms":946684800500,"name":"my \"one\"","topic":"t"}`,
		}
		if diff := cmp.Diff(want, out.lines()); diff != "" {
			t.Errorf("committed (-want +got):\n%s", diff)
		}
	})
}

func TestVerifiableSourceRecords(t *testing.T) {
	for _, complete := range []bool{false, true} {
		t.Run("complete_"+strconv.FormatBool(complete), func(t *testing.T) {
			source := task(t, "VerifiableSource", io.Discard, map[string]string{
				"name": "c", "topic": "t", "throughput": "-1", "complete.record.data": strconv.FormatBool(complete),
			})
			r := poll(t, source)[1]
			if r.Topic != "t" || r.Partition != connectors.NoPartition || r.Timestamp != connectors.NoTimestamp {
				t.Errorf("got topic %s, partition %d, timestamp %d", r.Topic, r.Partition, r.Timestamp)
			}
			if r.KeySchema != connectors.Int32Schema || r.Key != int32(0) {
				t.Errorf("got key %v", r.Key)
			}
			if diff := cmp.Diff(map[string]any{"id": int64(0)}, r.SourcePartition.Map()); diff != "" {
				t.Errorf("source partition (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]any{"seqno": int64(1)}, r.SourceOffset.Map()); diff != "" {
				t.Errorf("source offset (-want +got):\n%s", diff)
			}
			if !complete {
				if r.ValueSchema != connectors.Int64Schema || r.Value != int64(1) {
					t.Errorf("got value %v", r.Value)
				}
				return
			}
			value := r.Value.(*connectors.Struct)
			if err := value.Validate(); err != nil || value.Schema() != r.ValueSchema {
				t.Errorf("value %v does not fit its schema: %v", value, err)
			}
			for field, want := range map[string]any{"name": "c", "task": int32(0), "topic": "t", "seqno": int64(1)} {
				if got, err := value.Get(field); got != want {
					t.Errorf("field %s is %v, %v; want %v", field, got, err, want)
				}
			}
		})
	}
}

func TestSourcesCountOn(t *testing.T) {
	for _, name := range []string{"VerifiableSource", "SchemaSource"} {
		t.Run(name, func(t *testing.T) {
			config := map[string]string{"topic": "t", "throughput": "1000", "num.messages": "20"}
			offsets := new(connectortest.Offsets)
			s := connectortest.StartSource(t, plugin(t, name, io.Discard), config, offsets)
			s.Wait(10)
			s.Commit(7)
			s.Stop()
			s = connectortest.StartSource(t, plugin(t, name, io.Discard), config, offsets)
			if got := s.Wait(1)[0].SourceOffset.Map()["seqno"]; got != int64(7) {
				t.Errorf("after a restart it goes on at %v, want 7", got)
			}
		})
	}
}

func TestSourceRefusesStoredOffset(t *testing.T) {
	p := plugin(t, "VerifiableSource", io.Discard)
	tc := &offsetContext{connectortest.NewSourceContext(t), map[string]any{"seqno": "seven"}}
	err := p.NewSource().NewTask().Start(t.Context(), tc, map[string]string{"id": "3", "topic": "t", "throughput": "1"})
	if want := "stored offset of task 3: seqno is seven; it has to be a whole number"; err == nil || err.Error() != want {
		t.Errorf("got error  %v\nwant error %s", err, want)
	}
}

// offsetContext has the same offset for every partition.
type offsetContext struct {
	connectors.SourceTaskContext
	offset map[string]any
}

func (c *offsetContext) Offset(context.Context, *connectors.SourcePartition) (map[string]any, error) {
	return c.offset, nil
}

func TestThroughput(t *testing.T) {
	tests := []struct {
		throughput string
		want       int // records in ten seconds
	}{
		{"0", 1}, {"1", 11}, {"7", 71}, {"100", 1001}, {"100000", 1000001},
	}
	for _, tt := range tests {
		t.Run(tt.throughput, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := task(t, "VerifiableSource", io.Discard, map[string]string{"topic": "t", "throughput": tt.throughput})
				end := time.Now().Add(10 * time.Second)
				n := 0
				for time.Now().Before(end) {
					begin := time.Now()
					n += len(poll(t, source))
					if d := time.Since(begin); d > time.Second {
						t.Fatalf("a poll took %v", d)
					}
				}
				// A poll that waits a little longer than needed gives a record or a batch more.
				if n < tt.want || n > tt.want+500 || tt.want < 500 && n > tt.want+1 {
					t.Errorf("%d records in ten seconds, want %d", n, tt.want)
				}
			})
		})
	}
	t.Run("unlimited", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			source := task(t, "VerifiableSource", io.Discard, map[string]string{"topic": "t", "throughput": "-1"})
			begin, n := time.Now(), 0
			for n < 10000 {
				n += len(poll(t, source))
			}
			if d := time.Since(begin); d != 0 {
				t.Errorf("%d records took %v", n, d)
			}
		})
	})
	t.Run("a_cancelled_poll_returns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			source := task(t, "VerifiableSource", io.Discard, map[string]string{"topic": "t", "throughput": "0"})
			poll(t, source)
			ctx, cancel := context.WithCancel(t.Context())
			begin := time.Now()
			time.AfterFunc(100*time.Millisecond, cancel)
			if records, err := source.Poll(ctx); err != nil || len(records) > 0 || time.Since(begin) != 100*time.Millisecond {
				t.Errorf("it returned %d records, %v after %v", len(records), err, time.Since(begin))
			}
		})
	})
}

func TestSchemaSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		source := task(t, "SchemaSource", &out, map[string]string{
			"topic": "t", "throughput": "-1", "num.messages": "4", "multiple.schema": "true", "partition.count": "3",
		})
		records := poll(t, source)
		var got []string
		for _, r := range records {
			value := r.Value.(*connectors.Struct)
			if err := value.Validate(); err != nil {
				t.Errorf("record %v: %v", r.SourceOffset, err)
			}
			if r.ValueSchema != value.Schema() || r.ValueSchema.Name != "record" || r.KeySchema != connectors.StringSchema || r.Key != "key" || r.Partition != 0 {
				t.Errorf("got key %v, schema %s, partition %d", r.Key, r.ValueSchema.Name, r.Partition)
			}
			got = append(got, strconv.Itoa(int(*r.ValueSchema.Version))+" "+value.String())
		}
		want := []string{
			"1 Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=0,id=0,seqno=0}",
			"2 Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=1,string=def,id=0,seqno=1}",
			"1 Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=2,id=0,seqno=2}",
			"2 Struct{boolean=true,int=12,long=12,float=12.2,double=12.2,partitioning=0,string=def,id=0,seqno=3}",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
		field := records[1].ValueSchema.Fields[6]
		if field.Name != "string" || field.Schema.Default != "abc" {
			t.Errorf("field %s has the default %v", field.Name, field.Schema.Default)
		}
		wantLines := []string{`{"task": 0, "seqno": 0}`, `{"task": 0, "seqno": 1}`, `{"task": 0, "seqno": 2}`, `{"task": 0, "seqno": 3}`}
		if diff := cmp.Diff(wantLines, out.lines()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		begin := time.Now()
		if n := len(poll(t, source)); n != 0 || time.Since(begin) != time.Second {
			t.Errorf("after the last record a poll returns %d records after %v", n, time.Since(begin))
		}
	})
}

func TestSchemaSourceWritesToItsPartition(t *testing.T) {
	p := plugin(t, "SchemaSource", io.Discard)
	configs := connectortest.TaskConfigs(t, p, map[string]string{"topic": "t", "throughput": "-1", "num.messages": "3"}, 2)
	s := connectortest.StartSourceTask(t, p, configs[1], 1, nil)
	records := s.Wait(3)
	if slices.ContainsFunc(records, func(r *connectors.SourceRecord) bool { return r.Partition != 1 || *r.ValueSchema.Version != 1 }) {
		t.Errorf("task 1 writes %v", records)
	}
}
