package membership_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/runtime/assign"
	"millrace/runtime/membership"
)

var timing = membership.Timing{
	Session: 10 * time.Second, Shutdown: 5 * time.Second, Heartbeat: 3 * time.Second, Retry: time.Second,
	SyncBackoff: 200 * time.Millisecond, SyncLeave: time.Minute,
}

// A step is an input at a time and what must come of it.
type step struct {
	at   time.Duration
	in   membership.Input
	want []membership.Output
}

func TestMember(t *testing.T) {
	epoch := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	work := assign.Work{Connectors: []string{"c"}, Tasks: []assign.Task{{Connector: "c", ID: 0}, {Connector: "c", ID: 1}}}
	rest := assign.Work{Connectors: []string{"c"}, Tasks: []assign.Task{{Connector: "c", ID: 0}}}
	gone := assign.Work{Tasks: []assign.Task{{Connector: "c", ID: 1}}}
	type (
		in  = membership.Input
		out = []membership.Output
	)
	const first = "first join"
	join := func(id string, w assign.Work, gen int32, reason, leader string) membership.Output {
		j := membership.Join{MemberID: id, Owned: w, Reason: reason, Generation: gen, Leader: leader}
		if leader != "" {
			j.LeaderURL = "u"
		}
		return j
	}
	share := membership.Share{Version: 2, Leader: "l", LeaderURL: "u", ConfigOffset: 7, Assigned: work}
	// joined brings a follower with work into the group, at second 0.
	joined := []step{
		{0, membership.Tick{}, out{join("", assign.Work{}, -1, first, "")}},
		{0, membership.Joined{Err: kerr.MemberIDRequired, MemberID: "m"}, out{join("m", assign.Work{}, -1, first, "")}},
		{0, membership.Joined{MemberID: "m", Generation: 3, Sent: at(0)}, out{membership.Sync{MemberID: "m", Generation: 3}}},
		{0, membership.Synced{Share: share, Sent: at(0)}, out{membership.CatchUp{Offset: 7}}},
		{0, membership.CaughtUp{}, out{membership.Take{Generation: 3, Work: work, LeaderURL: "u", Reason: first}}},
		{0, membership.Settled{}, nil},
	}
	beat := membership.Beat{MemberID: "m", Generation: 3}
	lost := func(reason string) membership.Output {
		return membership.Take{Generation: 3, Lost: true, Reason: reason}
	}
	tests := map[string][]step{
		"heartbeats": {
			{2 * time.Second, membership.Tick{}, nil},
			{3 * time.Second, membership.Tick{}, out{beat}},
			{4 * time.Second, membership.Beaten{MemberID: "m", Sent: at(3 * time.Second)}, nil},
			{6 * time.Second, membership.Tick{}, out{beat}},
		},
		"silence ends the work in time for it to stop": {
			{3 * time.Second, membership.Tick{}, out{beat}},
			{4900 * time.Millisecond, membership.Tick{}, nil},
			{5 * time.Second, membership.Tick{}, out{lost("heard nothing of the group")}},
			// It is the same member until the group says otherwise.
			{6 * time.Second, membership.Settled{}, out{join("m", assign.Work{}, 3, "heard nothing of the group", "l")}},
		},
		"another round": {
			{3 * time.Second, membership.Tick{}, out{beat}},
			{3 * time.Second, membership.Beaten{MemberID: "m", Err: kerr.RebalanceInProgress, Sent: at(3 * time.Second)}, out{join("m", work, 3, "others joined or left", "l")}},
			{4 * time.Second, membership.Joined{MemberID: "m", Generation: 4, Sent: at(3 * time.Second)}, out{membership.Sync{MemberID: "m", Generation: 4}}},
			{4 * time.Second, membership.Synced{Share: membership.Share{Leader: "l", LeaderURL: "u", Revoked: gone}, Sent: at(4 * time.Second)}, out{membership.CatchUp{}}},
			{4 * time.Second, membership.CaughtUp{}, out{membership.Take{Generation: 4, Work: rest, LeaderURL: "u", Reason: "others joined or left"}}},
			// What was revoked is told once it has stopped.
			{5 * time.Second, membership.Tick{}, nil},
			{5 * time.Second, membership.Settled{}, out{join("m", rest, 4, "work was given back", "l")}},
		},
		"a round that is missed keeps the work": {
			{3 * time.Second, membership.Tick{}, out{beat}},
			{3 * time.Second, membership.Beaten{MemberID: "m", Err: kerr.IllegalGeneration}, out{join("m", work, 3, "a round was missed", "l")}},
		},
		"a member that is not known": {
			{3 * time.Second, membership.Tick{}, out{beat}},
			{3 * time.Second, membership.Beaten{MemberID: "m", Err: kerr.UnknownMemberID}, out{lost("the group does not know this member")}},
			{3 * time.Second, membership.Settled{}, out{join("", assign.Work{}, -1, "the group does not know this member", "l")}},
		},
		"a delay": {
			{time.Second, membership.Rejoin{Reason: "r"}, out{join("m", work, 3, "r", "l")}},
			{time.Second, membership.Joined{MemberID: "m", Generation: 4, Sent: at(time.Second)}, out{membership.Sync{MemberID: "m", Generation: 4}}},
			{time.Second, membership.Synced{Share: membership.Share{Leader: "l", LeaderURL: "u", Delay: 2 * time.Second}, Sent: at(time.Second)}, out{membership.CatchUp{}}},
			{time.Second, membership.CaughtUp{}, out{membership.Take{Generation: 4, Work: work, LeaderURL: "u", Reason: "r"}}},
			{time.Second, membership.Settled{}, nil},
			{3 * time.Second, membership.Tick{}, out{join("m", work, 4, "a delay is over", "l")}},
		},
		"the coordinator is away for a moment": {
			{time.Second, membership.Rejoin{Reason: "r"}, out{join("m", work, 3, "r", "l")}},
			{time.Second, membership.Joined{Err: errors.New("connection refused")}, nil},
			{2 * time.Second, membership.Tick{}, out{join("m", work, 3, "r", "l")}},
		},
		"leaving": {
			{time.Second, membership.Leave{}, out{lost("leaves the group")}},
			{2 * time.Second, membership.Settled{}, out{membership.Depart{MemberID: "m"}}},
			{9 * time.Second, membership.Tick{}, nil},
			{9 * time.Second, membership.Return{}, out{join("", assign.Work{}, -1, "comes back", "l")}},
		},
		"the leader decides": {
			{time.Second, membership.Rejoin{Reason: "r"}, out{join("m", work, 3, "r", "l")}},
			{time.Second, membership.Joined{MemberID: "m", Generation: 4, Leader: true, Sent: at(time.Second)}, out{membership.Decide{Generation: 4, Decided: 3}}},
			{time.Second, membership.Decided{}, out{membership.Sync{MemberID: "m", Generation: 4, Leader: true}}},
		},
		"eager members put everything down first": {
			{time.Second, membership.Rejoin{Reason: "r"}, out{join("m", work, 3, "r", "l")}},
			{time.Second, membership.Joined{MemberID: "m", Generation: 4, Eager: true, Sent: at(time.Second)}, out{membership.Sync{MemberID: "m", Generation: 4}}},
			{time.Second, membership.Synced{Share: membership.Share{Leader: "l", LeaderURL: "u", Assigned: rest}, Sent: at(time.Second)}, out{membership.CatchUp{}}},
			{time.Second, membership.CaughtUp{}, out{membership.Take{Generation: 4, Work: rest, LeaderURL: "u", Reason: "r"}}},
			{time.Second, membership.Settled{}, nil},
			{2 * time.Second, membership.Rejoin{Reason: "s"}, out{membership.Take{Generation: 4, Lost: true, Reason: "s"}}},
			{2 * time.Second, membership.Settled{}, out{join("m", assign.Work{}, 4, "s", "l")}},
		},
		"no right to join": {
			{time.Second, membership.Rejoin{Reason: "r"}, out{join("m", work, 3, "r", "l")}},
			{time.Second, membership.Joined{Err: kerr.GroupAuthorizationFailed}, out{membership.Fail{Err: kerr.GroupAuthorizationFailed}}},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			m := membership.NewMember(timing)
			for i, s := range append(joined[:len(joined):len(joined)], steps...) {
				got := m.Step(at(s.at), s.in)
				if diff := cmp.Diff(s.want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) })); diff != "" {
					t.Fatalf("step %d, %T at %s (-want +got):\n%s", i, s.in, s.at, diff)
				}
			}
		})
	}
}

