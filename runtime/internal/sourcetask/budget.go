package sourcetask

import (
	"context"
	"sync"
)

// A budget bounds what one task has under way, so that a topic that does not answer stops this task and no other.
type budget struct {
	mu      sync.Mutex
	records int
	bytes   int64
	limit   struct {
		records int
		bytes   int64
	}
	// freed is closed when something was given back and somebody waits.
	freed chan struct{}
}

// take waits until there is room. A chunk larger than the whole budget goes alone.
func (b *budget) take(ctx context.Context, records int, bytes int64) error {
	for {
		b.mu.Lock()
		fits := b.records+records <= b.limit.records && b.bytes+bytes <= b.limit.bytes
		if fits || b.records == 0 {
			b.records += records
			b.bytes += bytes
			b.mu.Unlock()
			return nil
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (b *budget) give(records int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records -= records
	b.bytes -= bytes
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// used returns how many records are under way.
func (b *budget) used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records
}

// await waits until nothing is under way.
func (b *budget) await(ctx context.Context) error {
	for {
		b.mu.Lock()
		if b.records == 0 {
			b.mu.Unlock()
			return nil
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
