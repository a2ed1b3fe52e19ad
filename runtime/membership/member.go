package membership

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/runtime/assign"
)

// Timing are the times of a member.
type Timing struct {
	// Session is the silence after which the group takes a member as lost; Shutdown is how long its work may take to stop. A member
	// that has heard nothing for Session less Shutdown stops its work, so that nobody else has it before.
	Session, Shutdown time.Duration
	Heartbeat         time.Duration
	// Retry is the pause after a request that failed.
	Retry time.Duration
	// SyncBackoff is the pause before a member that cannot read the config topic asks again, the first syncTries times; SyncLeave is
	// how long it then stays out of the group.
	SyncBackoff, SyncLeave time.Duration
}

// syncTries is how often a member that cannot catch up may try before it puts its work down.
const syncTries = 5

// A Member is one member of a group as a step machine: it has no clock, no goroutine and no connection. What happens goes in with Step,
// what is to be done comes out. It takes part in one round at a time:
//
//	away --join--> joining --(leader: decide)--> syncing --> catching --> stable --rejoin--> joining
//	 ^                                                                      |
//	 +-------------------- lost the group, or left it ----------------------+
//
// Heartbeats go on beside all of it. Work that was revoked is put down before the next join tells the group so.
type Member struct {
	timing Timing

	phase      phase
	id         string
	generation int32
	decided    int32 // the last generation whose decision this member took
	eager      bool
	leader     bool
	owned      assign.Work
	share      Share
	retryAt    time.Time
	rejoin     bool
	rejoinAt   time.Time // zero: only when asked for
	reason     string
	// settling: work that was taken away is still stopping.
	settling bool
	leaving  bool
	out      bool // left, and not to come back until told
	syncs    int

	contact  time.Time // when the last request that was answered was sent
	nextBeat time.Time
	beating  bool
}

type phase int

const (
	away phase = iota
	joining
	deciding
	syncing
	catching
	stable
)

// NewMember returns a member that is not in the group.
func NewMember(t Timing) *Member {
	return &Member{timing: t, decided: -1, generation: -1, reason: "first join"}
}

// An Input is something that happened.
type Input interface{ input() }

type (
	// Tick is that time has passed.
	Tick struct{}
	// Joined answers Join.
	Joined struct {
		Err        error
		MemberID   string
		Generation int32
		Leader     bool
		Eager      bool
		Sent       time.Time
	}
	// Decided answers Decide: the shares are ready to be sent.
	Decided struct{}
	// Synced answers Sync.
	Synced struct {
		Err   error
		Share Share
		Sent  time.Time
	}
	// Beaten answers Beat.
	Beaten struct {
		Err      error
		MemberID string
		Sent     time.Time
	}
	// CaughtUp answers CatchUp.
	CaughtUp struct{ Err error }
	// Settled answers Take.
	Settled struct{}
	// Rejoin asks for a round.
	Rejoin struct{ Reason string }
	// Leave asks the member to put its work down and leave, Return to come back.
	Leave  struct{}
	Return struct{}
)

func (Tick) input()     {}
func (Joined) input()   {}
func (Decided) input()  {}
func (Synced) input()   {}
func (Beaten) input()   {}
func (CaughtUp) input() {}
func (Settled) input()  {}
func (Rejoin) input()   {}
func (Leave) input()    {}
func (Return) input()   {}

// An Output is something to be done.
type Output interface{ output() }

type (
	// Join is a JoinGroup request that tells of Owned.
	Join struct {
		MemberID string
		Owned    assign.Work
		Reason   string
		// Generation and Decided are those of the last round, for the allocation that the request carries.
		Generation int32
		Leader     string
		LeaderURL  string
	}
	// Decide is for the leader: make every member's share. Decided is the last generation whose decision this member took.
	Decide struct{ Generation, Decided int32 }
	// Sync is a SyncGroup request, the leader's with the shares that were decided.
	Sync struct {
		MemberID   string
		Generation int32
		Leader     bool
	}
	// Beat is a Heartbeat request, Depart a LeaveGroup request.
	Beat struct {
		MemberID   string
		Generation int32
	}
	Depart struct{ MemberID string }
	// CatchUp is to read the config topic up to Offset.
	CatchUp struct{ Offset int64 }
	// Take is to run Work and nothing else, and to say Settled when nothing else runs.
	Take struct {
		Generation int32
		Work       assign.Work
		Leader     bool
		LeaderURL  string
		// Lost is that the member is in the group no more, or is not sure of it.
		Lost bool
		// Reason is why there was a round.
		Reason string
	}
	// Fail is that it makes no sense to go on.
	Fail struct{ Err error }
)

