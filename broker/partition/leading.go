package partition

import (
	"slices"
	"time"
)

// Leadership is what the metadata says of a partition that this node leads.
type Leadership struct {
	Self           int32
	LeaderEpoch    int32
	PartitionEpoch int32
	Replicas, ISR  []int32 // Self is in both
}

// FollowerFetch is what a follower's fetch tells the leader.
type FollowerFetch struct {
	Replica     int32
	BrokerEpoch int64 // of the process that fetches, -1 if it does not say
	LeaderEpoch int32 // that it follows
	Offset      int64 // the end of what it has, and has synced
	// Eligible: the metadata knows this very process, neither fenced nor shutting down, so it may join the ISR.
	Eligible bool
}

// ISRChange is an ISR that a leader wants. It stands until the controller's answer or newer metadata is there.
type ISRChange struct {
	LeaderEpoch, PartitionEpoch int32
	ISR                         []Member
}

// Member is one replica of a wanted ISR, with the epoch of the process that was seen to be in sync (-1: unknown).
type Member struct {
	ID          int32
	BrokerEpoch int64
}

// leading decides for a leader who is in sync and what is replicated. It is a plain value: time and the log's offsets come in
// with each step.
//
//	ISR       who must have a record before it counts as replicated. Only the controller changes it.
//	maximal   the ISR plus the members that were asked for: until the answer is known, both must have it
//	high watermark = min over maximal of what each has synced; it stands still below min.insync.replicas (KIP-966)
type leading struct {
	Leadership
	epochStart int64 // the log end when the epoch began: who is below may lack records of an earlier one
	followers  []follower

	wanted  *ISRChange // asked for, not answered
	refused bool       // the last answer to wanted was a refusal, and copies of the request may still be under way
	asks    int        // how often wanted was sent
	quiet   time.Time  // after a refusal: until when nothing is asked for
}

// follower is what a leader knows of another replica.
type follower struct {
	id          int32
	brokerEpoch int64
	offset      int64 // -1: it has not fetched in this epoch
	eligible    bool
	fetchedAt   time.Time
	endAtFetch  int64     // the leader's log end at its last fetch
	caughtUp    time.Time // when it last had everything there was
}

// lead begins an epoch, or follows a change within one.
func (l *leading) lead(m Leadership, end int64, now time.Time) {
	old := l.followers
	if m.LeaderEpoch != l.LeaderEpoch || l.Replicas == nil {
		old, l.epochStart = nil, end
	}
	if m.LeaderEpoch != l.LeaderEpoch || m.PartitionEpoch > l.PartitionEpoch {
		l.wanted, l.refused, l.asks = nil, false, 0
	}
	l.Leadership = m
	l.followers = nil
	for _, id := range m.Replicas {
		if id == m.Self {
			continue
		}
		f := follower{id: id, brokerEpoch: -1, offset: -1, caughtUp: now}
		if i := slices.IndexFunc(old, func(f follower) bool { return f.id == id }); i >= 0 {
			f = old[i]
		}
		l.followers = append(l.followers, f)
	}
}

// alone says that nobody else is needed or waited for, whatever is fetched.
func (l *leading) alone() bool { return len(l.followers) == 0 }

// find returns a follower, nil if it is no replica.
func (l *leading) find(id int32) *follower {
	for i := range l.followers {
		if l.followers[i].id == id {
			return &l.followers[i]
		}
	}
	return nil
}

// fetched takes in a follower's fetch; false if it is no replica. A follower has caught up when it asks from the log end, or
// from what was the end at its fetch before: on a busy partition it is never quite there.
func (l *leading) fetched(f FollowerFetch, end int64, now time.Time) bool {
	w := l.find(f.Replica)
	if w == nil {
		return false
	}
	switch {
	case f.Offset >= end:
		w.caughtUp = now
	case w.offset >= 0 && f.Offset >= w.endAtFetch && w.fetchedAt.After(w.caughtUp):
		w.caughtUp = w.fetchedAt
	}
	w.brokerEpoch, w.offset, w.eligible, w.fetchedAt, w.endAtFetch = f.BrokerEpoch, f.Offset, f.Eligible, now, end
	return true
}

