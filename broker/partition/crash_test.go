package partition_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
	"millrace/broker/partition"
)

// The crash test runs a scripted workload on a file system in memory, once for every operation that changes the file
// system: there the machine stops, in three ways, and is started again. Whatever was acknowledged has to be there.

var (
	eventsID = [16]byte{1}
	tableID  = [16]byte{2}
	oldID    = [16]byte{3}
	newID    = [16]byte{4}
)

// script is the workload and what it was promised.
type script struct {
	fs  *vfs.Mem
	now time.Time
	m   *partition.Manager

	acked    map[string][]ackedBatch // topic -> acknowledged batches, in order
	start    int64                   // of events: acknowledged DeleteRecords
	table    map[string]string       // key -> value acknowledged last ("" is a tombstone)
	maybe    map[string][]string     // key -> values written since
	sequence int32
	deleted  bool // old was deleted, acknowledged
	created  bool // and made again
}

type ackedBatch struct {
	base   int64
	values []string
	seq    int32
}

func (s *script) config() partition.ManagerConfig {
	return partition.ManagerConfig{Dir: "/data", NodeID: 1, ClusterID: "cluster", FS: s.fs,
		Clock: func() time.Time { return s.now }, Logger: slog.New(slog.DiscardHandler)}
}

func eventSettings() partition.Settings {
	s := partition.DefaultSettings()
	s.SegmentBytes, s.IndexIntervalBytes, s.RetentionBytes = 700, 100, 2000
	return s
}

func tableSettings() partition.Settings {
	s := partition.DefaultSettings()
	s.SegmentBytes, s.IndexIntervalBytes = 500, 100
	s.Compact, s.Delete, s.MinCleanableDirtyRatio, s.DeleteRetention = true, false, 0.01, time.Hour
	return s
}

// produce appends values with sequences and acknowledges them if the partition does.
func (s *script) produce(p *partition.Partition, values ...string) error {
	meta := batch.NoProducer()
	meta.ProducerID, meta.ProducerEpoch, meta.BaseSequence = 77, 0, s.sequence
	var w batch.Builder
	w.Reset(meta)
	for _, v := range values {
		w.Add(s.now.UnixMilli(), nil, []byte(v))
	}
	_, b, err := w.Build(nil)
	if err != nil {
		return err
	}
	res, err := p.Append(-1, b, partition.AppendOptions{})
	if err != nil {
		return err
	}
	acked := false
	p.WhenDurable(res.LastOffset, func(err error) { acked = err == nil })
	if err := p.Sync(); err != nil {
		return err
	}
	if !acked {
		return errors.New("synced but not acknowledged")
	}
	s.acked[p.Topic()] = append(s.acked[p.Topic()], ackedBatch{res.BaseOffset, values, s.sequence})
	s.sequence += int32(len(values))
	return nil
}

// set writes a key of the table.
func (s *script) set(p *partition.Partition, key, value string) error {
	var w batch.Builder
	w.Reset(batch.NoProducer())
	v := []byte(value)
	if value == "" {
		v = nil
	}
	w.Add(s.now.UnixMilli(), []byte(key), v)
	_, b, err := w.Build(nil)
	if err != nil {
		return err
	}
	s.maybe[key] = append(s.maybe[key], value)
	if _, err := p.Append(-1, b, partition.AppendOptions{}); err != nil {
		return err
	}
	if err := p.Sync(); err != nil {
		return err
	}
	s.table[key] = value
	s.maybe[key] = nil
	return nil
}

