package group

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sim drives a machine on virtual time; every record is durable at once.
type sim struct {
	t   *testing.T
	m   *machine
	now time.Time
	ids int
	log []record
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
	s.m.loaded()
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

func TestJoin(t *testing.T) {
	t.Run("the first member leads at once without a delay", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.send()
		wantErr(t, "first join", a.joined.Err, kerr.MemberIDRequired)
		if a.joined.MemberID != "a-id1" {
			t.Errorf("member id %q", a.joined.MemberID)
		}
		a.send()
		a.wantJoined(1, a)
		s.wantState(completing)
		wantErr(t, "heartbeat before the sync", a.heartbeat(), nil)
		a.sync(map[string][]byte{a.req.MemberID: []byte("x")})
		if string(a.synced.Assignment) != "x" {
			t.Errorf("%+v", a.synced)
		}
	})
	t.Run("old versions join without a known id", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.req.NeedsKnownID = false
		a.send()
		a.wantJoined(1, a)
	})
	t.Run("the delay of an empty group is prolonged by newcomers", func(t *testing.T) {
		s := newSim(t, DefaultSettings())
		a, b := s.client("a"), s.client("b")
		a.join()
		s.pass(2 * time.Second)
		b.join()
		s.pass(3 * time.Second)
		if a.joined != nil {
			t.Fatal("answered 3 s after a newcomer came at 2 s")
		}
		s.pass(time.Second)
		a.wantJoined(1, a)
		b.wantJoined(1, a)
	})
	t.Run("a newcomer waits for the others to rejoin", func(t *testing.T) {
		s, a, b := two(t)
		c := s.client("c")
		c.join()
		s.wantState(preparing)
		wantErr(t, "heartbeat", a.heartbeat(), kerr.RebalanceInProgress)
		a.join()
		if c.joined != nil {
			t.Fatal("answered before b rejoined")
		}
		b.join()
		a.wantJoined(a.generation, a)
		c.wantJoined(a.generation, a)
	})
	t.Run("members that do not rejoin in time are out", func(t *testing.T) {
		s, a, b := two(t)
		a.join()
		for range 11 {
			s.pass(5 * time.Second)
			b.heartbeat()
		}
		if a.joined != nil {
			t.Fatal("answered before the rebalance timeout")
		}
		s.pass(5 * time.Second)
		a.wantJoined(b.generation+1, a)
		wantErr(t, "heartbeat of the one that is out", b.heartbeat(), kerr.UnknownMemberID)
	})
	t.Run("a follower that joins unchanged gets its generation back", func(t *testing.T) {
		s, a, b := two(t)
		b.join()
		b.wantJoined(a.generation, a)
		s.wantState(stable)
	})
	t.Run("a repeated join before the sync gets the same answer", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.join()
		a.send()
		a.wantJoined(1, a)
	})
	t.Run("a leader that leaves while members join is replaced", func(t *testing.T) {
		s, a, b := two(t)
		b.req.Protocols = []Protocol{{"range", subscription("t", "u")}}
		b.join()
		s.wantState(preparing)
		wantErr(t, "leave", a.leave(), nil)
		b.wantJoined(a.generation+1, b)
	})
	t.Run("an id given out and never used does not hold the group up for ever", func(t *testing.T) {
		s, a, _ := two(t)
		ghost := s.client("ghost")
		ghost.send() // takes an id and never comes back
		a.join()
		s.pass(time.Second)
		if a.joined != nil {
			t.Fatal("a pending id did not count")
		}
	})
	t.Run("a pending id that leaves completes the group", func(t *testing.T) {
		s, a, b := two(t)
		ghost := s.client("ghost")
		ghost.send()
		a.join()
		b.join()
		wantErr(t, "leave", ghost.leave(), nil)
		a.wantJoined(a.generation, a)
	})
	t.Run("the protocol most members prefer wins, among those all have", func(t *testing.T) {
		s := newSim(t, quick())
		p := func(names ...string) (ps []Protocol) {
			for _, n := range names {
				ps = append(ps, Protocol{n, []byte(n)})
			}
			return ps
		}
		a, b, c := s.client("a"), s.client("b"), s.client("c")
		a.req.Protocols, b.req.Protocols, c.req.Protocols = p("x", "y", "z"), p("z", "y"), p("z", "y", "x")
		a.join()
		b.join()
		c.join()
		a.join()
		b.join()
		if a.joined.Protocol != "z" || string(a.joined.Members[0].Metadata) != "z" {
			t.Errorf("%+v", a.joined)
		}
	})
	t.Run("connect and other types are groups like any", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("w")
		a.req.ProtocolType, a.req.Protocols = "connect", []Protocol{{"sessioned", []byte{1}}, {"eager", nil}}
		a.join()
		a.wantJoined(1, a)
		if a.joined.ProtocolType != "connect" {
			t.Errorf("%+v", a.joined)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		s, a, _ := two(t)
		for name, tc := range map[string]struct {
			change func(*JoinRequest)
			want   error
		}{
			"empty group":           {func(r *JoinRequest) { r.Group = "" }, kerr.InvalidGroupID},
			"short session":         {func(r *JoinRequest) { r.SessionTimeout = 5 * time.Second }, kerr.InvalidSessionTimeout},
			"long session":          {func(r *JoinRequest) { r.SessionTimeout = time.Hour }, kerr.InvalidSessionTimeout},
			"no protocols":          {func(r *JoinRequest) { r.Protocols = nil }, kerr.InconsistentGroupProtocol},
			"no type":               {func(r *JoinRequest) { r.ProtocolType = "" }, kerr.InconsistentGroupProtocol},
			"other type":            {func(r *JoinRequest) { r.ProtocolType = "connect" }, kerr.InconsistentGroupProtocol},
			"nothing in common":     {func(r *JoinRequest) { r.Protocols = []Protocol{{"other", nil}} }, kerr.InconsistentGroupProtocol},
			"unknown member":        {func(r *JoinRequest) { r.MemberID = "who" }, kerr.UnknownMemberID},
			"unknown group, member": {func(r *JoinRequest) { r.Group, r.MemberID = "new", "who" }, kerr.UnknownMemberID},
			"unknown instance":      {func(r *JoinRequest) { r.InstanceID, r.MemberID = "i", a.req.MemberID }, kerr.UnknownMemberID},
		} {
			c := s.client("c")
			tc.change(&c.req)
			c.send()
			if c.joined == nil || !errors.Is(c.joined.Err, tc.want) || c.joined.Generation != -1 {
				t.Errorf("%s: %+v, want %v", name, c.joined, tc.want)
			}
		}
		s.wantState(stable)
	})
	t.Run("texts that cannot be stored", func(t *testing.T) {
		s := newSim(t, quick())
		long := strings.Repeat("x", 1<<15)
		for name, tc := range map[string]struct {
			change func(*JoinRequest)
			want   error
		}{
			"group":    {func(r *JoinRequest) { r.Group = long }, kerr.InvalidGroupID},
			"type":     {func(r *JoinRequest) { r.ProtocolType = long }, kerr.InconsistentGroupProtocol},
			"protocol": {func(r *JoinRequest) { r.Protocols = []Protocol{{long, nil}} }, kerr.InconsistentGroupProtocol},
		} {
			c := s.client("c")
			tc.change(&c.req)
			c.send()
			wantErr(t, name, c.joined.Err, tc.want)
		}
		wantErr(t, "commit", s.commit(MemberRef{Group: long, Generation: -1}, 1), kerr.InvalidGroupID)
		a := s.client(long[1:])
		settle(a)
		s.restart()
		wantErr(t, "heartbeat after a reload", a.heartbeat(), nil)
	})
	t.Run("a full group", func(t *testing.T) {
		settings := quick()
		settings.MaxSize = 1
		s := newSim(t, settings)
		a, b := s.client("a"), s.client("b")
		a.join()
		a.wantJoined(1, a)
		b.send()
		wantErr(t, "one too many", b.joined.Err, kerr.GroupMaxSizeReached)
	})
}