func TestMember_cannot_catch_up(t *testing.T) {
	m := membership.NewMember(timing)
	now := time.Unix(1000, 0)
	m.Step(now, membership.Tick{})
	for try := 1; ; try++ {
		m.Step(now, membership.Joined{MemberID: "m", Generation: int32(try), Sent: now})
		m.Step(now, membership.Synced{Sent: now})
		out := m.Step(now, membership.CaughtUp{Err: errors.New("late")})
		if try < 5 {
			if len(out) > 0 {
				t.Fatalf("try %d: %v", try, out)
			}
			now = now.Add(timing.SyncBackoff)
			if out = m.Step(now, membership.Tick{}); len(out) != 1 {
				t.Fatalf("try %d: %v, want a join", try, out)
			}
			continue
		}
		want := []membership.Output{membership.Take{Generation: 5, Lost: true, Reason: "the config topic cannot be read"}, membership.Depart{MemberID: "m"}}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Fatalf("after %d tries (-want +got):\n%s", try, diff)
		}
		m.Step(now, membership.Settled{})
		if out := m.Step(now.Add(timing.SyncLeave-1), membership.Tick{}); len(out) > 0 {
			t.Fatalf("joins too early: %v", out)
		}
		if out := m.Step(now.Add(timing.SyncLeave), membership.Tick{}); len(out) != 1 {
			t.Fatalf("does not join: %v", out)
		}
		return
	}
}