func (Join) output()    {}
func (Decide) output()  {}
func (Sync) output()    {}
func (Beat) output()    {}
func (Depart) output()  {}
func (CatchUp) output() {}
func (Take) output()    {}
func (Fail) output()    {}

// Step takes what has happened and returns what to do, in this order.
func (m *Member) Step(now time.Time, in Input) []Output {
	var out []Output
	switch in := in.(type) {
	case Joined:
		out = m.joined(now, in)
	case Decided:
		if m.phase == deciding {
			m.phase = syncing
			out = append(out, Sync{m.id, m.generation, true})
		}
	case Synced:
		out = m.synced(now, in)
	case Beaten:
		out = m.beaten(now, in)
	case CaughtUp:
		out = m.caughtUp(now, in)
	case Settled:
		m.settling = false
	case Rejoin:
		m.ask(in.Reason)
	case Leave:
		m.leaving = true
		out = m.putDown("leaves the group")
	case Return:
		if m.out {
			m.retryAt, m.reason = now, "comes back"
		}
		m.out, m.leaving = false, false
	}
	return append(out, m.proceed(now)...)
}

// Next is when Step wants a Tick at the latest.
func (m *Member) Next(now time.Time) time.Time {
	next := now.Add(m.timing.Heartbeat)
	for _, at := range []time.Time{m.retryAt, m.rejoinAt, m.nextBeat} {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	return next
}

func (m *Member) ask(reason string) {
	if !m.rejoin {
		m.rejoin, m.reason = true, reason
	}
}

// proceed does what time and state ask for.
func (m *Member) proceed(now time.Time) []Output {
	var out []Output
	if m.leaving && !m.settling && (m.phase == away || m.phase == stable) {
		m.leaving, m.out, m.phase = false, true, away
		if m.id != "" {
			out = append(out, Depart{m.id})
		}
		m.id, m.generation = "", -1
		return out
	}
	if m.id != "" && !m.owned.Empty() && now.Sub(m.contact) >= m.timing.Session-m.timing.Shutdown {
		out = append(out, m.lose(now, "heard nothing of the group")...)
	}
	if m.id != "" && m.generation >= 0 && !m.beating && !now.Before(m.nextBeat) {
		m.beating, m.nextBeat = true, now.Add(m.timing.Heartbeat)
		out = append(out, Beat{m.id, m.generation})
	}
	if m.phase == stable && !m.rejoinAt.IsZero() && !now.Before(m.rejoinAt) {
		m.rejoinAt = time.Time{}
		m.ask("a delay is over")
	}
	if m.settling || m.out || m.leaving {
		return out
	}
	if m.phase == stable && m.rejoin || m.phase == away && !now.Before(m.retryAt) {
		if m.eager && !m.owned.Empty() {
			return append(out, m.putDown(m.reason)...)
		}
		m.phase, m.rejoin, m.rejoinAt = joining, false, time.Time{}
		out = append(out, m.join())
	}
	return out
}

func (m *Member) join() Output {
	return Join{MemberID: m.id, Owned: m.owned, Reason: m.reason, Generation: m.generation, Leader: m.share.Leader, LeaderURL: m.share.LeaderURL}
}

func (m *Member) joined(now time.Time, in Joined) []Output {
	if m.phase != joining {
		return nil
	}
	switch err := in.Err; err {
	case nil:
	case kerr.MemberIDRequired:
		m.id = in.MemberID
		return []Output{m.join()}
	case kerr.UnknownMemberID:
		m.id = ""
		return m.lose(now, "the group does not know this member")
	case kerr.GroupAuthorizationFailed, kerr.InvalidSessionTimeout, kerr.InvalidGroupID:
		return []Output{Fail{err}}
	case kerr.InconsistentGroupProtocol:
		return []Output{Fail{fmt.Errorf("%w: the group's other members speak none of the protocols that connect.protocol allows, or are no workers", err)}}
	default:
		m.retry(now)
		return nil
	}
	m.id, m.generation, m.leader, m.eager, m.contact = in.MemberID, in.Generation, in.Leader, in.Eager, in.Sent
	if in.Sent.Before(now) {
		m.contact = now // the coordinator counts from its answer: a member that waits for others is there
	}
	m.nextBeat = now.Add(m.timing.Heartbeat)
	if in.Leader {
		m.phase = deciding
		return []Output{Decide{in.Generation, m.decided}}
	}
	m.phase = syncing
	return []Output{Sync{m.id, m.generation, false}}
}

// retry tries again later, from the start of a round.
func (m *Member) retry(now time.Time) {
	m.phase, m.retryAt = away, now.Add(m.timing.Retry)
}

func (m *Member) synced(now time.Time, in Synced) []Output {
	if m.phase != syncing {
		return nil
	}
	switch in.Err {
	case nil:
	case kerr.RebalanceInProgress, kerr.IllegalGeneration:
		m.phase, m.retryAt = away, now
		return nil
	case kerr.UnknownMemberID:
		m.id = ""
		return m.lose(now, "the group does not know this member")
	default:
		m.retry(now)
		return nil
	}
	m.contact, m.phase, m.share, m.decided = in.Sent, catching, in.Share, m.generation
	return []Output{CatchUp{in.Share.ConfigOffset}}
}

func (m *Member) caughtUp(now time.Time, in CaughtUp) []Output {
	if m.phase != catching {
		return nil
	}
	m.phase = stable
	if in.Err != nil {
		m.syncs++
		if m.syncs < syncTries {
			m.rejoinAt = now.Add(m.timing.SyncBackoff)
			return nil
		}
		m.syncs = 0
		out := m.lose(now, "the config topic cannot be read")
		out = append(out, Depart{m.id})
		m.id, m.generation, m.retryAt = "", -1, now.Add(m.timing.SyncLeave)
		return out
	}
	m.syncs = 0
	if m.share.Error != 0 {
		m.ask("the leader had not read what another member had")
		m.rejoinAt, m.rejoin = now.Add(m.timing.Retry), false
		return nil
	}
	if m.eager {
		m.owned = m.share.Assigned
	} else {
		m.owned = assign.Change{Assigned: m.share.Assigned, Revoked: m.share.Revoked}.Apply(m.owned)
	}
	reason := m.reason
	m.settling = true
	switch {
	case !m.share.Revoked.Empty():
		m.ask("work was given back")
	case m.share.Delay > 0:
		m.rejoinAt = now.Add(m.share.Delay)
	}
	return []Output{Take{Generation: m.generation, Work: m.owned, Leader: m.leader, LeaderURL: m.share.LeaderURL, Reason: reason}}
}

func (m *Member) beaten(now time.Time, in Beaten) []Output {
	m.beating = false
	if in.MemberID != m.id {
		return nil
	}
	switch in.Err {
	case nil:
		m.contact = in.Sent
	case kerr.RebalanceInProgress:
		m.contact = in.Sent
		m.ask("others joined or left")
	case kerr.IllegalGeneration:
		// While a round is under way the answer to its join is on its way. No contact: the coordinator does not count it.
		if m.phase == stable {
			m.ask("a round was missed")
		}
	case kerr.UnknownMemberID, kerr.FencedInstanceID:
		m.id = ""
		return m.lose(now, "the group does not know this member")
	default:
		m.nextBeat = now.Add(min(m.timing.Retry, m.timing.Heartbeat))
	}
	return nil
}

// lose puts all work down and begins anew.
func (m *Member) lose(now time.Time, reason string) []Output {
	m.phase, m.retryAt, m.rejoin, m.rejoinAt, m.leader, m.reason = away, now, false, time.Time{}, false, reason
	if m.id == "" {
		m.generation = -1
	}
	return m.putDown(reason)
}

func (m *Member) putDown(reason string) []Output {
	m.owned, m.settling, m.leader = assign.Work{}, true, false
	return []Output{Take{Generation: m.decided, Lost: true, Reason: reason}}
}
