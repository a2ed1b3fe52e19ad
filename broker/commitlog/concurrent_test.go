package commitlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
)

// TestReadersSeeOneLog reads while others append, sync, compact and cut the log short: every read is of whole batches in
// ascending order, and for each key the values ascend too.
func TestReadersSeeOneLog(t *testing.T) {
	s := smallSettings()
	s.SegmentBytes, s.Compact, s.MinCleanableDirtyRatio = 2000, true, 0
	log, err := commitlog.Open(commitlog.Config{Dir: t.TempDir(), Settings: s, Files: commitlog.NewFileCache(2)})
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 1500
	var writing atomic.Bool
	writing.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer writing.Store(false)
		var w batch.Builder
		for i := range rounds {
			w.Reset(batch.NoProducer())
			w.Add(baseTime+int64(i), fmt.Appendf(nil, "key-%d", i%20), fmt.Appendf(nil, "%08d", i))
			_, b, err := w.Build(nil)
			if err == nil {
				_, err = log.Append(0, b)
			}
			if err == nil && i%10 == 0 {
				_, err = log.Sync()
			}
			if err == nil && i%500 == 499 {
				err = log.DeleteBefore(log.Start() + 100)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Go(func() {
		cleaner := commitlog.NewCleaner(0)
		for writing.Load() {
			plan, err := log.PlanClean(0, log.End())
			if err == nil && plan.Due(s) {
				_, err = cleaner.Clean(context.Background(), log, plan)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for passes := 0; writing.Load() || passes == 0; passes++ {
				if err := readPass(log); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if found, err := log.FindTime(baseTime+rounds-1, log.End()); err != nil || found.Offset != rounds-1 {
		t.Errorf("last record by time: %+v, %v", found, err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func readPass(log *commitlog.Log) error {
	newest := make(map[string]string)
	end := log.End()
	for at := log.Start(); at < end; {
		limit := log.End()
		s, err := log.Read(at, limit, 500, true)
		if errors.Is(err, commitlog.ErrOffsetOutOfRange) {
			at = log.Start() // the start moved past the reader
			continue
		}
		if err != nil {
			return fmt.Errorf("read at %d: %w", at, err)
		}
		if len(s.Bytes) == 0 && log.End() > limit {
			continue // while this looked, what was below the limit was compacted away in favour of what is above
		}
		if len(s.Bytes) == 0 {
			return fmt.Errorf("nothing at %d below %d", at, limit)
		}
		for rest := s.Bytes; len(rest) > 0; {
			var b batch.Batch
			if b, rest, err = batch.Parse(rest); err != nil {
				return fmt.Errorf("read at %d: %w", at, err)
			}
			if b.LastOffset() < at {
				return fmt.Errorf("batch that ends at %d read at %d", b.LastOffset(), at)
			}
			at = b.NextOffset()
			if err := b.Each(0, func(r *batch.Record) error {
				if old := newest[string(r.Key)]; old >= string(r.Value) {
					return fmt.Errorf("%s: %s after %s", r.Key, r.Value, old)
				}
				newest[string(r.Key)] = string(r.Value)
				return nil
			}); err != nil {
				return err
			}
		}
		s.Release()
	}
	return nil
}
