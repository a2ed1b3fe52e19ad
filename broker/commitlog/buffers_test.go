package commitlog_test

import (
	"math"
	"runtime"
	"testing"

	"millrace/broker/commitlog"
)

// Reads as large as they can be are what fetching clients ask for again and again.
func TestLargestReadReusesMemory(t *testing.T) {
	log, err := commitlog.Open(commitlog.Config{Dir: t.TempDir(), Settings: commitlog.DefaultSettings()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	batch := kibBatch(t, 900)
	for log.Size() < 10<<20 {
		if _, err := log.Append(0, batch); err != nil {
			t.Fatal(err)
		}
	}
	const reads = 40
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range reads {
		s, err := log.Read(0, log.End(), math.MaxInt32, true)
		if err != nil || len(s.Bytes) < 7<<20 {
			t.Fatalf("read %d bytes, %v; want about 8 MiB", len(s.Bytes), err)
		}
		s.Release()
	}
	runtime.ReadMemStats(&after)
	// A pool may lose something now and then, under the race detector on purpose.
	if got := after.TotalAlloc - before.TotalAlloc; got > reads/2*8<<20 {
		t.Errorf("%d reads allocated %d MiB", reads, got>>20)
	}
}