func TestSync(t *testing.T) {
	t.Run("followers wait for the leader", func(t *testing.T) {
		s, a, b := two(t)
		a.join() // the leader's join rebalances
		b.join()
		b.sync(nil)
		if b.synced != nil {
			t.Fatal("answered before the leader synced")
		}
		a.sync(map[string][]byte{a.req.MemberID: []byte("1"), "stranger": []byte("2")})
		if b.synced == nil || b.synced.Err != nil || len(b.synced.Assignment) != 0 {
			t.Errorf("a member that was left out: %+v", b.synced)
		}
		a.sync(map[string][]byte{a.req.MemberID: []byte("other")})
		if string(a.synced.Assignment) != "1" {
			t.Errorf("the leader's second sync replaced something: %s", a.synced.Assignment)
		}
		s.wantState(stable)
	})
	t.Run("a rebalance answers those that wait", func(t *testing.T) {
		s, a, b := two(t)
		a.join()
		b.join()
		b.sync(nil)
		c := s.client("c")
		c.join()
		wantErr(t, "parked sync", b.synced.Err, kerr.RebalanceInProgress)
	})
	t.Run("members that never sync are removed", func(t *testing.T) {
		s, a, b := two(t)
		a.join()
		b.join()
		a.sync(map[string][]byte{})
		for range 12 {
			s.pass(5 * time.Second)
			a.heartbeat()
			b.heartbeat()
		}
		wantErr(t, "heartbeat", b.heartbeat(), kerr.UnknownMemberID)
		wantErr(t, "heartbeat of the other", a.heartbeat(), kerr.RebalanceInProgress)
	})
	t.Run("refusals", func(t *testing.T) {
		s, a, b := two(t)
		try := func(change func(*SyncRequest)) error {
			req := SyncRequest{MemberRef: b.ref(), CheckProtocol: true, ProtocolType: consumerType, Protocol: "range"}
			change(&req)
			var got error
			s.do(func(m *machine) { m.sync(req, func(r SyncResult) { got = r.Err }) })
			return got
		}
		wantErr(t, "good", try(func(r *SyncRequest) {}), nil)
		wantErr(t, "old generation", try(func(r *SyncRequest) { r.Generation-- }), kerr.IllegalGeneration)
		wantErr(t, "unknown member", try(func(r *SyncRequest) { r.MemberID = "who" }), kerr.UnknownMemberID)
		wantErr(t, "unknown group", try(func(r *SyncRequest) { r.Group = "no" }), kerr.UnknownMemberID)
		wantErr(t, "empty group", try(func(r *SyncRequest) { r.Group = "" }), kerr.InvalidGroupID)
		wantErr(t, "other protocol", try(func(r *SyncRequest) { r.Protocol = "sticky" }), kerr.InconsistentGroupProtocol)
		wantErr(t, "other type", try(func(r *SyncRequest) { r.ProtocolType = "" }), kerr.InconsistentGroupProtocol)
		a.join()
		wantErr(t, "while members join", try(func(r *SyncRequest) {}), kerr.RebalanceInProgress)
	})
}

