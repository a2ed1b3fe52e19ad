package vitals

import (
	"slices"
	"sync"
	"time"

	"millrace/connectors"
)

// Records counts the records of one life of a task. Read = Written + Filtered + Skipped + DeadLettered + InFlight at any moment; each
// term is counted where it happens, none is computed from the others.
type Records struct {
	// Read were given by the source task, or read from the log for a sink task.
	Read int64 `json:"read"`
	// Written were acknowledged by the log, or taken by the sink task.
	Written int64 `json:"written"`
	// Filtered were dropped by a transform.
	Filtered int64 `json:"filtered"`
	// Skipped failed and were let go by errors.tolerance.
	Skipped int64 `json:"skipped"`
	// DeadLettered failed and are in the dead letter queue, or on their way while offsets wait for them.
	DeadLettered int64 `json:"dead_lettered"`
	// InFlight are none of these yet. Those of a task that has ended come again in its next life.
	InFlight int64 `json:"in_flight"`
}

// A Wait is work that is known to wait.
type Wait struct {
	What  string
	Since time.Time
	// Outage is set if the foreign system is away: the task is not well from the beginning.
	Outage bool
}

// Vitals are what a task tells of itself.
type Vitals struct {
	Records Records
	// Lag is how many records of the log are behind what the sink task has taken, -1 if not known.
	Lag   int64
	Waits []Wait
}

// An Account counts records. It may be used by several goroutines.
type Account struct {
	mu      sync.Mutex
	records Records
	sent    []*Sending
}

// A Sending is a batch on its way to the log.
type Sending struct {
	since time.Time
	ended bool
}

// Take enters n records that were read.
func (a *Account) Take(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records.Read += int64(n)
	a.records.InFlight += int64(n)
}

// GiveBack is for n records that were taken too early: they will be read again.
func (a *Account) GiveBack(n int) { a.Take(-n) }

// Send notes a batch on its way.
func (a *Account) Send() *Sending {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &Sending{since: time.Now()}
	a.sent = append(a.sent, s)
	return s
}

// Settle adds what became of records. leaving of them were in flight until now. s is nil unless they were sent.
func (a *Account) Settle(s *Sending, became Records, leaving int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &a.records
	r.Written += became.Written
	r.Filtered += became.Filtered
	r.Skipped += became.Skipped
	r.DeadLettered += became.DeadLettered
	r.InFlight -= int64(leaving)
	if s == nil {
		return
	}
	s.ended = true
	n := 0
	for n < len(a.sent) && a.sent[n].ended {
		n++
	}
	a.sent = slices.Delete(a.sent, 0, n)
}

// Records returns the counts of one moment.
func (a *Account) Records() Records {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.records
}

// Oldest is when the oldest batch that is still on its way was sent; zero if there is none.
func (a *Account) Oldest() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.sent) == 0 {
		return time.Time{}
	}
	return a.sent[0].since
}

// Unreachable asks a task about its foreign system.
func Unreachable(p connectors.PeerReporter) []Wait {
	since, err := p.Unreachable()
	if err == nil {
		return nil
	}
	return []Wait{{What: "the other side cannot be reached: " + err.Error(), Since: since, Outage: true}}
}
