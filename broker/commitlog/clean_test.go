package commitlog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

// table is a compacted log with a clock that the test moves.
type table struct {
	*commitlog.Log
	t   *testing.T
	fs  *vfs.Mem
	now time.Time
	at  int64 // the cleaner's checkpoint
}

func newTable(t *testing.T) *table {
	x := &table{t: t, fs: vfs.NewMem(), now: time.UnixMilli(baseTime)}
	x.reopen()
	return x
}

func (x *table) reopen() {
	x.t.Helper()
	s := smallSettings()
	s.SegmentBytes, s.Compact, s.Delete, s.DeleteRetention, s.MinCleanableDirtyRatio = 10_000, true, false, time.Hour, 0
	log, err := commitlog.Open(commitlog.Config{Dir: "/log", FS: x.fs, Settings: s, Clock: func() time.Time { return x.now }})
	if err != nil {
		x.t.Fatal(err)
	}
	x.Log = log
}

// put appends one batch of key, value pairs; value "-" is a tombstone.
func (x *table) put(m batch.Meta, pairs ...string) {
	x.t.Helper()
	var w batch.Builder
	w.Reset(m)
	for i := 0; i < len(pairs); i += 2 {
		value := []byte(pairs[i+1])
		if pairs[i+1] == "-" {
			value = nil
		}
		w.Add(x.now.UnixMilli(), []byte(pairs[i]), value)
	}
	_, b, err := w.Build(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.Append(0, b); err != nil {
		x.t.Fatal(err)
	}
}

func (x *table) end(id int64, commit bool) {
	x.t.Helper()
	b, err := batch.NewMarker(x.now.UnixMilli(), id, 0, batch.Marker{Commit: commit})
	if err == nil {
		_, err = x.Append(0, b)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// clean closes the active segment and compacts everything before it.
func (x *table) clean(bufferBytes int64) {
	x.t.Helper()
	if err := x.Roll(); err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.Sync(); err != nil {
		x.t.Fatal(err)
	}
	plan, err := x.PlanClean(x.at, x.End())
	if err != nil {
		x.t.Fatal(err)
	}
	done, err := commitlog.NewCleaner(bufferBytes).Clean(context.Background(), x.Log, plan)
	if err != nil {
		x.t.Fatal(err)
	}
	x.at = done.Next
}

func (x *table) rows() (rows []string) {
	x.t.Helper()
	for at := x.Start(); at < x.End(); {
		s, err := x.Read(at, x.End(), 10_000, true)
		if err != nil {
			x.t.Fatal(err)
		}
		if len(s.Bytes) == 0 {
			break
		}
		for rest := s.Bytes; len(rest) > 0; {
			var b batch.Batch
			if b, rest, err = batch.Parse(rest); err != nil {
				x.t.Fatal(err)
			}
			if b.Control() {
				rows = append(rows, fmt.Sprintf("%d marker", b.BaseOffset()))
			} else if b.Count() == 0 {
				rows = append(rows, fmt.Sprintf("%d empty", b.LastOffset()))
			} else if err := b.Each(0, func(r *batch.Record) error {
				value := string(r.Value)
				if r.Value == nil {
					value = "-"
				}
				rows = append(rows, fmt.Sprintf("%d %s=%s", r.Offset, r.Key, value))
				return nil
			}); err != nil {
				x.t.Fatal(err)
			}
			at = b.NextOffset()
		}
		s.Release()
	}
	return rows
}

func (x *table) want(rows ...string) {
	x.t.Helper()
	if diff := cmp.Diff(rows, x.rows()); diff != "" {
		x.t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestCompactionKeepsTheNewestOfEachKey(t *testing.T) {
	for c := batch.CodecNone; c <= batch.CodecZstd; c++ {
		x := newTable(t)
		m := batch.NoProducer()
		m.Codec = c
		x.put(m, "a", "1", "b", "1", "c", "1")
		x.put(m, "b", "2")
		x.put(m, "a", "2", "d", "1")
		x.clean(0)
		x.want("2 c=1", "3 b=2", "4 a=2", "5 d=1")
		x.put(m, "c", "2")
		x.clean(0)
		x.want("3 b=2", "4 a=2", "5 d=1", "6 c=2")
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x.reopen()
		x.want("3 b=2", "4 a=2", "5 d=1", "6 c=2")
	}
}

func TestCompactionKeepsTombstonesForAWhile(t *testing.T) {
	x := newTable(t)
	x.put(batch.NoProducer(), "a", "1", "b", "1")
	x.put(batch.NoProducer(), "a", "-", "b", "2")
	x.clean(0)
	x.want("2 a=-", "3 b=2")
	x.now = x.now.Add(59 * time.Minute)
	x.put(batch.NoProducer(), "c", "1")
	x.clean(0)
	x.want("2 a=-", "3 b=2", "4 c=1")
	x.now = x.now.Add(2 * time.Minute)
	x.put(batch.NoProducer(), "c", "2")
	x.clean(0)
	x.want("3 b=2", "5 c=2")
}

func TestCompactionKeepsSequences(t *testing.T) {
	x := newTable(t)
	m := batch.NoProducer()
	m.ProducerID, m.ProducerEpoch, m.BaseSequence = 5, 0, 0
	x.put(m, "a", "1")
	m.BaseSequence = 1
	x.put(m, "a", "2")
	x.put(batch.NoProducer(), "a", "3")
	x.clean(0)
	x.want("1 empty", "2 a=3")
	x.fs = x.fs.Crash(vfs.LoseUnsynced, 1)
	x.reopen()
	if p := x.Producers(); len(p) != 1 || p[0].LastSequence() != 1 {
		t.Errorf("producers %+v, want one with last sequence 1", p)
	}
}

func TestCompactionOfTransactions(t *testing.T) {
	x := newTable(t)
	txn := func(id int64) batch.Meta {
		m := batch.NoProducer()
		m.ProducerID, m.ProducerEpoch, m.BaseSequence, m.Transactional = id, 0, 0, true
		return m
	}
	x.put(batch.NoProducer(), "a", "old", "b", "old")
	x.put(txn(1), "a", "aborted")
	x.put(txn(2), "b", "committed")
	x.end(1, false)
	x.end(2, true)
	x.clean(0)
	// The aborted record goes without taking the older one along; the markers stay, one for its data, one for its time.
	x.want("0 a=old", "2 empty", "3 b=committed", "4 marker", "5 marker")
	x.now = x.now.Add(2 * time.Hour)
	x.put(batch.NoProducer(), "c", "1")
	x.clean(0)
	x.want("0 a=old", "2 empty", "3 b=committed", "5 marker", "6 c=1")
}

func TestCompactionGoesOnWhenTheMapWasFull(t *testing.T) {
	x := newTable(t)
	want := make(map[string]string)
	for round := range 2 {
		for i := range 1000 {
			key, value := fmt.Sprint("key", i), fmt.Sprint(round)
			want[key] = value
			x.put(batch.NoProducer(), key, value)
		}
	}
	passes := 0
	for x.at < x.End() && passes < 20 {
		x.clean(1) // the smallest map: 768 keys
		passes++
	}
	got := make(map[string]string)
	for _, row := range x.rows() {
		var offset int64
		var key, value string
		if _, err := fmt.Sscanf(row, "%d key%s", &offset, &key); err != nil {
			t.Fatal(row, err)
		}
		key, value = "key"+key[:len(key)-2], key[len(key)-1:]
		got[key] = value
	}
	if diff := cmp.Diff(want, got); diff != "" || passes < 2 {
		t.Errorf("after %d passes (-want +got):\n%s", passes, diff)
	}
	if rows := len(x.rows()); rows > 1300 {
		t.Errorf("%d records left of 2000 with 1000 keys", rows)
	}
}