func TestSessions(t *testing.T) {
	t.Run("heartbeats and commits keep a member", func(t *testing.T) {
		s, a, b := two(t)
		for i := range 6 {
			s.pass(9 * time.Second)
			wantErr(t, "heartbeat", a.heartbeat(), nil)
			wantErr(t, "commit", s.commit(b.ref(), int64(i)), nil)
		}
		s.wantState(stable)
	})
	t.Run("silence ends a session", func(t *testing.T) {
		s, a, b := two(t)
		s.pass(9 * time.Second)
		a.heartbeat()
		s.pass(2 * time.Second)
		s.wantState(preparing)
		wantErr(t, "heartbeat of the silent one", b.heartbeat(), kerr.UnknownMemberID)
		a.join()
		a.wantJoined(b.generation+1, a)
	})
	t.Run("a parked join needs no heartbeat", func(t *testing.T) {
		s, a, b := two(t)
		a.join()
		for range 3 {
			s.pass(9 * time.Second)
			b.heartbeat()
		}
		b.join()
		a.wantJoined(b.generation, a)
	})
	t.Run("a standstill of the coordinator costs nobody the session", func(t *testing.T) {
		s, a, b := two(t)
		s.now = s.now.Add(time.Minute) // nothing ran
		s.do((*machine).tick)
		wantErr(t, "heartbeat", a.heartbeat(), nil)
		wantErr(t, "heartbeat", b.heartbeat(), nil)
		s.pass(11 * time.Second)
		wantErr(t, "heartbeat after real silence", b.heartbeat(), kerr.UnknownMemberID)
	})
	t.Run("a shorter session counts at once", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.req.SessionTimeout = 20 * time.Minute
		settle(a)
		a.req.SessionTimeout = 6 * time.Second
		a.join()
		a.sync(nil)
		s.pass(7 * time.Second)
		wantErr(t, "heartbeat", a.heartbeat(), kerr.UnknownMemberID)
	})
	t.Run("the last member leaves an empty group behind", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		settle(a)
		wantErr(t, "leave", a.leave(), nil)
		s.wantState(empty)
		wantErr(t, "leave again", a.leave(), kerr.UnknownMemberID)
		b := s.client("b")
		b.join()
		b.wantJoined(3, b)
	})
}

