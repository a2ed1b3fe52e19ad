package server

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// requestMemory bounds the requests of all connections that are being read or begun. A nil one has no bound.
type requestMemory struct {
	limit int64
	free  *semaphore.Weighted
}

func newRequestMemory(limit int64) *requestMemory {
	if limit <= 0 {
		return nil
	}
	return &requestMemory{limit, semaphore.NewWeighted(limit)}
}

// take waits for n bytes and returns how many to give back. A request above the limit takes everything, so that it is alone.
func (m *requestMemory) take(ctx context.Context, n int64) (int64, error) {
	if m == nil {
		return 0, nil
	}
	n = min(n, m.limit)
	if err := m.free.Acquire(ctx, n); err != nil {
		return 0, context.Cause(ctx)
	}
	return n, nil
}

func (m *requestMemory) give(n int64) {
	if m != nil {
		m.free.Release(n)
	}
}
