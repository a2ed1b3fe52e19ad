package group

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// machine is all groups of one partition of __consumer_offsets. It is pure: each method takes what happened, changes the
// state, and leaves records and answers in out. The answers may be given when the records, and all earlier ones, are
// durable.
type machine struct {
	settings Settings
	groups   map[string]*group
	timers   timers
	// now is the time of the present input.
	now time.Time
	// newID returns a random uuid.
	newID func() string
	out   output
}

// output is what inputs since the last take produced.
type output struct {
	records []record
	// answers are called with nil once the records are durable, or with the error the requester is to get instead.
	answers []func(failed error)
}

// record is one record for __consumer_offsets. A nil value is a tombstone.
type record struct{ key, value []byte }

// maxText is the longest text that the stored formats can hold; flexible requests can carry longer ones.
const maxText = 1<<15 - 1

func newMachine(s Settings, now time.Time, newID func() string) *machine {
	m := &machine{settings: s, groups: make(map[string]*group), now: now, newID: newID}
	m.timers.push(timer{at: now.Add(s.OffsetsRetentionCheck), kind: expireOffsets})
	return m
}

// take returns the outputs and forgets them.
func (m *machine) take() output {
	out := m.out
	m.out = output{}
	return out
}

func (m *machine) answer(f func(failed error)) { m.out.answers = append(m.out.answers, f) }

func (m *machine) write(r record) { m.out.records = append(m.out.records, r) }

// State of a group, as Kafka spells it.
type state string

const (
	empty      state = "Empty"
	preparing  state = "PreparingRebalance"
	completing state = "CompletingRebalance"
	stable     state = "Stable"
	dead       state = "Dead"
)

// group is one group.
//
//	         join                    all joined             leader's sync
//	Empty ---------> Preparing ------------------> Completing ------------> Stable
//	  ^                 |  ^                            |                     |
//	  +-- none joined --+  +---- join, leave, timeout --+---------------------+
type group struct {
	id         string
	state      state
	since      time.Time // of the present state
	generation int32
	// protocolType is set by the first member and kept while the group is empty; protocol is chosen per generation.
	protocolType string
	protocol     string
	leader       string
	members      map[string]*member
	// static maps an instance id to the id of the member that has it.
	static map[string]string
	// pending are ids given out with MEMBER_ID_REQUIRED that have not joined yet, with the end of their life.
	pending map[string]time.Time
	nextSeq int

	// In Preparing: joinDeadline ends the wait for members. initial is true for a group that was empty; its wait is
	// prolonged while new members come, by at most remaining.
	joinDeadline time.Time
	initial      bool
	remaining    time.Duration
	newcomer     bool
	// syncDeadline is when members that joined must have synced.
	syncDeadline time.Time

	offsets map[TopicPartition]committed
}

// committed is a committed offset.
type committed struct {
	offset      int64
	leaderEpoch int32
	metadata    string
	topicID     [16]byte
	at          time.Time
	expires     time.Time // zero: by retention
}

type member struct {
	id, instanceID   string
	clientID, host   string
	seq              int // order of arrival
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []Protocol
	assignment       []byte

	// deadline ends the session; it counts only while armed.
	deadline time.Time
	armed    bool
	timer    time.Time // of the timer in the heap, never after deadline; zero: none

	join   func(JoinResult) // the parked join, nil if none
	sync   func(SyncResult) // the parked sync, nil if none
	synced bool             // it synced since the last join phase
}

func newGroup(id string, now time.Time) *group {
	return &group{
		id: id, state: empty, since: now,
		members: make(map[string]*member), static: make(map[string]string), pending: make(map[string]time.Time),
		offsets: make(map[TopicPartition]committed),
	}
}

func (g *group) become(s state, now time.Time) { g.state, g.since = s, now }

// ordered returns the members in order of arrival.
func (g *group) ordered() []*member {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *member) int { return cmp.Compare(a.seq, b.seq) })
}

// rebalanceTimeout is the longest of any member.
func (g *group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, mb := range g.members {
		d = max(d, mb.rebalanceTimeout)
	}
	return d
}

// metadata returns what mb said for the group's protocol.
func (g *group) metadata(mb *member) []byte {
	for _, p := range mb.protocols {
		if p.Name == g.protocol {
			return p.Metadata
		}
	}
	return nil
}

// supports reports whether a member with these protocols can be in the group beside the others.
func (g *group) supports(except *member, protocolType string, protocols []Protocol) bool {
	others := 0
	votes := make(map[string]int)
	for _, mb := range g.members {
		if mb == except {
			continue
		}
		others++
		for _, p := range mb.protocols {
			votes[p.Name]++
		}
	}
	if others == 0 {
		return true
	}
	return protocolType == g.protocolType &&
		slices.ContainsFunc(protocols, func(p Protocol) bool { return votes[p.Name] == others })
}

// chooseProtocol counts each member's first choice among the protocols that all members support.
func (g *group) chooseProtocol() string {
	common := make(map[string]int)
	for _, mb := range g.members {
		for _, p := range mb.protocols {
			common[p.Name]++
		}
	}
	votes := make(map[string]int)
	best := ""
	for _, mb := range g.ordered() {
		for _, p := range mb.protocols {
			if common[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(votes)) {
		if best == "" || votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// find returns the member that sent a request, which must be who it says it is.
func (g *group) find(memberID, instanceID string) (*member, error) {
	if instanceID != "" {
		switch id, ok := g.static[instanceID]; {
		case !ok:
			return nil, kerr.UnknownMemberID
		case id != memberID:
			return nil, kerr.FencedInstanceID
		}
	}
	if mb := g.members[memberID]; mb != nil {
		return mb, nil
	}
	return nil, kerr.UnknownMemberID
}

// findInGeneration is find for requests that belong to one generation.
func (g *group) findInGeneration(ref MemberRef) (*member, error) {
	mb, err := g.find(ref.MemberID, ref.InstanceID)
	if err == nil && ref.Generation != g.generation {
		return nil, kerr.IllegalGeneration
	}
	return mb, err
}
