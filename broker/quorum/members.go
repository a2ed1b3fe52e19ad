package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Change is one step from the present members to others.
type Change struct {
	// Add makes ID a learner if it is no member or a voter, Promote a voter of a learner; Remove ends its membership.
	Kind ChangeKind
	ID   uint64
}

// ChangeKind is what a Change does.
type ChangeKind int

const (
	AddLearner ChangeKind = iota + 1
	Promote
	Remove
)

func (k ChangeKind) String() string {
	switch k {
	case AddLearner:
		return "add learner"
	case Promote:
		return "promote"
	case Remove:
		return "remove"
	}
	return fmt.Sprintf("ChangeKind(%d)", int(k))
}

var changeTypes = map[ChangeKind]pb.ConfChangeType{
	AddLearner: pb.ConfChangeAddLearnerNode, Promote: pb.ConfChangeAddNode, Remove: pb.ConfChangeRemoveNode,
}

// ErrChanging: a change of members is under way; the next one must wait for it.
var ErrChanging = errors.New("a change of the quorum's members is under way")

// ProposeChange proposes a change of members if this node leads term. It took effect when an Update has Members with it; if it
// never does, propose it again. Errors: ErrNotLeader, ErrClosed, or the context's.
func (n *Node) ProposeChange(ctx context.Context, term uint64, c Change) error {
	return n.ask(ctx, func() error {
		status := n.raft.BasicStatus()
		if status.RaftState != raft.StateLeader || status.HardState.GetTerm() != term {
			return ErrNotLeader
		}
		cc := &pb.ConfChange{Type: changeTypes[c.Kind].Enum(), NodeId: new(c.ID)}
		if err := n.raft.ProposeConfChange(cc); err != nil {
			return ErrBusy
		}
		return nil
	})
}

// Progress is how far a member's log is, as the leader knows it.
type Progress struct {
	// Match is the index up to which the member's log is known to be the leader's.
	Match uint64
	// Active: the member has been heard from within an election timeout.
	Active bool
	Voter  bool
}

// Status is a node's view of the quorum.
type Status struct {
	Term, Leader uint64
	// Commit is the end of what is agreed on, Last of this node's log.
	Commit, Last uint64
	// Progress has every member; nil on nodes that do not lead.
	Progress map[uint64]Progress
}

// Status asks the node how the quorum is.
func (n *Node) Status(ctx context.Context) (Status, error) {
	var s Status
	err := n.ask(ctx, func() error {
		basic := n.raft.BasicStatus()
		s.Term, s.Leader, s.Commit = basic.HardState.GetTerm(), basic.Lead, basic.HardState.GetCommit()
		var err error
		if s.Last, err = n.storage.LastIndex(); err != nil || basic.RaftState != raft.StateLeader {
			return err
		}
		s.Progress = make(map[uint64]Progress)
		n.raft.WithProgress(func(id uint64, typ raft.ProgressType, pr tracker.Progress) {
			s.Progress[id] = Progress{Match: pr.Match, Active: pr.RecentActive || id == n.cfg.ID, Voter: typ == raft.ProgressTypePeer}
		})
		return nil
	})
	return s, err
}

// HandOver asks the most advanced other voter to lead, if this node does. The next Role says whether it happened.
func (n *Node) HandOver(ctx context.Context) error {
	return n.ask(ctx, func() error {
		if n.raft.BasicStatus().RaftState != raft.StateLeader {
			return nil
		}
		var best, match uint64
		n.raft.WithProgress(func(id uint64, typ raft.ProgressType, pr tracker.Progress) {
			if typ == raft.ProgressTypePeer && id != n.cfg.ID && pr.RecentActive && pr.Match >= match {
				best, match = id, pr.Match
			}
		})
		if best != 0 {
			n.raft.TransferLeader(best)
		}
		return nil
	})
}

// LeaderDied tells the node that the process of the leader it knows has ended, so that it need not wait for a timeout: it
// grants votes at once, and with campaign set it asks for them.
func (n *Node) LeaderDied(ctx context.Context, leader uint64, campaign bool) error {
	return n.ask(ctx, func() error {
		lead := n.raft.BasicStatus().Lead
		if lead != leader && lead != 0 || leader == n.cfg.ID {
			return nil // another one leads already
		}
		if err := n.raft.ForgetLeader(); err != nil {
			return err
		}
		if campaign && slices.Contains(n.members.Load().Voters, n.cfg.ID) {
			return n.raft.Campaign()
		}
		return nil
	})
}

// Unreachable tells the node that a message to a member was lost.
func (n *Node) Unreachable(ctx context.Context, id uint64) {
	_ = n.ask(ctx, func() error { n.raft.ReportUnreachable(id); return nil }) // a hint: who is closing needs none
}

// ask has Run call f and returns what it says.
func (n *Node) ask(ctx context.Context, f func() error) error {
	answer := make(chan error, 1)
	select {
	case n.tasks <- func() { answer <- f() }:
		return <-answer
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.done:
		return ErrClosed
	}
}

// Members are the members that this node knows of.
func (n *Node) Members() Members { return *n.members.Load() }

func membersOf(conf *pb.ConfState) Members {
	m := Members{Voters: slices.Clone(conf.GetVoters()), Learners: slices.Clone(conf.GetLearners())}
	slices.Sort(m.Voters)
	slices.Sort(m.Learners)
	return m
}

func (n *Node) setMembers(conf *pb.ConfState) {
	m := membersOf(conf)
	n.members.Store(&m)
	n.changed = true
}

// checkMembers refuses a directory that cannot be this member's.
func (n *Node) checkMembers(m Members) error {
	if len(m.Voters) > 0 && !m.Has(n.cfg.ID) {
		return fmt.Errorf("quorum: %s belongs to a quorum of voters %v, this is voter %d; was the node id changed?", n.cfg.Dir, m.Voters, n.cfg.ID)
	}
	if len(m.Voters)+len(m.Learners) > 1 && n.cfg.Transport == nil {
		return fmt.Errorf("quorum: %s belongs to a quorum of %d members, which needs a transport", n.cfg.Dir, len(m.Voters)+len(m.Learners))
	}
	return nil
}

// applyMembers applies the changes of members in a Ready, in log order.
func (n *Node) applyMembers(rd raft.Ready) error {
	if !raft.IsEmptySnap(rd.Snapshot) {
		n.setMembers(rd.Snapshot.GetMetadata().GetConfState())
	}
	for _, e := range rd.CommittedEntries {
		var change pb.ConfChangeI
		var err error
		switch e.GetType() {
		case pb.EntryConfChange:
			cc := new(pb.ConfChange)
			err, change = proto.Unmarshal(e.GetData(), cc), cc
		case pb.EntryConfChangeV2:
			cc := new(pb.ConfChangeV2)
			err, change = proto.Unmarshal(e.GetData(), cc), cc
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("quorum: decode entry %d: %w", e.GetIndex(), err)
		}
		conf := n.raft.ApplyConfChange(change)
		n.storage.setConf(e.GetIndex(), conf)
		n.setMembers(conf)
	}
	return nil
}