func TestStaticMembers(t *testing.T) {
	stableGroup := func(t *testing.T) (*sim, *client, *client) {
		s := newSim(t, quick())
		a, b := s.static("a"), s.static("b")
		settle(a)
		b.join()
		settle(a, b)
		return s, a, b
	}
	t.Run("a restarted follower takes its place without a rebalance", func(t *testing.T) {
		s, a, b := stableGroup(t)
		again := s.static("b")
		again.join()
		again.wantJoined(b.generation, a)
		if again.req.MemberID == b.req.MemberID {
			t.Error("same member id")
		}
		s.wantState(stable)
		again.sync(nil)
		if string(again.synced.Assignment) != "for b" {
			t.Errorf("%+v", again.synced)
		}
		for name, err := range map[string]error{"heartbeat": b.heartbeat(), "commit": s.commit(b.ref(), 1)} {
			wantErr(t, name+" of the old process", err, kerr.FencedInstanceID)
		}
		b.join()
		wantErr(t, "join of the old process", b.joined.Err, kerr.FencedInstanceID)
		b.sync(nil)
		wantErr(t, "sync of the old process", b.synced.Err, kerr.FencedInstanceID)
		wantErr(t, "leave of the old process", b.leave(), kerr.FencedInstanceID)
		s.restart()
		wantErr(t, "heartbeat after a reload", again.heartbeat(), nil)
	})
	t.Run("a restarted leader skips the assignment", func(t *testing.T) {
		s, a, _ := stableGroup(t)
		again := s.static("a")
		again.join()
		again.wantJoined(a.generation, again)
		if !again.joined.SkipAssignment || len(again.joined.Members) != 2 {
			t.Errorf("%+v", again.joined)
		}
	})
	t.Run("a restarted leader of an old version acts as a follower", func(t *testing.T) {
		s, a, _ := stableGroup(t)
		again := s.static("a")
		again.req.CanSkipAssignment = false
		again.join()
		if j := again.joined; j.Leader != a.req.MemberID || j.MemberID == a.req.MemberID || len(j.Members) != 0 || j.SkipAssignment {
			t.Errorf("%+v", j)
		}
	})
	t.Run("a restart with another subscription rebalances", func(t *testing.T) {
		s, _, _ := stableGroup(t)
		again := s.static("b")
		again.req.Protocols = []Protocol{{"range", subscription("other")}}
		again.join()
		s.wantState(preparing)
	})
	t.Run("a restart before the sync rebalances", func(t *testing.T) {
		s, a, b := stableGroup(t)
		a.join()
		b.join()
		s.wantState(completing)
		again := s.static("b")
		again.join()
		s.wantState(preparing)
		a.join()
		again.wantJoined(a.generation, a)
	})
	t.Run("an absent static member stays until its session ends", func(t *testing.T) {
		s, a, b := stableGroup(t)
		a.req.RebalanceTimeout, b.req.RebalanceTimeout = 6*time.Second, 6*time.Second
		settle(a, b)
		a.join()
		s.pass(7 * time.Second)
		a.wantJoined(b.generation+1, a)
		if n := len(a.joined.Members); n != 2 {
			t.Errorf("%d members, want the absent one too", n)
		}
	})
	t.Run("with only absent static members no generation begins", func(t *testing.T) {
		s, a, b := stableGroup(t)
		c := s.client("c")
		c.req.RebalanceTimeout = time.Second
		c.join()
		generation := a.generation
		wantErr(t, "leave", c.leave(), nil)
		for range 8 {
			s.pass(9 * time.Second)
			a.heartbeat()
			b.heartbeat()
		}
		s.wantState(preparing)
		a.join()
		b.join()
		a.wantJoined(generation+1, a)
	})
	t.Run("an administrator removes one by its instance", func(t *testing.T) {
		s, _, b := stableGroup(t)
		id := b.req.MemberID
		b.req.MemberID = ""
		wantErr(t, "leave", b.leave(), nil)
		b.req.MemberID = id
		wantErr(t, "heartbeat", b.heartbeat(), kerr.UnknownMemberID)
		s.wantState(preparing)
	})
}

