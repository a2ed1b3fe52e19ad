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
	// Leader is whether this member decides.
	Leader bool
}

// A Membership takes part in a group.
type Membership interface {
	// Join enters the group; assignments then come through changed, which must not block, until ctx ends.
	Join(ctx context.Context, changed func(Assignment)) error
	// Rebalance tells the group that connectors or tasks changed.
	Rebalance(connectors []string, tasks []assign.Task)
	// Current is the last assignment.
	Current() Assignment
}

// Solo is a group with one member. The zero Solo is ready.
type Solo struct {
	mu      sync.Mutex
	changed func(Assignment)
	current Assignment
}

var _ Membership = (*Solo)(nil)

// Join implements Membership.
func (s *Solo) Join(_ context.Context, changed func(Assignment)) error {
	s.mu.Lock()
	s.changed = changed
	s.current.Leader = true
	a := s.current
	s.mu.Unlock()
	changed(a)
	return nil
}

const me = "me"

// Rebalance implements Membership: everything is ours, at once.
func (s *Solo) Rebalance(connectors []string, tasks []assign.Task) {
	s.mu.Lock()
	s.current.Work = assign.Assign([]string{me}, connectors, tasks, map[string]assign.Work{me: s.current.Work})[me]
	a, changed := s.current, s.changed
	s.mu.Unlock()
	if changed != nil {
		changed(a)
	}
}

// Current implements Membership.
func (s *Solo) Current() Assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}
