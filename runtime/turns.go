package runtime

import (
	"context"
	"errors"
	"sync"
	"time"

	"millrace/runtime/membership"
)

// turns let writers in while the worker knows its place in the group: whoever comes during a round waits for its end, and a round
// begins when the writers of the leader have ended. The zero turns are closed.
type turns struct {
	mu      sync.Mutex
	open    bool
	current membership.Assignment
	// moved is closed and replaced when open or current change.
	moved chan struct{}
	// writers that write as the leader, by the function that ends them.
	writers map[*writer]struct{}
	idle    chan struct{} // closed when the last writer has gone and somebody waits
}

type writer struct{ cancel context.CancelCauseFunc }

// errLostLead ends a write of a worker that leads its group no more.
var errLostLead = errors.New("this worker leads its group no more; whether the change was made shows in the answer to a read")

func (t *turns) movedLocked() chan struct{} {
	if t.moved == nil {
		t.moved = make(chan struct{})
	}
	return t.moved
}

func (t *turns) moveLocked() {
	close(t.movedLocked())
	t.moved = make(chan struct{})
}

// assigned opens after a round. A worker that lost its group keeps others waiting.
func (t *turns) assigned(a membership.Assignment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.current = !a.Lost, a
	if a.Lost {
		t.endLocked()
	}
	t.moveLocked()
}

func (t *turns) endLocked() {
	for w := range t.writers {
		w.cancel(errLostLead)
	}
}

// writersPatience is how long a round waits for writers.
const writersPatience = 10 * time.Second

// suspend closes for a round and waits for the writers.
func (t *turns) suspend(ctx context.Context) {
	t.mu.Lock()
	t.open = false
	t.moveLocked()
	if len(t.writers) == 0 {
		t.mu.Unlock()
		return
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	timer := time.NewTimer(writersPatience)
	defer timer.Stop()
	select {
	case <-idle:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	t.endLocked()
	t.mu.Unlock()
}

// now returns the assignment when no round is under way, and what is closed when that changes. If the worker leads, it writes until it
// calls done: within ctx, which ends if somebody else may lead.
func (t *turns) now(ctx context.Context) (a membership.Assignment, changed <-chan struct{}, writing context.Context, done func(), err error) {
	for {
		t.mu.Lock()
		moved := t.movedLocked()
		if t.open {
			a = t.current
			writing, done = ctx, func() {}
			if a.Leader {
				writing, done = t.enterLocked(ctx)
			}
			t.mu.Unlock()
			return a, moved, writing, done, nil
		}
		t.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return a, nil, nil, nil, context.Cause(ctx)
		}
	}
}

func (t *turns) enterLocked(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &writer{cancel}
	if t.writers == nil {
		t.writers = make(map[*writer]struct{})
	}
	t.writers[w] = struct{}{}
	return ctx, func() {
		cancel(nil)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.writers, w)
		if len(t.writers) == 0 && t.idle != nil {
			close(t.idle)
			t.idle = nil
		}
	}
}