func TestOffsets(t *testing.T) {
	t.Run("members commit in their generation", func(t *testing.T) {
		s, a, b := two(t)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		if got := s.committed("g"); got != 7 {
			t.Errorf("committed %d", got)
		}
		old := a.ref()
		old.Generation--
		wantErr(t, "old generation", s.commit(old, 8), kerr.IllegalGeneration)
		wantErr(t, "nobody", s.commit(MemberRef{Group: "g", Generation: -1}, 8), kerr.UnknownMemberID)
		wantErr(t, "unknown member", s.commit(MemberRef{"g", a.generation, "who", ""}, 8), kerr.UnknownMemberID)
		wantErr(t, "unknown group", s.commit(MemberRef{"no", 1, "who", ""}, 8), kerr.IllegalGeneration)
		before := a.ref()
		a.join()
		wantErr(t, "while members join", s.commit(before, 9), nil)
		b.join()
		wantErr(t, "before the sync", s.commit(a.ref(), 10), kerr.RebalanceInProgress)
		if got := s.committed("g"); got != 9 {
			t.Errorf("committed %d", got)
		}
	})
	t.Run("without a group", func(t *testing.T) {
		s := newSim(t, quick())
		if got := s.committed("simple"); got != -1 {
			t.Errorf("an unknown group has offset %d", got)
		}
		wantErr(t, "commit", s.commit(MemberRef{Group: "simple", Generation: -1}, 3), nil)
		if got := s.committed("simple"); got != 3 {
			t.Errorf("committed %d", got)
		}
	})
	t.Run("long metadata", func(t *testing.T) {
		s := newSim(t, quick())
		var got []error
		s.do(func(m *machine) {
			m.commit(CommitRequest{MemberRef: MemberRef{Group: "x", Generation: -1}, Retention: -1, Offsets: []OffsetCommit{
				{TopicPartition: TopicPartition{"t", 0}, Offset: 1, Metadata: string(make([]byte, 4097))},
				{TopicPartition: TopicPartition{"t", 1}, Offset: 1},
			}}, func(r []error, _ error) { got = r })
		})
		if diff := cmp.Diff([]error{kerr.OffsetMetadataTooLarge, nil}, got, cmpopts.EquateErrors()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an append that fails is no success", func(t *testing.T) {
		s := newSim(t, quick())
		var got error
		s.m.commit(CommitRequest{MemberRef: MemberRef{Group: "x", Generation: -1}, Offsets: []OffsetCommit{{}}}, func(_ []error, err error) { got = err })
		s.release(kerr.CoordinatorNotAvailable)
		wantErr(t, "commit", got, kerr.CoordinatorNotAvailable)
	})
	t.Run("deleting", func(t *testing.T) {
		s, a, _ := two(t)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		del := func(tp ...TopicPartition) (got []error) {
			s.do(func(m *machine) { m.deleteOffsets("g", tp, func(r []error, _ error) { got = r }) })
			return got
		}
		if diff := cmp.Diff([]error{kerr.GroupSubscribedToTopic, nil}, del(TopicPartition{"t", 0}, TopicPartition{"u", 0}), cmpopts.EquateErrors()); diff != "" {
			t.Error(diff)
		}
		s.pass(20 * time.Second)
		s.pass(2 * time.Minute)
		if diff := cmp.Diff([]error{nil}, del(TopicPartition{"t", 0}), cmpopts.EquateErrors()); diff != "" {
			t.Error(diff)
		}
		if s.restart(); s.committed("g") != -1 {
			t.Error("the offset came back")
		}
	})
	t.Run("of deleted topics", func(t *testing.T) {
		s := newSim(t, quick())
		wantErr(t, "commit", s.commit(MemberRef{Group: "simple", Generation: -1}, 3), nil)
		s.do(func(m *machine) { m.dropOffsets(func(topic string) bool { return topic == "t" }) })
		if s.restart(); s.committed("simple") != -1 {
			t.Error("the offset is still there")
		}
	})
}

func TestExpiry(t *testing.T) {
	const day = 24 * time.Hour
	t.Run("offsets outlive the last member by the retention", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.req.SessionTimeout = 30 * time.Minute
		settle(a)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		for range 10 * 24 * 3 {
			s.pass(20 * time.Minute)
			a.heartbeat()
		}
		a.leave()
		s.pass(6 * day)
		if s.committed("g") != 7 {
			t.Fatal("expired early")
		}
		s.restart()
		s.pass(day + time.Hour)
		if s.committed("g") != -1 {
			t.Error("not expired")
		}
		wantErr(t, "describe", s.state("g").Err, kerr.GroupIDNotFound)
	})
	t.Run("topics nobody consumes expire under a live group", func(t *testing.T) {
		s := newSim(t, quick())
		a := s.client("a")
		a.req.SessionTimeout = 30 * time.Minute
		a.req.Protocols = []Protocol{{"range", subscription("u")}}
		settle(a)
		wantErr(t, "commit", s.commit(a.ref(), 7), nil)
		for range 7 * 24 * 3 {
			s.pass(20 * time.Minute)
			a.heartbeat()
		}
		s.pass(20 * time.Minute)
		if s.committed("g") != -1 {
			t.Error("not expired")
		}
		s.wantState(stable)
	})
	t.Run("an explicit expiry of -1 is none", func(t *testing.T) {
		s := newSim(t, quick())
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset, v.CommitTimestamp, v.ExpireTimestamp = 1, 4, s.now.UnixMilli(), -1
		s.log = []record{{offsetKey("g", TopicPartition{"t", 0}), v.AppendTo(nil)}}
		s.restart()
		s.pass(day)
		if s.committed("g") != 4 {
			t.Error("expired early")
		}
	})
	t.Run("a commit's own retention", func(t *testing.T) {
		s := newSim(t, quick())
		s.do(func(m *machine) {
			m.commit(CommitRequest{MemberRef: MemberRef{Group: "g", Generation: -1}, Retention: time.Hour,
				Offsets: []OffsetCommit{{TopicPartition: TopicPartition{"t", 0}, Offset: 2}}}, func([]error, error) {})
		})
		s.restart()
		s.pass(50 * time.Minute)
		if s.committed("g") != 2 {
			t.Error("expired early")
		}
		s.pass(time.Hour)
		if s.committed("g") != -1 {
			t.Error("not expired")
		}
	})
}

