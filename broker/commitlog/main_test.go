package commitlog_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const baseTime = 1_700_000_000_000

// newBatch is a batch of values at consecutive times, without keys.
func newBatch(tb testing.TB, ts int64, values ...string) batch.Batch {
	tb.Helper()
	var w batch.Builder
	w.Reset(batch.NoProducer())
	for i, v := range values {
		w.Add(ts+int64(i), nil, []byte(v))
	}
	_, b, err := w.Build(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func smallSettings() commitlog.Settings {
	s := commitlog.DefaultSettings()
	s.SegmentBytes, s.IndexIntervalBytes = 400, 100
	return s
}

func openLog(tb testing.TB, fs vfs.FS, state commitlog.OpenState) *commitlog.Log {
	tb.Helper()
	log, err := commitlog.Open(commitlog.Config{Dir: "/log", FS: fs, Settings: smallSettings(), State: state})
	if err != nil {
		tb.Fatal(err)
	}
	return log
}

// fill appends n batches of two records each, all synced.
func fill(tb testing.TB, log *commitlog.Log, n int) {
	tb.Helper()
	for i := range n {
		b := newBatch(tb, baseTime+int64(1000*i), fmt.Sprintf("value %d", i), "second")
		if _, err := log.Append(0, b); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := log.Sync(); err != nil {
		tb.Fatal(err)
	}
}

// values reads every record from the log start to the end.
func values(tb testing.TB, log *commitlog.Log) (all []string) {
	tb.Helper()
	for at, end := log.Start(), log.End(); at < end; {
		s, err := log.Read(at, end, 1000, true)
		if err != nil {
			tb.Fatalf("read at %d: %v", at, err)
		}
		if len(s.Bytes) == 0 {
			return all
		}
		for rest := s.Bytes; len(rest) > 0; {
			var b batch.Batch
			if b, rest, err = batch.Parse(rest); err != nil {
				tb.Fatal(err)
			}
			if err := b.Each(0, func(r *batch.Record) error {
				all = append(all, fmt.Sprintf("%d %s", r.Offset, r.Value))
				return nil
			}); err != nil {
				tb.Fatal(err)
			}
			at = b.NextOffset()
		}
		s.Release()
	}
	return all
}
