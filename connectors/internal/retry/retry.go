package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff spaces attempts: exponential from First to Max, each with up to a quarter of jitter on top. The zero Backoff goes from
// 100 ms to 30 s. It is for one goroutine.
type Backoff struct {
	First, Max time.Duration

	delay time.Duration
	until time.Time
}

// Failed notes a failed attempt and returns the delay before the next.
func (b *Backoff) Failed() time.Duration {
	first, limit := b.First, b.Max
	if first <= 0 {
		first = 100 * time.Millisecond
	}
	if limit <= 0 {
		limit = 30 * time.Second
	}
	b.delay = min(max(2*b.delay, first), limit)
	delay := b.delay + rand.N(b.delay/4+1)
	b.until = time.Now().Add(delay)
	return delay
}

// Reset forgets earlier failures.
func (b *Backoff) Reset() { b.delay, b.until = 0, time.Time{} }

// Wait sleeps until the next attempt is due, at most for limit, and reports whether it is due and ctx goes on.
func (b *Backoff) Wait(ctx context.Context, limit time.Duration) bool {
	left := time.Until(b.until)
	if left <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(min(left, limit))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return time.Until(b.until) <= 0
}