func (s *script) run() error {
	var events, table, old *partition.Partition
	open := func() (err error) {
		if s.m, err = partition.OpenManager(s.config()); err != nil {
			return err
		}
		if events, err = s.m.Ensure("events", eventsID, 0, eventSettings()); err != nil {
			return err
		}
		if table, err = s.m.Ensure("table", tableID, 0, tableSettings()); err != nil {
			return err
		}
		old, err = s.m.Ensure("old", oldID, 3, eventSettings())
		return err
	}
	steps := []func() error{
		open,
		func() error { return events.BecomeLeader(1) },
		func() error { return s.many(events, 8) },
		func() error { return s.produceOld(old) },
		func() error { return s.m.Close() },
		open,
		func() error { return s.many(events, 1) },
		func() error { return s.fillTable(table, 0) },
		func() error { return s.m.Checkpoint() },
		func() error { s.now = s.now.Add(time.Minute); return s.many(events, 6) },
		func() error {
			_, err := events.DeleteRecordsBefore(5)
			if err == nil {
				s.start = 5
			}
			return err
		},
		func() error { s.m.ApplyRetention(); return events.Err() },
		func() error { s.compact(); return table.Err() },
		func() error { return events.BecomeLeader(2) },
		func() error { return s.fillTable(table, 1) },
		func() error {
			err := s.m.Delete("old", 3)
			s.deleted = err == nil
			return err
		},
		func() error {
			again, err := s.m.Ensure("old", newID, 3, eventSettings())
			if err != nil {
				return err
			}
			s.created = true
			s.acked["old"] = nil
			return s.produceOld(again)
		},
		func() error { s.now = s.now.Add(2 * time.Hour); s.compact(); return table.Err() },
		func() error { return s.many(events, 4) },
		func() error { return s.m.Checkpoint() },
		func() error { return s.m.Close() },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *script) many(p *partition.Partition, n int) error {
	for i := range n {
		if err := s.produce(p, fmt.Sprintf("%s-%d-a", p.Topic(), i), strings.Repeat("x", 50), fmt.Sprint(s.sequence)); err != nil {
			return err
		}
	}
	return nil
}

func (s *script) produceOld(p *partition.Partition) error {
	sequence := s.sequence
	s.sequence = 0
	defer func() { s.sequence = sequence }()
	return s.produce(p, "gone soon")
}

func (s *script) fillTable(p *partition.Partition, round int) error {
	for i := range 12 {
		value := fmt.Sprintf("round %d value %d", round, i)
		if i%5 == 4 {
			value = ""
		}
		if err := s.set(p, fmt.Sprintf("key-%d", i%4), value); err != nil {
			return err
		}
	}
	return nil
}

func (s *script) compact() {
	for s.m.CompactOne(context.Background()) {
	}
}

// check opens what the crash left and compares it with the promises; then it works on it and opens it once more.
func (s *script) check(t *testing.T) {
	t.Helper()
	m, err := partition.OpenManager(s.config())
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	events, err := m.Ensure("events", eventsID, 0, eventSettings())
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	table, err := m.Ensure("table", tableID, 0, tableSettings())
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	s.checkEvents(t, events)
	s.checkTable(t, table)
	s.checkOld(t, m)
	if t.Failed() {
		return
	}
	s.m = m
	if err := s.produce(events, "after the crash"); err != nil {
		t.Fatalf("produce after restart: %v", err)
	}
	s.compact()
	m.ApplyRetention()
	if err := m.Close(); err != nil {
		t.Fatalf("close after restart: %v", err)
	}
}

func (s *script) checkEvents(t *testing.T, p *partition.Partition) {
	t.Helper()
	got := readAll(t, p)
	start := p.LogStartOffset()
	if start < s.start {
		t.Errorf("log start %d, records before %d were deleted", start, s.start)
	}
	var last ackedBatch
	for _, b := range s.acked["events"] {
		for i, v := range b.values {
			offset := b.base + int64(i)
			if offset >= start && got[offset] != ("|"+v) {
				t.Errorf("offset %d: %q, acknowledged %q", offset, got[offset], v)
			}
		}
		last = b
	}
	// A batch written but not acknowledged may have made it; go on behind it as its producer would.
	if known := p.Producers(); len(known) > 0 {
		s.sequence = known[0].LastSequence + 1
	}
	if last.values == nil {
		return
	}
	if last.base < start {
		t.Errorf("log start %d is beyond the last acknowledged batch at %d", start, last.base)
		return
	}
	meta := batch.NoProducer()
	meta.ProducerID, meta.ProducerEpoch, meta.BaseSequence = 77, 0, last.seq
	var w batch.Builder
	w.Reset(meta)
	for _, v := range last.values {
		w.Add(s.now.UnixMilli(), nil, []byte(v))
	}
	_, b, err := w.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Append(-1, b, partition.AppendOptions{})
	if err != nil || !res.Duplicate || res.BaseOffset != last.base {
		t.Errorf("resent batch: %+v, %v; a duplicate of offset %d expected", res, err, last.base)
	}
}

func (s *script) checkTable(t *testing.T, p *partition.Partition) {
	t.Helper()
	got := make(map[string]string)
	for _, kv := range readAllInOrder(t, p) {
		key, value, _ := strings.Cut(kv, "|")
		got[key] = value
	}
	for key, want := range s.table {
		ok := got[key] == want
		for _, v := range s.maybe[key] {
			ok = ok || got[key] == v
		}
		if !ok {
			t.Errorf("key %s: %q, acknowledged %q, perhaps %q", key, got[key], want, s.maybe[key])
		}
	}
}

func (s *script) checkOld(t *testing.T, m *partition.Manager) {
	t.Helper()
	id := oldID
	if s.deleted {
		id = newID
	}
	p, err := m.Ensure("old", id, 3, eventSettings())
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	got := readAll(t, p)
	for _, b := range s.acked["old"] {
		if s.deleted && !s.created {
			if len(got) > 0 {
				t.Errorf("records of the deleted topic: %v", got)
			}
			break
		}
		// Between the start of a deletion and its acknowledgement the records may be there or not.
		if got[b.base] != "|"+b.values[0] && len(got) > 0 {
			t.Errorf("offset %d: %q, acknowledged %q", b.base, got[b.base], b.values[0])
		}
	}
}

func readAll(t *testing.T, p *partition.Partition) map[int64]string {
	t.Helper()
	all := make(map[int64]string)
	each(t, p, func(offset int64, kv string) { all[offset] = kv })
	return all
}

func readAllInOrder(t *testing.T, p *partition.Partition) (all []string) {
	t.Helper()
	each(t, p, func(_ int64, kv string) { all = append(all, kv) })
	return all
}

func each(t *testing.T, p *partition.Partition, fn func(offset int64, kv string)) {
	t.Helper()
	for at := p.LogStartOffset(); at < p.HighWatermark(); {
		res, err := p.Read(at, 1<<20, true, partition.ReadUncommitted)
		if err != nil {
			t.Fatalf("read at %d: %v", at, err)
		}
		if len(res.Records) == 0 {
			t.Fatalf("read at %d: nothing below the high watermark %d", at, p.HighWatermark())
		}
		for rest := res.Records; len(rest) > 0; {
			var b batch.Batch
			if b, rest, err = batch.Parse(rest); err != nil {
				t.Fatal(err)
			}
			if err := b.Each(0, func(r *batch.Record) error { fn(r.Offset, string(r.Key)+"|"+string(r.Value)); return nil }); err != nil {
				t.Fatal(err)
			}
			at = b.NextOffset()
		}
		res.Release()
	}
}

func newScript(fs *vfs.Mem) *script {
	return &script{fs: fs, now: time.UnixMilli(1_700_000_000_000), acked: map[string][]ackedBatch{},
		table: map[string]string{}, maybe: map[string][]string{}}
}

// stopAt makes the nth mutating operation, and everything after it, fail.
func stopAt(fs *vfs.Mem, n int) *int {
	ops := new(int)
	fs.Inject(func(op vfs.Op) error {
		if op.Mutates() {
			*ops++
		}
		if *ops >= n {
			return vfs.ErrCrashed
		}
		return nil
	})
	return ops
}

func TestCrashAtEveryOperation(t *testing.T) {
	fs := vfs.NewMem()
	total := stopAt(fs, 1<<30)
	whole := newScript(fs)
	if err := whole.run(); err != nil {
		t.Fatalf("workload without a crash: %v", err)
	}
	t.Logf("%d operations", *total)
	for n := 1; n <= *total+1; n++ {
		fs := vfs.NewMem()
		stopAt(fs, n)
		s := newScript(fs)
		err := s.run()
		if (err != nil) != (n <= *total) {
			t.Fatalf("crash at operation %d: workload ended with %v", n, err)
		}
		for _, how := range []vfs.Survival{vfs.KillProcess, vfs.LoseUnsynced, vfs.TearUnsynced, vfs.TearUnsynced} {
			after := *s
			after.acked = map[string][]ackedBatch{"events": s.acked["events"], "old": s.acked["old"]}
			after.fs = fs.Crash(how, uint64(n))
			after.check(t)
			if t.Failed() {
				t.Fatalf("crash at operation %d (%v); workload ended with: %v", n, how, err)
			}
		}
	}
}
