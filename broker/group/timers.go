package group

import (
	"container/heap"
	"time"
)

type timerKind uint8

const (
	sessionEnds timerKind = iota
	pendingEnds
	joinEnds
	syncEnds
	expireOffsets
)

// timer is a moment to look at something. It says nothing about whether the moment still counts: the state holds the
// true deadline, and a timer that comes too early is pushed again. So a heartbeat moves a deadline without touching the
// heap.
type timer struct {
	at     time.Time
	kind   timerKind
	group  *group
	member string
}

// timers is a heap by time.
type timers struct{ h timerHeap }

func (t *timers) push(x timer) { heap.Push(&t.h, x) }

// next returns the first moment, zero if there is none.
func (t *timers) next() time.Time {
	if len(t.h) == 0 {
		return time.Time{}
	}
	return t.h[0].at
}

type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }

func (h *timerHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = timer{}
	*h = old[:len(old)-1]
	return x
}

// stalled is how late a timer may fire before the machine takes it that it was itself standing still (a slow disk, a
// suspended process), in which case members had no chance to be heard and get their session once more.
const stalled = time.Second

// tick handles every timer that is due.
func (m *machine) tick() {
	for at := m.timers.next(); !at.IsZero() && !at.After(m.now); at = m.timers.next() {
		t := heap.Pop(&m.timers.h).(timer)
		if t.kind == expireOffsets {
			m.expire()
			m.timers.push(timer{at: m.now.Add(m.settings.OffsetsRetentionCheck), kind: expireOffsets})
			continue
		}
		if m.groups[t.group.id] == t.group {
			m.fire(t.group, t)
		}
	}
}

func (m *machine) fire(g *group, t timer) {
	switch t.kind {
	case sessionEnds:
		mb := g.members[t.member]
		if mb == nil || !mb.timer.Equal(t.at) {
			return // it has a newer timer
		}
		mb.timer = time.Time{}
		switch {
		case !mb.armed:
		case mb.deadline.After(m.now):
			m.schedule(g, mb)
		case m.now.Sub(mb.deadline) > stalled:
			m.extend(g, mb)
		default:
			m.removeMember(g, mb)
		}
	case pendingEnds:
		if end, ok := g.pending[t.member]; ok && !end.After(m.now) {
			delete(g.pending, t.member)
			m.tryCompleteJoin(g)
		}
	case joinEnds:
		if g.state == preparing && !g.joinDeadline.After(m.now) {
			m.joinTimeout(g)
		}
	case syncEnds:
		if (g.state == completing || g.state == stable) && !g.syncDeadline.IsZero() && !g.syncDeadline.After(m.now) {
			m.syncTimeout(g)
		}
	}
}

// extend begins a member's session anew.
func (m *machine) extend(g *group, mb *member) { m.arm(g, mb, mb.sessionTimeout) }

func (m *machine) arm(g *group, mb *member, d time.Duration) {
	mb.deadline, mb.armed = m.now.Add(d), true
	m.schedule(g, mb)
}

func (m *machine) schedule(g *group, mb *member) {
	if mb.timer.IsZero() || mb.deadline.Before(mb.timer) {
		mb.timer = mb.deadline
		m.timers.push(timer{at: mb.deadline, kind: sessionEnds, group: g, member: mb.id})
	}
}
