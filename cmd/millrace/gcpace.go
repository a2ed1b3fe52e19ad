package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// headroom is what a busy process may allocate between two collections, however little lives. A collection costs what lives, which
	// is a few MB while records pass: by Go's own measure, as much again, one would follow upon the other.
	headroom = 32 << 20
	// busy is how soon after another a collection says that the process is busy.
	busy = time.Second
	// usual is Go's own measure, in percent of what lives.
	usual = 100
)

// paceGC makes collections rarer while they come in quick succession. Whoever sets GOGC in the environment decides instead.
func paceGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	p := &gcPacer{sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, percent: usual}
	p.await()
}

// A gcPacer sees each collection by the finalizer of an object that nothing refers to.
type gcPacer struct {
	sample  []metrics.Sample
	last    time.Time
	percent int
}

func (p *gcPacer) await() {
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) { p.collected(time.Now()) })
}

func (p *gcPacer) collected(now time.Time) {
	metrics.Read(p.sample)
	if percent := nextPercent(p.percent, p.sample[0].Value.Uint64(), now.Sub(p.last)); percent != p.percent {
		debug.SetGCPercent(percent)
		p.percent = percent
	}
	p.last = now
	p.await()
}

// nextPercent is the measure after a collection that left live bytes, at an interval after the one before.
func nextPercent(percent int, live uint64, interval time.Duration) int {
	if interval >= busy || live == 0 {
		return usual
	}
	want := max(usual, int(min(headroom*100/live, 10*usual)))
	// A change stops the world for a moment: not for small ones.
	if want > percent*3/4 && want < percent*5/4 {
		return percent
	}
	return want
}