// idle says that a fetch brings nothing new: an in-sync follower asks once more from the log end. With many partitions most
// are like that.
func (l *leading) idle(f FollowerFetch, end int64) bool {
	w := l.find(f.Replica)
	return w != nil && w.offset == f.Offset && f.Offset == end && w.brokerEpoch == f.BrokerEpoch && w.eligible == f.Eligible && l.inSync(w.id)
}

// inSync says whether the metadata has a replica in the ISR.
func (l *leading) inSync(id int32) bool { return slices.Contains(l.ISR, id) }

// counted says whether the high watermark waits for a replica: it is in sync, or asked to be.
func (l *leading) counted(id int32) bool {
	return l.inSync(id) || l.wanted != nil && slices.ContainsFunc(l.wanted.ISR, func(m Member) bool { return m.ID == id })
}

// highWatermark is how far the log is replicated; own is what this replica vouches for. It is never below hw. A follower that
// could join the ISR is waited for, so that it can: else the high watermark might run ahead of it for ever.
func (l *leading) highWatermark(hw, own int64, minISR int, maxLag time.Duration, now time.Time) int64 {
	if len(l.ISR) < min(minISR, len(l.Replicas)) {
		return hw
	}
	next := own
	for i := range l.followers {
		f := &l.followers[i]
		if l.counted(f.id) || f.eligible && f.offset >= 0 && now.Sub(f.caughtUp) <= maxLag {
			next = min(next, f.offset)
		}
	}
	return max(hw, next)
}

// change returns the ISR to ask the controller for, nil if none or if an answer is awaited.
func (l *leading) change(hw, end int64, maxLag time.Duration, now time.Time) *ISRChange {
	if l.wanted != nil || now.Before(l.quiet) {
		return nil
	}
	next := []Member{{l.Self, -1}}
	changed := false
	for i := range l.followers {
		f := &l.followers[i]
		in := l.inSync(f.id)
		stays := in && (f.offset >= end || now.Sub(f.caughtUp) <= maxLag)
		joins := !in && f.eligible && f.offset >= max(hw, l.epochStart)
		if stays || joins {
			next = append(next, Member{f.id, f.brokerEpoch})
		}
		changed = changed || in != (stays || joins)
	}
	if !changed {
		return nil
	}
	l.wanted = &ISRChange{LeaderEpoch: l.LeaderEpoch, PartitionEpoch: l.PartitionEpoch, ISR: next}
	return l.wanted
}

// refuse takes in that the controller will not have the wanted ISR. If the request was sent more than once, a copy may still be on
// its way and take effect when it gets there, so its members count until the ISR as it is has been confirmed under a
// new partition epoch, which ends all copies.
func (l *leading) refuse(now time.Time) {
	if l.wanted == nil {
		return
	}
	l.quiet = now.Add(quietAfterRefusal)
	if l.asks <= 1 {
		l.wanted = nil
		return
	}
	l.refused = true
}

// quietAfterRefusal is how long a leader waits before it asks the controller again for what it would not have: by then the
// metadata says why.
const quietAfterRefusal = time.Second

// request is what to send for the wanted ISR: itself, or the present ISR once it was refused.
func (l *leading) request() *ISRChange {
	if l.wanted == nil {
		return nil
	}
	l.asks++
	if !l.refused {
		return l.wanted
	}
	present := &ISRChange{LeaderEpoch: l.LeaderEpoch, PartitionEpoch: l.PartitionEpoch}
	for _, id := range l.ISR {
		m := Member{id, -1}
		if f := l.find(id); f != nil {
			m.BrokerEpoch = f.brokerEpoch
		}
		present.ISR = append(present.ISR, m)
	}
	return present
}
