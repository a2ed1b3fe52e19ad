package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// rebalance makes sure that a join phase is on, and ends it if nobody is missing.
func (m *machine) rebalance(g *group) {
	switch g.state {
	case preparing:
	case empty:
		g.become(preparing, m.now)
		delay := min(m.settings.InitialRebalanceDelay, g.rebalanceTimeout())
		g.initial, g.newcomer = delay > 0, false
		g.remaining = max(g.rebalanceTimeout()-delay, 0)
		m.waitForJoins(g, delay)
	default:
		for _, mb := range g.ordered() {
			if g.state == completing {
				mb.assignment = nil
			}
			if sync := mb.sync; sync != nil {
				mb.sync = nil
				m.extend(g, mb)
				m.answer(func(failed error) { sync(SyncResult{Err: either(failed, kerr.RebalanceInProgress)}) })
			}
		}
		g.become(preparing, m.now)
		g.initial, g.syncDeadline = false, time.Time{}
		m.waitForJoins(g, g.rebalanceTimeout())
	}
	m.tryCompleteJoin(g)
}

func (m *machine) waitForJoins(g *group, d time.Duration) {
	g.joinDeadline = m.now.Add(d)
	m.timers.push(timer{at: g.joinDeadline, kind: joinEnds, group: g})
}

// tryCompleteJoin ends the join phase when every member has joined and every id given out has been used.
func (m *machine) tryCompleteJoin(g *group) {
	if g.state != preparing || g.initial || len(g.pending) > 0 {
		return
	}
	for _, mb := range g.members {
		if mb.join == nil {
			return
		}
	}
	m.completeJoin(g)
}

// joinTimeout ends a wait: that of an empty group goes on while newcomers arrive.
func (m *machine) joinTimeout(g *group) {
	if g.initial && g.newcomer && g.remaining > 0 {
		d := min(m.settings.InitialRebalanceDelay, g.remaining)
		g.remaining -= d
		g.newcomer = false
		m.waitForJoins(g, d)
		return
	}
	m.completeJoin(g)
}

// completeJoin begins the next generation with who is there. Dynamic members that did not join are out; static ones
// stay until their session ends.
func (m *machine) completeJoin(g *group) {
	g.initial = false
	joined := 0
	for _, mb := range g.ordered() {
		switch {
		case mb.join != nil:
			joined++
		case mb.instanceID == "":
			m.drop(g, mb)
		}
	}
	if joined == 0 && len(g.members) > 0 {
		m.waitForJoins(g, g.rebalanceTimeout()) // only absent static members: nobody could lead
		return
	}
	g.generation++
	if len(g.members) == 0 {
		g.protocol, g.leader = "", ""
		g.become(empty, m.now)
		m.write(g.metadataRecord())
		return
	}
	m.electLeader(g)
	g.protocol = g.chooseProtocol()
	g.become(completing, m.now)
	g.syncDeadline = m.now.Add(g.rebalanceTimeout())
	m.timers.push(timer{at: g.syncDeadline, kind: syncEnds, group: g})
	for _, mb := range g.ordered() {
		mb.synced = mb.join == nil // absent static members are not waited for
		if done := mb.join; done != nil {
			mb.join = nil
			m.extend(g, mb)
			m.answerJoin(g, mb, done, false)
		} else if !mb.armed {
			m.extend(g, mb)
		}
	}
}

// electLeader keeps the leader if it joined, else takes the first member that did.
func (m *machine) electLeader(g *group) {
	if mb := g.members[g.leader]; mb != nil && mb.join != nil {
		return
	}
	for _, mb := range g.ordered() {
		if mb.join != nil {
			g.leader = mb.id
			return
		}
	}
}

// syncTimeout removes members that joined but never synced: the others would wait for them in vain at each rebalance.
func (m *machine) syncTimeout(g *group) {
	g.syncDeadline = time.Time{}
	late := false
	for _, mb := range g.ordered() {
		if !mb.synced {
			m.drop(g, mb)
			late = true
		}
	}
	if late {
		m.rebalance(g)
	}
}

// drop takes a member out without looking at the consequences.
func (m *machine) drop(g *group, mb *member) {
	m.unpark(mb, kerr.UnknownMemberID)
	delete(g.members, mb.id)
	if g.static[mb.instanceID] == mb.id {
		delete(g.static, mb.instanceID)
	}
	if g.leader == mb.id {
		g.leader = ""
		if rest := g.ordered(); len(rest) > 0 {
			g.leader = rest[0].id
		}
	}
}

// removeMember takes out a member that left or whose session ended.
func (m *machine) removeMember(g *group, mb *member) {
	m.drop(g, mb)
	switch g.state {
	case completing, stable:
		m.rebalance(g)
	case preparing:
		m.tryCompleteJoin(g)
	}
}
