package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Node is one member, voter or learner. Run is its goroutine; the other methods may be called from any goroutine.
type Node struct {
	cfg     Config
	storage *storage
	raft    *raft.RawNode

	proposals   chan proposal
	messages    chan *pb.Message
	compactions chan compaction
	tasks       chan func() // run by Run, for what is asked seldom
	updates     chan Update
	done        chan struct{} // closed when Run returns

	role    atomic.Pointer[Role]
	members atomic.Pointer[Members]

	// pending is what updates has not taken yet. It shares its bytes with the entries raft keeps anyway.
	pending []Update
	// applied is the newest index in pending or beyond.
	applied uint64
	// changed: members is not reported yet.
	changed bool
	// asked is true between CompactionDue and the call of Compact.
	asked bool
}

type proposal struct {
	term   uint64
	data   [][]byte
	answer chan error
}

type compaction struct {
	index uint64
	state []byte
}

const (
	electionTicks  = 10
	messageQueue   = 1024
	maxMessageSize = 1 << 20
	maxUncommitted = 64 << 20
	// noSpaceRetry is how long a full disk is left alone.
	noSpaceRetry = 500 * time.Millisecond
)

// Open reads the member's directory, or makes it that of a new one. Call Run, or Close.
func Open(cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := openStorage(cfg)
	if err != nil {
		return nil, err
	}
	_, conf, err := s.InitialState()
	if err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	n := &Node{
		cfg: cfg, storage: s,
		proposals: make(chan proposal), messages: make(chan *pb.Message, messageQueue),
		compactions: make(chan compaction), tasks: make(chan func()), updates: make(chan Update), done: make(chan struct{}),
		applied: s.snapshot,
	}
	if err := n.checkMembers(membersOf(conf)); err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	n.setMembers(conf)
	n.role.Store(&Role{Self: cfg.ID})
	n.raft, err = raft.NewRawNode(&raft.Config{
		ID: cfg.ID, ElectionTick: electionTicks, HeartbeatTick: 1, Storage: s, Applied: s.snapshot,
		MaxSizePerMsg: maxMessageSize, MaxInflightMsgs: 64, MaxUncommittedEntriesSize: maxUncommitted,
		CheckQuorum: true, PreVote: true, DisableProposalForwarding: true, Logger: raftLogger{cfg.Logger},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("quorum: start raft: %w", err), s.log.Close())
	}
	return n, nil
}

// Updates is what happened, in order, beginning with the snapshot on disk. One reader must keep taking from it while Run
// runs.
func (n *Node) Updates() <-chan Update { return n.updates }

// Role is this node's present part.
func (n *Node) Role() Role { return *n.role.Load() }

// Propose appends entries in order, atomically each, if this node leads term. A nil error means that they are in this
// node's log to be: they come out of Updates in this order with Term == term, or a Role update says that the
// leadership of term was lost, and then their fate is open. Errors: ErrNotLeader, ErrBusy (of several entries the
// first ones may have been accepted: the *AcceptedError counts them), ErrClosed, or the context's.
func (n *Node) Propose(ctx context.Context, term uint64, data ...[]byte) error {
	p := proposal{term: term, data: data, answer: make(chan error, 1)}
	select {
	case n.proposals <- p:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.done:
		return ErrClosed
	}
	return <-p.answer
}

// AcceptedError says that only the first Accepted entries of a Propose were taken.
type AcceptedError struct {
	Accepted int
	Err      error
}

func (e *AcceptedError) Error() string {
	return fmt.Sprintf("%d entries accepted, then: %v", e.Accepted, e.Err)
}
func (e *AcceptedError) Unwrap() error { return e.Err }

// Compact answers CompactionDue: state is the snapshot of everything up to index.
func (n *Node) Compact(ctx context.Context, index uint64, state []byte) {
	select {
	case n.compactions <- compaction{index, state}:
	case <-ctx.Done():
	case <-n.done:
	}
}

// Receive takes a message of another voter. It does not block: raft repeats what is lost.
func (n *Node) Receive(message []byte) error {
	m := new(pb.Message)
	if err := proto.Unmarshal(message, m); err != nil {
		return fmt.Errorf("quorum: decode message: %w", err)
	}
	if m.GetTo() != n.cfg.ID || raft.IsLocalMsg(m.GetType()) {
		return fmt.Errorf("quorum: message of type %s for voter %d arrived at voter %d", m.GetType(), m.GetTo(), n.cfg.ID)
	}
	select {
	case n.messages <- m:
	default:
	}
	return nil
}

// Close gives a node's files back that never ran. After Run there is nothing left to close.
func (n *Node) Close() error { return n.storage.close() }

