package partition_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"millrace/broker/batch"
	"millrace/broker/partition"
)

func benchManager(b *testing.B, s partition.Settings) (*partition.Manager, *partition.Partition) {
	b.Helper()
	m, err := partition.OpenManager(partition.ManagerConfig{Dir: b.TempDir(), NodeID: 1})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := m.Close(); err != nil {
			b.Error(err)
		}
	})
	p, err := m.Ensure("bench", [16]byte{1}, 0, s)
	if err != nil {
		b.Fatal(err)
	}
	return m, p
}

func benchBatch(b *testing.B, n int) batch.Batch {
	var w batch.Builder
	w.Reset(batch.NoProducer())
	for range n {
		w.Add(-1, nil, bytes.Repeat([]byte("v"), 1024))
	}
	_, built, err := w.Build(nil)
	if err != nil {
		b.Fatal(err)
	}
	return built
}

// BenchmarkProduce appends 64 KiB batches of 1 KiB records, validation included.
func BenchmarkProduce(b *testing.B) {
	pageCache := partition.DefaultSettings()
	pageCache.FlushMessages = 1<<63 - 1
	for name, s := range map[string]partition.Settings{"page_cache": pageCache, "group_commit": partition.DefaultSettings()} {
		b.Run(name, func(b *testing.B) {
			s.SegmentBytes = 128 << 20
			m, p := benchManager(b, s)
			built := benchBatch(b, 63)
			b.SetBytes(int64(len(built)))
			b.ReportAllocs()
			var inFlight sync.WaitGroup
			slots := make(chan struct{}, 64)
			done := func(err error) {
				if err != nil {
					b.Error(err)
				}
				<-slots
				inFlight.Done()
			}
			n := 0
			for b.Loop() {
				slots <- struct{}{}
				inFlight.Add(1)
				built.SetBaseOffset(0)
				res, err := p.Append(-1, built, partition.AppendOptions{})
				if err != nil {
					b.Fatal(err)
				}
				p.WhenDurable(res.LastOffset, done)
				if n++; n%4096 == 0 {
					b.StopTimer()
					if _, err := p.DeleteRecordsBefore(p.HighWatermark()); err != nil {
						b.Fatal(err)
					}
					m.ApplyRetention()
					b.StartTimer()
				}
			}
			inFlight.Wait()
		})
	}
}