func TestAdmin(t *testing.T) {
	s, a, _ := two(t)
	d := s.state("g")
	if d.Protocol != "range" || d.ProtocolType != consumerType || len(d.Members) != 2 || len(d.Members[0].Metadata) == 0 || string(d.Members[0].Assignment) != "for a" {
		t.Errorf("%+v", d)
	}
	a.join()
	if d = s.state("g"); d.State != string(preparing) || d.Protocol != "" || len(d.Members) != 2 || d.Members[0].Metadata != nil {
		t.Errorf("%+v", d)
	}
	if d = s.state("no"); d.State != string(dead) || !errors.Is(d.Err, kerr.GroupIDNotFound) {
		t.Errorf("%+v", d)
	}
	wantErr(t, "commit", s.commit(MemberRef{Group: "simple", Generation: -1}, 3), nil)
	var list []Listing
	s.do(func(m *machine) { m.list(func(l []Listing, _ error) { list = l }) })
	if diff := cmp.Diff([]Listing{{"g", consumerType, string(preparing)}, {"simple", "", string(empty)}}, list); diff != "" {
		t.Error(diff)
	}
	del := func(group string) (got error) {
		s.do(func(m *machine) { m.delete(group, func(err error) { got = err }) })
		return got
	}
	wantErr(t, "delete a group with members", del("g"), kerr.NonEmptyGroup)
	wantErr(t, "delete an unknown group", del("no"), kerr.GroupIDNotFound)
	wantErr(t, "delete", del("simple"), nil)
	s.restart()
	wantErr(t, "describe", s.state("simple").Err, kerr.GroupIDNotFound)
}

