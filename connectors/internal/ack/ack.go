package ack

import "sync"

// A Ticket names a delivery of one connection. The zero Ticket names none.
type Ticket struct {
	epoch uint64
	seq   uint64
}

// A Tracker holds the deliveries of the current connection that are not acknowledged yet, in the order of arrival.
// It is safe for concurrent use. H is what acknowledging needs.
type Tracker[H any] struct {
	mu      sync.Mutex
	epoch   uint64
	first   uint64 // seq of entries[0]
	entries []entry[H]
}

type entry[H any] struct {
	handle H
	done   bool
}

// Add takes a delivery and returns its ticket.
func (t *Tracker[H]) Add(handle H) Ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, entry[H]{handle: handle})
	return Ticket{epoch: t.epoch + 1, seq: t.first + uint64(len(t.entries)) - 1}
}

// Done marks a delivery as safe. Tickets of earlier connections are ignored: their deliveries come again.
func (t *Tracker[H]) Done(k Ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.epoch != t.epoch+1 || k.seq < t.first || k.seq-t.first >= uint64(len(t.entries)) {
		return
	}
	t.entries[k.seq-t.first].done = true
}

// Take removes and returns the deliveries at the front that are done: what may be acknowledged now, in this order.
func (t *Tracker[H]) Take() []H {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.entries) && t.entries[n].done {
		n++
	}
	if n == 0 {
		return nil
	}
	handles := make([]H, n)
	for i := range handles {
		handles[i] = t.entries[i].handle
	}
	t.first += uint64(n)
	t.entries = append(t.entries[:0], t.entries[n:]...)
	clear(t.entries[len(t.entries) : len(t.entries)+n])
	return handles
}

// Drain removes and returns all deliveries, done or not: what is to be given back. Their tickets are void.
func (t *Tracker[H]) Drain() []H {
	t.mu.Lock()
	defer t.mu.Unlock()
	handles := make([]H, len(t.entries))
	for i, e := range t.entries {
		handles[i] = e.handle
	}
	t.resetLocked()
	return handles
}

// Pending counts the deliveries not taken yet.
func (t *Tracker[H]) Pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}

// Reset forgets everything: the connection is gone, and what was not acknowledged will be delivered again.
func (t *Tracker[H]) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resetLocked()
}

func (t *Tracker[H]) resetLocked() {
	t.epoch++
	t.first = 0
	t.entries = nil
}
