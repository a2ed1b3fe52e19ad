package quorum

import "slices"

// Update is what a node learned, in log order: first Snapshot, then Entries, then Role.
type Update struct {
	// Snapshot, if not nil, replaces all state. A node's first update is the snapshot it has on disk.
	Snapshot *Snapshot
	Entries  []Entry
	// Role, if not nil, is this node's new part in the quorum.
	Role *Role
	// Members, if not nil, is who the members are now.
	Members *Members
	// CompactionDue asks for a call of Compact with the state after the entries were applied, which is that at index Applied.
	CompactionDue bool
	Applied       uint64
}

// Members are the ids that have a copy of the log, sorted. Voters decide, learners follow.
type Members struct{ Voters, Learners []uint64 }

// Has reports whether id is a member.
func (m Members) Has(id uint64) bool {
	return slices.Contains(m.Voters, id) || slices.Contains(m.Learners, id)
}

// Entry is one committed proposal. Data must not be changed.
type Entry struct {
	Index, Term uint64
	Data        []byte
}

// Snapshot is the state at an index. Empty Data is the state before any entry.
type Snapshot struct {
	Index, Term uint64
	Data        []byte
}

// Role says who leads.
type Role struct {
	Term uint64
	// Self is this voter's id.
	Self uint64
	// Leader is the leader's voter id, 0 while unknown.
	Leader uint64
	// Leading is true when this node leads Term and every entry of earlier terms came out before this update, so decisions
	// can be made.
	Leading bool
}
