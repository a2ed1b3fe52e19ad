package membership

import (
	"context"
	"sync"

	"millrace/runtime/assign"
)

// An Assignment is one member's work in one generation.
type Assignment struct {
	// Generation counts the assignments of the group; status records carry it.
	Generation int32
	Work       assign.Work
	// Leader is whether this member decides; LeaderURL is where the one who does answers, "" if that is not known.
	Leader    bool
	LeaderURL string
	// Lost is that the member is not in the group, or not sure of it: it has no work.
	Lost bool
	// Owners are where work is, by member's address, as far as the leader knows; nil for others.
	Owners map[assign.Task]string
	// Reason is why the group met.
	Reason string
}

// A Worker is what a member takes part for. Its methods may be called from any goroutine.
type Worker interface {
	// Work is what there is to run, and the offset of the config topic that says so.
	Work() (offset int64, connectors []string, tasks []assign.Task)
	// CatchUp reads the internal topics to their end.
	CatchUp(ctx context.Context) error
	// Idle reports whether work of a member that has left (task -1: the connector) was put down by it.
	Idle(assign.Task) bool
	// Suspend is called before a round: it returns when the worker writes nothing more as the group's leader, or soon.
	Suspend(ctx context.Context)
	// Assigned takes a new assignment and does not block; settled is closed when nothing runs that is not assigned.
	Assigned(a Assignment) (settled <-chan struct{})
}

// A Membership takes part in a group.
type Membership interface {
	// Join enters the group for w; assignments then come until Leave.
	Join(w Worker)
	// Changed tells the group that connectors or tasks changed.
	Changed()
	// Rebalance has the group meet.
	Rebalance(reason string)
	// Leave puts down all work and leaves the group; Join comes back.
	Leave()
}

// Solo is a group with one member. The zero Solo is ready.
type Solo struct {
	mu      sync.Mutex
	worker  Worker
	current assign.Work
}

var _ Membership = (*Solo)(nil)

// Join implements Membership.
func (s *Solo) Join(w Worker) {
	s.mu.Lock()
	s.worker = w
	s.mu.Unlock()
	s.Changed()
}

const me = "me"

// Changed implements Membership: everything is ours, at once.
func (s *Solo) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.worker == nil {
		return
	}
	_, connectors, tasks := s.worker.Work()
	s.current = assign.Assign([]string{me}, connectors, tasks, map[string]assign.Work{me: s.current})[me]
	s.worker.Assigned(Assignment{Leader: true, Work: s.current})
}

// Rebalance implements Membership: there is nobody to meet.
func (s *Solo) Rebalance(string) {}

// Leave implements Membership.
func (s *Solo) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worker
	s.worker, s.current = nil, assign.Work{}
	if w != nil {
		w.Assigned(Assignment{Lost: true, Reason: "leaves the group"})
	}
}
