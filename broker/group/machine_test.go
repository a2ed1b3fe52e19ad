package group

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

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

func TestRestartWithMembersOfAnEarlierLife(t *testing.T) {
	s := newSim(t, quick())
	a, b := s.client("a"), s.client("b")
	b.req.ClientHost = "/memory-1-before"
	settle(a)
	b.join()
	settle(a, b)
	s.gone = func(host string) bool { return host == "/memory-1-before" }
	s.restart()
	s.pass(time.Millisecond)
	s.wantState(preparing)
	wantErr(t, "heartbeat of a", a.heartbeat(), kerr.RebalanceInProgress)
	wantErr(t, "heartbeat of b", b.heartbeat(), kerr.UnknownMemberID)
}
