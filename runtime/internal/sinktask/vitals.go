package sinktask

import (
	"fmt"
	"sync"
	"time"

	"millrace/connectors"
	"millrace/runtime/internal/vitals"
)

// A pace tells whether the task keeps up with the log.
type pace struct {
	mu sync.Mutex
	// lag is how many offsets of the log are known to be beyond what the task has. Markers of transactions and gaps count too, so a lag
	// alone does not say that records wait.
	lag int64
	// held records were read and wait for the task, since the later of when they came and when a put finished last.
	held  int
	since time.Time
}

// keepPace looks at the lag after a fetch or a put. It runs on Run's goroutine, once for each of them.
func (t *Task) keepPace(put bool) {
	var lag int64
	for _, part := range t.parts {
		taken := part.delivered
		if taken < 0 {
			taken = part.first
		}
		if taken >= 0 {
			lag += max(part.end-taken, 0)
		}
	}
	p := &t.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if put || p.held == 0 {
		p.since = time.Now()
	}
	p.lag, p.held = lag, len(t.batch.records)
}

// Vitals may be called at any time.
func (t *Task) Vitals() vitals.Vitals {
	t.pace.mu.Lock()
	lag, held, since := t.pace.lag, t.pace.held, t.pace.since
	t.pace.mu.Unlock()
	t.mu.Lock()
	paused := t.paused
	t.mu.Unlock()
	v := vitals.Vitals{Records: t.account.Records(), Lag: lag}
	if held > 0 && !paused {
		v.Waits = append(v.Waits, vitals.Wait{What: fmt.Sprintf("no put has finished, %d records wait", held), Since: since})
	}
	if p, ok := t.cfg.Sink.(connectors.PeerReporter); ok && t.started.Load() {
		v.Waits = append(v.Waits, vitals.Unreachable(p)...)
	}
	return v
}
