package commitlog_test

import (
	"bytes"
	"testing"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
)

// kibBatch is a batch of n records of 1 KiB.
func kibBatch(tb testing.TB, n int) batch.Batch {
	tb.Helper()
	var w batch.Builder
	w.Reset(batch.NoProducer())
	value := bytes.Repeat([]byte("v"), 1024)
	for range n {
		w.Add(1_700_000_000_000, nil, value)
	}
	_, b, err := w.Build(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func openBench(b *testing.B) *commitlog.Log {
	s := commitlog.DefaultSettings()
	s.SegmentBytes = 256 << 20
	s.RetentionBytes = 512 << 20
	log, err := commitlog.Open(commitlog.Config{Dir: b.TempDir(), Settings: s})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	return log
}

// trim keeps the directory of a long benchmark small.
func trim(b *testing.B, log *commitlog.Log) {
	start, err := log.RetentionStart(log.End())
	if err == nil {
		err = log.DeleteBefore(start)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, sync := range map[string]bool{"page_cache": false, "synced_each": true} {
		b.Run(name, func(b *testing.B) {
			log := openBench(b)
			batch64 := kibBatch(b, 63)
			b.SetBytes(int64(len(batch64)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := log.Append(0, batch64); err != nil {
					b.Fatal(err)
				}
				if sync {
					if _, err := log.Sync(); err != nil {
						b.Fatal(err)
					}
				}
				if n++; n%4096 == 0 {
					b.StopTimer()
					if _, err := log.Sync(); err != nil {
						b.Fatal(err)
					}
					trim(b, log)
					b.StartTimer()
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	log := openBench(b)
	batch64 := kibBatch(b, 63)
	for range 2000 {
		if _, err := log.Append(0, batch64); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := log.Sync(); err != nil {
		b.Fatal(err)
	}
	for name, size := range map[string]int{"64KiB": 64 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			at, total := int64(0), int64(0)
			for b.Loop() {
				s, err := log.Read(at, log.End(), size, true)
				if err != nil {
					b.Fatal(err)
				}
				total += int64(len(s.Bytes))
				at = next(b, s.Bytes)
				if at == log.End() {
					at = 0
				}
				s.Release()
			}
			b.SetBytes(total / int64(b.N))
		})
	}
}

func next(tb testing.TB, records []byte) (at int64) {
	for len(records) > 0 {
		b, rest, err := batch.Frame(records)
		if err != nil {
			tb.Fatal(err)
		}
		at, records = b.NextOffset(), rest
	}
	return at
}
