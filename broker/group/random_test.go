package group

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// robot is a client that follows the protocol, one step at a time.
type robot struct {
	*client
	parked bool // a join or sync is unanswered
	member bool // it has an assignment of its generation
	alive  bool
	lastHB time.Time
}

// step does what a client in this state does next.
func (r *robot) step() {
	switch {
	case r.parked:
		switch {
		case r.joined != nil && r.synced == nil && !r.member:
			r.parked = false
			r.afterJoin()
		case r.synced != nil:
			r.parked = false
			r.afterSync()
		}
	case !r.member:
		r.synced = nil
		r.join()
		if r.parked = r.joined == nil; !r.parked {
			r.afterJoin()
		}
	default:
		r.lastHB = r.s.now
		r.lost(r.heartbeat())
	}
}

func (r *robot) afterJoin() {
	if r.joined.Err != nil {
		r.lost(r.joined.Err)
		return
	}
	assignments := make(map[string][]byte)
	for _, m := range r.joined.Members {
		assignments[m.MemberID] = fmt.Appendf(nil, "%d %s", r.generation, cmp.Or(m.InstanceID, m.MemberID)) // a new process takes over the old one's
	}
	if r.joined.SkipAssignment {
		assignments = nil
	}
	r.sync(assignments)
	if r.parked = r.synced == nil; !r.parked {
		r.afterSync()
	}
}

func (r *robot) afterSync() {
	if r.synced.Err != nil {
		r.lost(r.synced.Err)
		return
	}
	r.member = true
}

// lost reacts to an error as clients do.
func (r *robot) lost(err error) {
	if err == nil {
		return
	}
	r.member = false
	if errors.Is(err, kerr.UnknownMemberID) {
		r.req.MemberID = ""
	}
}

// TestRandomClients lets robots join, die, leave, come back and stand still in random order, with reloads of the
// coordinator in between. Once they are left in peace the group must be stable with exactly those that live.
func TestRandomClients(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			settings := quick()
			if seed%3 == 0 {
				settings.InitialRebalanceDelay = 3 * time.Second
			}
			s := newSim(t, settings)
			var robots []*robot
			add := func(c *client) {
				c.req.RebalanceTimeout = 20 * time.Second
				robots = append(robots, &robot{client: c, alive: true})
			}
			for range 200 {
				switch n := rnd.IntN(20); {
				case n == 0 && len(robots) < 8:
					add(s.client(fmt.Sprint("c", len(robots))))
				case n == 1 && len(robots) < 8:
					add(s.static(fmt.Sprint("s", len(robots))))
				case n == 2 && len(robots) > 0: // dies, or a new process takes the place
					r := robots[rnd.IntN(len(robots))]
					r.alive = false
					if r.req.InstanceID != "" && rnd.IntN(2) == 0 {
						add(s.static(r.req.InstanceID))
					}
				case n == 3 && len(robots) > 0:
					if r := robots[rnd.IntN(len(robots))]; r.alive && r.member {
						_ = r.leave() // fenced members get an error
						r.alive = false
					}
				case n == 4 && rnd.IntN(5) == 0: // the coordinator moves
					s.m.unload(kerr.NotCoordinator)
					s.release(nil)
					s.restart()
				case n < 8:
					s.pass(time.Duration(rnd.IntN(5000)) * time.Millisecond)
				case len(robots) > 0:
					if r := robots[rnd.IntN(len(robots))]; r.alive {
						r.step()
					}
				}
			}
			add(s.client("last"))
			for range 120 { // peace, long enough for sessions and joins to end
				s.pass(time.Second)
				for _, r := range robots {
					if r.alive {
						r.step()
					}
				}
			}
			want := make(map[string]bool)
			for _, r := range robots {
				if r.alive && (r.joined == nil || !errors.Is(r.joined.Err, kerr.FencedInstanceID)) {
					if !r.member {
						t.Errorf("%s is no member: joined %+v, synced %+v", r.req.ClientID, r.joined, r.synced)
						continue
					}
					want[r.req.MemberID] = true
					if a := fmt.Sprintf("%d %s", r.generation, cmp.Or(r.req.InstanceID, r.req.MemberID)); r.synced.Err == nil && string(r.synced.Assignment) != a {
						t.Errorf("%s has assignment %q, want %q", r.req.ClientID, r.synced.Assignment, a)
					}
				}
			}
			d := s.state("g")
			if d.State != string(stable) || len(d.Members) != len(want) {
				t.Errorf("group is %s with %d members, want Stable with %d", d.State, len(d.Members), len(want))
			}
			for _, m := range d.Members {
				if !want[m.MemberID] {
					t.Errorf("%s is a member", m.MemberID)
				}
			}
			before := s.m.groups["g"]
			s.restart() // what is on disk is what was in memory
			after := s.m.groups["g"]
			if after == nil || after.generation != before.generation || len(after.members) != len(before.members) || after.leader != before.leader {
				t.Errorf("after a reload: %+v, before: %+v", after, before)
			}
		})
	}
}
