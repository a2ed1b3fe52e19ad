package group

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

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