func TestReload(t *testing.T) {
	s, a, b := two(t)
	wantErr(t, "commit", s.commit(a.ref(), 7), nil)
	s.pass(8 * time.Second)
	s.restart()
	s.wantState(stable)
	s.pass(9 * time.Second) // full sessions again
	wantErr(t, "heartbeat", a.heartbeat(), nil)
	wantErr(t, "heartbeat", b.heartbeat(), nil)
	if got := s.committed("g"); got != 7 {
		t.Errorf("committed %d", got)
	}
	b.sync(nil)
	if string(b.synced.Assignment) != "for b" {
		t.Errorf("%+v", b.synced)
	}
	if known, err := s.m.load([]byte{0, 3, 1, 2}, nil); known || err != nil {
		t.Errorf("a newer kind of key: known %t, %v", known, err)
	}
	for _, bad := range []record{{[]byte{0}, nil}, {[]byte{0, 1, 0, 9}, nil}, {groupKey("g"), []byte{0}}, {offsetKey("g", TopicPartition{}), []byte{0, 3}}} {
		if _, err := s.m.load(bad.key, bad.value); err == nil {
			t.Errorf("no error for %x %x", bad.key, bad.value)
		}
	}
	wantErr(t, "heartbeat after damaged records", a.heartbeat(), nil)
}

func FuzzLoad(f *testing.F) {
	g := newGroup("g", time.UnixMilli(1))
	g.members["m"] = &member{id: "m", instanceID: "i", protocols: []Protocol{{"p", []byte("x")}}}
	r := g.metadataRecord()
	f.Add(r.key, r.value)
	o := offsetRecord("g", TopicPartition{"t", 1}, committed{offset: 1})
	f.Add(o.key, o.value)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m := newMachine(quick(), time.UnixMilli(1_700_000_000_000), func() string { return "x" })
		if _, err := m.load(key, value); err != nil {
			return
		}
		m.loaded()
		m.now = m.now.Add(30 * 24 * time.Hour)
		m.tick()
		for _, r := range m.take().records {
			if _, err := m.load(r.key, r.value); err != nil {
				t.Error(err)
			}
		}
	})
}
