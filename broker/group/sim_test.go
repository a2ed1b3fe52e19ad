package group

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sim drives a machine on virtual time; every record is durable at once.
type sim struct {
	gone func(host string) bool // of the coordinator's Config
	t    *testing.T
	m    *machine
	now  time.Time
	ids  int
	log  []record
}

func newSim(t *testing.T, settings Settings) *sim {
	s := &sim{t: t, now: time.UnixMilli(1_700_000_000_000)}
	s.m = newMachine(settings, s.now, s.id)
	return s
}

// quick has no initial delay.
func quick() Settings {
	s := DefaultSettings()
	s.InitialRebalanceDelay = 0
	return s
}

func (s *sim) id() string { s.ids++; return fmt.Sprintf("id%d", s.ids) }

// do gives an input to the machine and releases the answers.
func (s *sim) do(f func(m *machine)) {
	s.m.now = s.now
	f(s.m)
	s.release(nil)
}

func (s *sim) release(err error) {
	out := s.m.take()
	s.log = append(s.log, out.records...)
	for _, answer := range out.answers {
		answer(err)
	}
}

// pass lets time go by, timer by timer.
func (s *sim) pass(d time.Duration) {
	end := s.now.Add(d)
	for at := s.m.timers.next(); !at.After(end); at = s.m.timers.next() {
		s.now = at
		s.do((*machine).tick)
	}
	s.now = end
}

// restart replays what was written into a new machine.
func (s *sim) restart() {
	s.m = newMachine(s.m.settings, s.now, s.id)
	for _, r := range s.log {
		if _, err := s.m.load(r.key, r.value); err != nil {
			s.t.Fatal(err)
		}
	}
	s.m.loaded(s.gone)
}

// client is one member as seen from outside.
type client struct {
	s          *sim
	req        JoinRequest
	generation int32
	joined     *JoinResult
	synced     *SyncResult
}

func (s *sim) client(id string) *client {
	return &client{s: s, req: JoinRequest{
		Group: "g", ClientID: id, ClientHost: "/10.0.0.1", SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute,
		ProtocolType: consumerType, Protocols: []Protocol{{"range", subscription("t")}}, NeedsKnownID: true, CanSkipAssignment: true,
	}}
}

func (s *sim) static(instance string) *client {
	c := s.client(instance)
	c.req.InstanceID = instance
	return c
}

func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	return m.AppendTo(nil)
}

// send sends one JoinGroup; c.joined is nil while it is parked.
func (c *client) send() {
	c.joined = nil
	c.s.do(func(m *machine) {
		m.join(c.req, func(r JoinResult) {
			if c.joined != nil {
				c.s.t.Error("a join was answered twice")
			}
			c.joined = &r
			if r.Err == nil || errors.Is(r.Err, kerr.MemberIDRequired) {
				c.req.MemberID = r.MemberID
			}
			if r.Err == nil {
				c.generation = r.Generation
			}
		})
	})
}

// join sends JoinGroup as clients do: again with the id that was given out.
func (c *client) join() {
	c.send()
	if c.joined != nil && errors.Is(c.joined.Err, kerr.MemberIDRequired) {
		c.send()
	}
}

func (c *client) ref() MemberRef {
	return MemberRef{c.req.Group, c.generation, c.req.MemberID, c.req.InstanceID}
}

func (c *client) sync(assignments map[string][]byte) {
	c.synced = nil
	c.s.do(func(m *machine) {
		m.sync(SyncRequest{MemberRef: c.ref(), Assignments: assignments}, func(r SyncResult) { c.synced = &r })
	})
}

func (c *client) heartbeat() (got error) {
	got = errors.New("no answer")
	c.s.do(func(m *machine) { m.heartbeat(c.ref(), func(err error) { got = err }) })
	return got
}

func (c *client) leave() (got error) {
	c.s.do(func(m *machine) {
		m.leave(c.req.Group, []LeaveResult{{MemberID: c.req.MemberID, InstanceID: c.req.InstanceID}}, func(r []LeaveResult, err error) { got = errors.Join(err, r[0].Err) })
	})
	return got
}

func (s *sim) commit(ref MemberRef, offset int64) (got error) {
	s.do(func(m *machine) {
		m.commit(CommitRequest{MemberRef: ref, Retention: -1, Offsets: []OffsetCommit{{TopicPartition: TopicPartition{"t", 0}, Offset: offset, LeaderEpoch: 5, Metadata: "m"}}},
			func(r []error, err error) {
				if got = err; err == nil {
					got = r[0]
				}
			})
	})
	return got
}

func (s *sim) committed(group string) int64 {
	var got int64
	s.do(func(m *machine) {
		m.fetchOffsets(group, []TopicPartition{{"t", 0}}, func(r []FetchedOffset, _ error) { got = r[0].Offset })
	})
	return got
}

func (s *sim) state(group string) (d Description) {
	s.do(func(m *machine) { m.describe(group, func(x Description) { d = x }) })
	return d
}

func (s *sim) wantState(want state) {
	s.t.Helper()
	if got := s.state("g").State; got != string(want) {
		s.t.Fatalf("group is %s, want %s", got, want)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (c *client) wantJoined(generation int32, leader *client) {
	c.s.t.Helper()
	switch {
	case c.joined == nil:
		c.s.t.Fatalf("%s: join is still parked", c.req.ClientID)
	case c.joined.Err != nil || c.joined.Generation != generation || c.joined.Leader != leader.req.MemberID:
		c.s.t.Fatalf("%s: %+v, want generation %d led by %s", c.req.ClientID, c.joined, generation, leader.req.MemberID)
	case (len(c.joined.Members) > 0) != (c == leader):
		c.s.t.Fatalf("%s: got %d members", c.req.ClientID, len(c.joined.Members))
	}
}

// settle lets the clients rejoin and sync until the group is stable; the first one leads.
func settle(clients ...*client) {
	for _, c := range clients {
		c.join()
	}
	all := make(map[string][]byte)
	for _, c := range clients {
		all[c.req.MemberID] = []byte("for " + c.req.ClientID)
	}
	for i := len(clients) - 1; i >= 0; i-- {
		c := clients[i]
		if c.joined == nil || c.joined.Err != nil {
			c.s.t.Fatalf("%s: %+v", c.req.ClientID, c.joined)
		}
		c.sync(all)
	}
	for _, c := range clients {
		if c.synced == nil || c.synced.Err != nil || string(c.synced.Assignment) != "for "+c.req.ClientID {
			c.s.t.Fatalf("%s: %+v", c.req.ClientID, c.synced)
		}
	}
}

// two is a stable group of two members.
func two(t *testing.T) (*sim, *client, *client) {
	s := newSim(t, quick())
	a, b := s.client("a"), s.client("b")
	settle(a)
	b.join()
	settle(a, b)
	s.wantState(stable)
	return s, a, b
}