// Run drives the voter until ctx ends or its disk fails, and closes its files.
func (n *Node) Run(ctx context.Context) (err error) {
	defer close(n.done)
	defer func() { err = errors.Join(err, n.storage.close()) }()
	snap, err := n.storage.Snapshot()
	if err != nil {
		return fmt.Errorf("quorum: first snapshot: %w", err)
	}
	n.changed = false
	n.push(Update{Snapshot: exported(snap), Members: n.members.Load()})
	if slices.Equal(n.members.Load().Voters, []uint64{n.cfg.ID}) {
		// Nobody else could lead: do not wait for a timeout.
		if err := n.raft.Campaign(); err != nil {
			return fmt.Errorf("quorum: campaign: %w", err)
		}
	}
	ticker := time.NewTicker(n.cfg.TickInterval)
	defer ticker.Stop()
	for {
		if err := n.advance(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		var out chan<- Update
		var first Update
		if len(n.pending) > 0 {
			out, first = n.updates, n.pending[0]
		}
		select {
		case <-ctx.Done():
			return nil
		case out <- first:
			n.pending[0] = Update{}
			n.pending = n.pending[1:]
		case <-ticker.C:
			n.raft.Tick()
		case m := <-n.messages:
			n.stepAll(m)
		case p := <-n.proposals:
			p.answer <- n.propose(p)
		case c := <-n.compactions:
			if err := n.compact(c); err != nil {
				return err
			}
		case f := <-n.tasks:
			f()
		}
	}
}

// stepAll gives m and what else has arrived to raft, so that one sync covers it all.
func (n *Node) stepAll(m *pb.Message) {
	for range messageQueue {
		if err := n.raft.Step(m); err != nil {
			n.cfg.Logger.Debug("raft message dropped", "from", m.GetFrom(), "type", m.GetType().String(), "err", err)
		}
		select {
		case m = <-n.messages:
		default:
			return
		}
	}
}

func (n *Node) propose(p proposal) error {
	status := n.raft.BasicStatus()
	if status.RaftState != raft.StateLeader || status.HardState.GetTerm() != p.term {
		return ErrNotLeader
	}
	for i, data := range p.data {
		if len(data) > MaxEntry {
			return &AcceptedError{i, fmt.Errorf("quorum: proposal of %d bytes, at most %d are allowed", len(data), MaxEntry)}
		}
		if err := n.raft.Propose(data); err != nil {
			return &AcceptedError{i, ErrBusy}
		}
	}
	return nil
}

// advance handles everything raft has ready, in the order safety needs: save, sync, then send and report.
func (n *Node) advance(ctx context.Context) error {
	for n.raft.HasReady() {
		rd := n.raft.Ready()
		if err := n.save(ctx, rd); err != nil {
			return err
		}
		n.send(rd.Messages)
		if err := n.applyMembers(rd); err != nil {
			return err
		}
		n.report(rd)
		n.raft.Advance(rd)
	}
	return nil
}

// save retries while the disk is full: raft's state allows no step back, so the voter stands still meanwhile.
func (n *Node) save(ctx context.Context, rd raft.Ready) error {
	for {
		err := n.storage.save(rd)
		if err == nil || !noSpace(err) {
			return err
		}
		n.cfg.Logger.Error("metadata log waits for disk space", "dir", n.cfg.Dir, "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(noSpaceRetry):
		}
	}
}

func (n *Node) send(messages []*pb.Message) {
	for _, m := range messages {
		if n.cfg.Transport == nil {
			continue // to a member that is only just being added
		}
		b, err := proto.Marshal(m)
		if err != nil {
			n.cfg.Logger.Error("raft message not sent", "to", m.GetTo(), "err", err)
			continue
		}
		n.cfg.Transport.Send(m.GetTo(), b)
		if m.GetType() == pb.MsgSnap {
			// Said too early on purpose: raft then probes, and sends the snapshot again if it was lost.
			n.raft.ReportSnapshot(m.GetTo(), raft.SnapshotFinish)
		}
	}
}

// report queues what a Ready brought for the reader of Updates.
func (n *Node) report(rd raft.Ready) {
	var u Update
	if !raft.IsEmptySnap(rd.Snapshot) {
		u.Snapshot = exported(rd.Snapshot)
		n.applied = u.Snapshot.Index
	}
	ownEntry := false // an entry of the present term: nothing older is missing
	status := n.raft.BasicStatus()
	term := status.HardState.GetTerm()
	for _, e := range rd.CommittedEntries {
		n.applied = e.GetIndex()
		ownEntry = ownEntry || e.GetTerm() == term
		if e.GetType() == pb.EntryNormal && len(e.GetData()) > 0 { // raft begins each term with an empty entry
			u.Entries = append(u.Entries, Entry{e.GetIndex(), e.GetTerm(), e.GetData()})
		}
	}
	was := *n.role.Load()
	is := Role{Term: term, Self: n.cfg.ID, Leader: status.Lead}
	is.Leading = status.RaftState == raft.StateLeader && (ownEntry || was.Leading && was.Term == term)
	if is != was {
		n.role.Store(&is)
		u.Role = &is
	}
	n.push(u)
}

func (n *Node) push(u Update) {
	if n.changed {
		u.Members, n.changed = n.members.Load(), false
	}
	if !n.asked && n.storage.compactionDue(n.applied) {
		u.CompactionDue, u.Applied, n.asked = true, n.applied, true
	}
	if u.Snapshot != nil || len(u.Entries) > 0 || u.Role != nil || u.Members != nil || u.CompactionDue {
		n.pending = append(n.pending, u)
	}
}

func (n *Node) compact(c compaction) error {
	n.asked = false
	if c.index > n.applied {
		return fmt.Errorf("quorum: snapshot at %d, but only %d is applied", c.index, n.applied)
	}
	if err := n.storage.compact(c.index, c.state); err != nil {
		if noSpace(err) {
			n.cfg.Logger.Error("metadata snapshot not written", "dir", n.cfg.Dir, "err", err)
			return nil
		}
		return err
	}
	n.push(Update{}) // another one may be due: see setConf
	return nil
}

func exported(s *pb.Snapshot) *Snapshot {
	return &Snapshot{Index: s.GetMetadata().GetIndex(), Term: s.GetMetadata().GetTerm(), Data: s.GetData()}
}
