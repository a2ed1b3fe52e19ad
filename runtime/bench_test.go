package runtime_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/runtime"
)

// BenchmarkSource measures a source task from poll to acknowledgement, the integrated log included: 100-byte lines in batches of 2000
// as the file source has them. One operation is one record.
func BenchmarkSource(b *testing.B) {
	w := startWorker(b, func(c *runtime.Config) { c.OffsetFlushInterval = time.Second })
	line := strings.Repeat("x", 100)
	w.fakes.lines = line
	sys := w.fakes.source("bench")
	w.put(numbers("bench"))
	w.await("bench", runtime.StateRunning, runtime.StateRunning)
	sys.limit.Store(1) // creates the topic
	eventually(b, "the first record", func() bool { return sys.count.Load() >= 1 })
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	b.ResetTimer()
	sys.limit.Add(int64(b.N))
	eventually(b, "all records", func() bool { return sys.count.Load() >= int64(b.N)+1 })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkSink measures a sink task from the log to put.
func BenchmarkSink(b *testing.B) {
	w := startWorker(b, func(c *runtime.Config) { c.OffsetFlushInterval = time.Second })
	lines := make([]string, b.N)
	line := strings.Repeat("x", 100)
	for i := range lines {
		lines[i] = line
	}
	w.produce("bench", lines...)
	target := w.fakes.sink("bench")
	target.countOnly = true
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	b.ResetTimer()
	w.put(lister("bench", "bench"))
	eventually(b, "all records", func() bool { return target.counted.Load() >= int64(b.N) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// TestManyConnectors: connectors start and write side by side.
func TestManyConnectors(t *testing.T) {
	w := startWorker(t)
	const n = 300
	for i := range n {
		w.put(numbers(fmt.Sprintf("c%d", i)))
	}
	for i := range n {
		w.await(fmt.Sprintf("c%d", i), runtime.StateRunning, runtime.StateRunning)
	}
	for i := range n {
		w.fakes.source(fmt.Sprintf("c%d", i)).limit.Store(1)
	}
	for i := range n {
		sys := w.fakes.source(fmt.Sprintf("c%d", i))
		eventually(t, "each source writes", func() bool { return sys.numbersCommitted() == 1 })
	}
}
