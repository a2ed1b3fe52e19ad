package partition

import (
	"slices"
	"time"

	"millrace/broker/commitlog"
)

// WhenDurable is WhenAcked without a limit.
func (p *Partition) WhenDurable(lastOffset int64, done func(error)) { p.WhenAcked(lastOffset, 0, done) }

// WhenAcked calls done once when the record at lastOffset is acknowledged for acks=all: in the log of every in-sync replica,
// and with group commit synced there, else as flush.messages says. done gets nil, or ErrStorage or ErrClosed when that can
// no longer happen, ErrNotLeader when another replica leads now, ErrNotEnoughReplicasAfterAppend, or, with other
// replicas and a limit above 0, ErrTimedOut. It runs on the goroutine that brings the news, or on the caller's before
// WhenAcked returns if there is nothing to wait for, and must not block.
func (p *Partition) WhenAcked(lastOffset int64, limit time.Duration, done func(error)) {
	if err := p.log.Err(); err != nil {
		done(err)
		return
	}
	s := p.settings.Load()
	if !s.groupCommit() && s.FlushMessages > 0 {
		if o := p.log.Offsets(); o.End-o.Durable >= s.FlushMessages && o.Durable <= lastOffset {
			p.park(&p.durable, durableWaiter{offset: lastOffset, done: func(err error) {
				if err != nil {
					done(err)
					return
				}
				p.whenReplicated(lastOffset, limit, done)
			}})
			return
		}
	}
	p.whenReplicated(lastOffset, limit, done)
}

// whenReplicated waits for the high watermark.
func (p *Partition) whenReplicated(lastOffset int64, limit time.Duration, done func(error)) {
	w := durableWaiter{offset: lastOffset, done: done}
	if limit > 0 && p.replicated.Load() {
		w.deadline = p.clock().Add(limit)
	}
	p.park(&p.acks, w)
}

// park puts an acknowledgement into one of the two queues, unless it is due or can no longer come.
func (p *Partition) park(q *waitDurable, w durableWaiter) {
	p.mu.Lock()
	var err error
	due := true
	switch {
	case p.closed:
		err = ErrClosed
	case p.following:
		err = ErrNotLeader
	case q == &p.acks:
		// Looked at with the lock held: whoever moves the high watermark after this finds the waiter.
		if due = p.hw > w.offset; !due && p.underMinISR.Load() {
			due, err = true, ErrNotEnoughReplicasAfterAppend
		}
	default:
		due = p.log.Durable() > w.offset
	}
	if due {
		p.mu.Unlock()
		w.done(err)
		return
	}
	q.add(w)
	p.mu.Unlock()
	if p.log.Durable() <= w.offset {
		p.scheduleSync()
	}
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
	if err != nil {
		p.mu.Lock()
		due := append(p.acks.takeAll(), p.durable.takeAll()...)
		p.mu.Unlock()
		answer(due, err)
		return
	}
	if p.settings.Load().groupCommit() {
		p.advance(reached.Offset, reached.Bytes)
		return
	}
	p.mu.Lock()
	due := p.durable.take(reached.Offset)
	p.mu.Unlock()
	answer(due, nil)
	p.mu.Lock()
	p.durable.recycle(due)
	p.mu.Unlock()
}

// appended notes an append where there are other replicas, and calls their parked fetches.
func (p *Partition) appended(o commitlog.Offsets) {
	p.mu.Lock()
	p.above.add(o.End, o.Appended)
	due := p.tailing.take(0, bounds{start: o.Start, end: o.End})
	p.mu.Unlock()
	call(due)
}

// advance moves a leader's high watermark up, as far as the other replicas allow: own is the end of what this one vouches for,
// bytes those appended until there.
func (p *Partition) advance(own, bytes int64) {
	p.mu.Lock()
	hw := own
	switch {
	case p.following:
		p.mu.Unlock()
		return
	case !p.lead.alone():
		hw = p.lead.highWatermark(p.hw, own, p.minISRLocked(), p.settings.Load().maxLag(), p.clock())
		bytes = p.above.reach(hw)
	}
	p.raiseLocked(hw, bytes)
}

// raise moves a follower's high watermark up.
func (p *Partition) raise(hw int64) {
	p.mu.Lock()
	p.raiseLocked(hw, p.above.reach(max(hw, p.hw)))
}

// raiseLocked moves the high watermark and calls those who waited for that. It gives p.mu back.
func (p *Partition) raiseLocked(hw, bytes int64) {
	p.hw = max(p.hw, hw)
	p.visible = max(p.visible, bytes)
	acked := p.acks.take(p.hw)
	if len(p.waiters.list) == 0 {
		p.mu.Unlock()
		p.answerAcked(acked)
		return
	}
	now, visible := p.hw, p.visible
	p.mu.Unlock()
	p.answerAcked(acked)
	b := p.bounds()
	b.hw = max(b.hw, now)
	p.mu.Lock()
	due := p.waiters.take(visible, b)
	p.mu.Unlock()
	call(due)
}

func (p *Partition) answerAcked(acked []durableWaiter) {
	if cap(acked) == 0 {
		return
	}
	answer(acked, nil)
	p.mu.Lock()
	p.acks.recycle(acked)
	p.mu.Unlock()
}

func answer(acks []durableWaiter, err error) {
	for _, w := range acks {
		w.done(err)
	}
}

func call(parked []*visibleWaiter) {
	for _, w := range parked {
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
	q := &p.waiters
	if isolation == ReadReplica {
		q = &p.tailing
	} else {
		w.target = p.visible + max(minBytes, 1)
	}
	w.at = len(q.list)
	q.list = append(q.list, w)
	closed := p.closed
	p.mu.Unlock()
	// Looked at after the waiter is in the list, so nothing falls between.
	if closed || p.bounds().limit(isolation) > seen || p.log.Err() != nil {
		if p.forget(q, w) {
			fn()
		}
		return func() {}
	}
	return func() { p.forget(q, w) }
}

// forget takes a waiter off the list; false if it was not on it any more.
func (p *Partition) forget(q *waitVisible, w *visibleWaiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return q.remove(w)
}

type durableWaiter struct {
	offset   int64
	deadline time.Time // zero: none
	done     func(error)
}

// waitDurable are acknowledgements that wait for an offset to be passed. Two slices take turns, so that waiting allocates nothing
// once they have grown.
type waitDurable struct {
	list  []durableWaiter
	spare []durableWaiter
}

func (q *waitDurable) add(w durableWaiter) { q.list = append(q.list, w) }

// take removes and returns those below end.
func (q *waitDurable) take(end int64) []durableWaiter {
	if len(q.list) == 0 {
		return nil
	}
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

// takeLate removes and returns those whose time is over.
func (q *waitDurable) takeLate(now time.Time) []durableWaiter {
	var late []durableWaiter
	q.list = slices.DeleteFunc(q.list, func(w durableWaiter) bool {
		if w.deadline.IsZero() || now.Before(w.deadline) {
			return false
		}
		late = append(late, w)
		return true
	})
	return late
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
