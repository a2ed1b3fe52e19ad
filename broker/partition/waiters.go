package partition

import (
	"slices"

	"millrace/broker/commitlog"
)

// WhenDurable calls done once when the record at lastOffset is acknowledged for acks=all: with group commit after the
// sync that covers it, else as flush.messages says. done gets nil, or ErrStorage or ErrClosed when that can no longer
// happen. It runs on the syncer's goroutine, or on the caller's before WhenDurable returns if there is nothing to wait
// for, and must not block.
func (p *Partition) WhenDurable(lastOffset int64, done func(error)) {
	if err := p.log.Err(); err != nil {
		done(err)
		return
	}
	s := p.settings.Load()
	if !s.groupCommit() {
		o := p.log.Offsets()
		if s.FlushMessages == 0 || o.End-o.Durable < s.FlushMessages {
			done(nil)
			return
		}
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		done(ErrClosed)
		return
	}
	// Looked at with the lock held: a sync that ends after this finds the waiter.
	if p.log.Durable() > lastOffset {
		p.mu.Unlock()
		done(nil)
		return
	}
	p.durable.add(durableWaiter{lastOffset, done})
	p.mu.Unlock()
	p.scheduleSync()
	if err := p.log.Err(); err != nil {
		p.onSync(commitlog.Synced{}, err) // failed before the waiter was there
	}
}

// scheduleSync has the log synced soon, or now if there is no syncer.
func (p *Partition) scheduleSync() {
	if p.syncer != nil {
		p.syncer.Schedule(p.log)
		return
	}
	_, _ = p.log.Sync() // onSync has the outcome
}

// onSync is called after each sync of the log.
func (p *Partition) onSync(reached commitlog.Synced, err error) {
	if err == nil && p.settings.Load().groupCommit() {
		p.advance(reached.Offset, reached.Bytes)
	}
	p.mu.Lock()
	var due []durableWaiter
	if err != nil {
		due = p.durable.takeAll()
	} else {
		due = p.durable.take(reached.Offset)
	}
	p.mu.Unlock()
	for _, w := range due {
		w.done(err)
	}
	p.mu.Lock()
	p.durable.recycle(due)
	p.mu.Unlock()
}

// advance moves the high watermark up and calls those who waited for that.
func (p *Partition) advance(hw, bytes int64) {
	p.mu.Lock()
	if hw > p.hw {
		p.hw = hw
	}
	if bytes > p.visible {
		p.visible = bytes
	}
	if len(p.waiters.list) == 0 {
		p.mu.Unlock()
		return
	}
	now, visible := p.hw, p.visible
	p.mu.Unlock()
	b := p.bounds()
	b.hw = max(b.hw, now)
	p.mu.Lock()
	due := p.waiters.take(visible, b)
	p.mu.Unlock()
	for _, w := range due {
		w.fn()
	}
}

// WhenVisible calls fn once as soon as at least minBytes more bytes than at the time of the call can be read, or at once
// if the end that isolation shows is already above seen, the HighWatermark (LastStableOffset, log end) of the reader's
// last result. Closing calls it too. fn must not block. cancel forgets it, and may be called at any time; fn may be
// running then.
func (p *Partition) WhenVisible(seen int64, minBytes int64, isolation Isolation, fn func()) (cancel func()) {
	w := &visibleWaiter{seen: seen, isolation: isolation, fn: fn}
	p.mu.Lock()
	w.target = p.visible + max(minBytes, 1)
	w.at = len(p.waiters.list)
	p.waiters.list = append(p.waiters.list, w)
	closed := p.closed
	p.mu.Unlock()
	// Looked at after the waiter is in the list, so nothing falls between.
	if closed || p.bounds().limit(isolation) > seen || p.log.Err() != nil {
		if p.forget(w) {
			fn()
		}
		return func() {}
	}
	return func() { p.forget(w) }
}

// forget takes a waiter off the list; false if it was not on it any more.
func (p *Partition) forget(w *visibleWaiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiters.remove(w)
}

type durableWaiter struct {
	offset int64
	done   func(error)
}

// waitDurable are the acknowledgements that wait for a sync. Two slices take turns, so that waiting allocates nothing
// once they have grown.
type waitDurable struct {
	list  []durableWaiter
	spare []durableWaiter
}

func (q *waitDurable) add(w durableWaiter) { q.list = append(q.list, w) }

// take removes and returns those below the durable end.
func (q *waitDurable) take(end int64) []durableWaiter {
	due := q.spare[:0]
	q.spare = nil
	kept := q.list[:0]
	for _, w := range q.list {
		if w.offset < end {
			due = append(due, w)
		} else {
			kept = append(kept, w)
		}
	}
	clear(q.list[len(kept):])
	q.list = kept
	return due
}

func (q *waitDurable) takeAll() []durableWaiter {
	due := q.list
	q.list = nil
	return due
}

func (q *waitDurable) recycle(done []durableWaiter) {
	if cap(done) > cap(q.spare) {
		clear(done)
		q.spare = done[:0]
	}
}

type visibleWaiter struct {
	seen      int64
	target    int64 // of Partition.visible
	isolation Isolation
	fn        func()
	at        int // its place in the list, -1 once it is off
}

// waitVisible are the fetches that wait for records.
type waitVisible struct {
	list []*visibleWaiter
}

func (q *waitVisible) remove(w *visibleWaiter) bool {
	if w.at < 0 {
		return false
	}
	last := len(q.list) - 1
	q.list[w.at] = q.list[last]
	q.list[w.at].at = w.at
	q.list[last] = nil
	q.list = q.list[:last]
	w.at = -1
	return true
}

// take removes and returns those whose bytes are there.
func (q *waitVisible) take(visible int64, b bounds) []*visibleWaiter {
	var due []*visibleWaiter
	for _, w := range slices.Clone(q.list) {
		if visible >= w.target && b.limit(w.isolation) > w.seen {
			q.remove(w)
			due = append(due, w)
		}
	}
	return due
}

func (q *waitVisible) takeAll() []*visibleWaiter {
	due := q.list
	for _, w := range due {
		w.at = -1
	}
	q.list = nil
	return due
}
