package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/broker/metadata"
	"millrace/broker/quorum"
)

// Controller decides and publishes the cluster's metadata on this node. Run is its goroutine; all other methods may be
// called from any goroutine while Run runs.
//
// Every command waits until its records are committed, applied, and seen by every subscriber of this node; its error is
// ErrNotController, ErrTimeout (the context ended; the change may still happen), ErrBusy or ErrClosed.
type Controller struct {
	cfg         Config
	decider     decider
	commands    chan *command
	done        chan struct{} // closed when Run returns
	published   atomic.Pointer[metadata.Image]
	state       atomic.Pointer[state]
	registered  atomic.Int64 // this node's broker epoch, 0 before it has one
	subscribers []func(old, next *metadata.Image)

	// The rest belongs to Run.

	role quorum.Role
	// live is set for good when the log has been read to its end: before, the image is one of the past, with topics that
	// are gone and without topics that are there, and nobody must act on it.
	live bool
	// shown is the image that the subscribers saw last.
	shown *metadata.Image
	// image is everything committed, tip is image plus the records in flight: what decisions are based on.
	image, tip *metadata.Image
	// inflight are the proposals of role.Term in log order.
	inflight []*proposal
	members  quorum.Members
	// changing is closed at the next change of state: see Changed.
	changing chan struct{}
}

// state is what others may know between two images.
type state struct {
	leader  metadata.BrokerID
	newest  *metadata.Image
	members quorum.Members
	changed chan struct{}
}

// command is one call: decide fills in the caller's answer and returns the records it needs. finish, if set, completes
// the answer from the image that has them.
type command struct {
	decide func(d *decider, im *metadata.Image) []metadata.Record
	finish func(im *metadata.Image)
	// refusal is an answer for the command as a whole that decide came to; there are no records then.
	refusal error
	answer  chan error
}

// proposal is one entry on its way, and the commands that are answered when it is committed.
type proposal struct {
	records  []metadata.Record
	commands []*command
}

// maxCommands is how many waiting commands share one round, and so one sync.
const maxCommands = 256

// New makes a controller. Subscribe, then call Run.
func New(cfg Config) (*Controller, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Controller{
		cfg: cfg,
		decider: decider{partitions: cfg.NumPartitions, replication: cfg.ReplicationFactor, rand: cfg.Rand, static: cfg.Static,
			self: cfg.NodeID, voters: cfg.Voters, sessions: sessions{timeout: cfg.SessionTimeout}, now: time.Now},
		commands: make(chan *command),
		done:     make(chan struct{}),
		image:    metadata.NewImage(),
	}
	c.tip, c.shown = c.image, c.image
	c.published.Store(c.image)
	c.note()
	return c, nil
}

// Image returns the newest image that every subscriber has seen.
func (c *Controller) Image() *metadata.Image { return c.published.Load() }

// Subscribe calls f for each change of the image, in order, beginning with the change from an empty image to the
// present one. Calls come from one goroutine, and a command is answered only after f returned for its change: when
// CreateTopics returns, the partitions that f opened are there. f must not call commands. Subscribe before Run.
func (c *Controller) Subscribe(f func(old, next *metadata.Image)) {
	c.subscribers = append(c.subscribers, f)
}

// Run decides and publishes until ctx ends. An error means that the log cannot be followed: it holds what this release
// does not understand, or belongs to another cluster.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var balancing sync.WaitGroup
	defer balancing.Wait()
	defer cancel()
	defer close(c.done)
	balancing.Go(func() { c.balance(ctx, balanceInterval(c.cfg.Static)) })
	var ticker *time.Ticker
	for {
		var tick <-chan time.Time
		if c.role.Leading && c.several() {
			if ticker == nil {
				ticker = time.NewTicker(c.cfg.SessionTimeout / 8)
				defer ticker.Stop()
			}
			tick = ticker.C
		}
		commands := c.commands
		if c.role.Leader == 0 || c.role.Leader == c.role.Self && !c.role.Leading {
			commands = nil // an election is on: let them wait
		}
		select {
		case <-ctx.Done():
			c.failInflight(ErrClosed)
			return nil
		case u := <-c.cfg.Quorum.Updates():
			if err := c.update(ctx, u); err != nil {
				c.failInflight(ErrClosed)
				return err
			}
		case cmd := <-commands:
			c.round(ctx, cmd)
		case <-tick:
			c.expire(ctx)
			c.reconcile(ctx)
		}
	}
}

// several reports whether there are other nodes to watch over. Alone, a controller has no clock.
func (c *Controller) several() bool {
	return len(c.members.Voters)+len(c.members.Learners) > 1 || len(c.image.Brokers()) > 1 || len(c.image.Members()) > 1
}

// note makes the state known that leader and image are in.
func (c *Controller) note() {
	leader := metadata.NoBroker
	if c.role.Leader != 0 && (c.role.Leading || c.role.Leader != c.role.Self) {
		leader = c.image.NodeOfRaftID(c.role.Leader)
	}
	was := c.changing
	c.changing = make(chan struct{})
	c.state.Store(&state{leader, c.image, c.members, c.changing})
	if was != nil {
		close(was)
	}
}

// Leader returns the active controller's node, or NoBroker during an election.
func (c *Controller) Leader() metadata.BrokerID { return c.state.Load().leader }

// Changed returns a channel that is closed when leader, members or image change after the call.
func (c *Controller) Changed() <-chan struct{} { return c.state.Load().changed }

// Newest is the newest image, perhaps one of the past that nobody has seen yet: good for finding nodes, and for nothing else.
func (c *Controller) Newest() *metadata.Image { return c.state.Load().newest }

// Members are the members of the quorum.
func (c *Controller) Members() quorum.Members { return c.state.Load().members }

// Registered returns the epoch under which this node's broker is registered, and whether it is.
func (c *Controller) Registered() (epoch int64, ok bool) {
	epoch = c.registered.Load()
	return epoch, epoch != 0
}

// SetRegistered notes this node's broker epoch.
func (c *Controller) SetRegistered(epoch int64) { c.registered.Store(epoch) }

// AwaitIndex waits until Image includes index.
func (c *Controller) AwaitIndex(ctx context.Context, index uint64) error {
	for {
		changed := c.Changed()
		if c.Image().Index() >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx))
		case <-c.done:
			return ErrClosed
		}
	}
}

// round decides cmd and whatever else is waiting, and proposes the records in one go.
func (c *Controller) round(ctx context.Context, cmd *command) {
	if !c.role.Leading {
		cmd.answer <- ErrNotController
		return
	}
	var proposals []*proposal
	for range maxCommands {
		records := cmd.decide(&c.decider, c.tip)
		if cmd.refusal != nil {
			records = nil
		}
		if p, err := c.prepare(records, cmd, proposals); err != nil {
			cmd.answer <- err
		} else if p != nil {
			proposals = append(proposals, p)
		}
		select {
		case cmd = <-c.commands:
			continue
		default:
		}
		break
	}
	c.propose(ctx, proposals)
}

// prepare extends the tip by a command's records. Without records the command waits for what its answer was based on.
func (c *Controller) prepare(records []metadata.Record, cmd *command, round []*proposal) (*proposal, error) {
	if len(records) > 0 {
		tip, err := c.tip.Apply(c.tip.Index()+1, records)
		if err != nil {
			return nil, fmt.Errorf("controller decided on records that do not apply: %w", err)
		}
		c.tip = tip
		return &proposal{records, []*command{cmd}}, nil
	}
	waitFor := round
	if len(round) == 0 {
		waitFor = c.inflight
	}
	if len(waitFor) == 0 {
		c.answer(cmd)
	} else {
		p := waitFor[len(waitFor)-1]
		p.commands = append(p.commands, cmd)
	}
	return nil, nil
}

func (c *Controller) propose(ctx context.Context, proposals []*proposal) {
	if len(proposals) == 0 {
		return
	}
	data := make([][]byte, len(proposals))
	for i, p := range proposals {
		data[i] = metadata.AppendBatch(nil, p.records)
	}
	accepted := len(proposals)
	err := c.cfg.Quorum.Propose(ctx, c.role.Term, data...)
	if err != nil {
		accepted = 0
		if partly, ok := errors.AsType[*quorum.AcceptedError](err); ok {
			accepted = partly.Accepted
		}
	}
	c.inflight = append(c.inflight, proposals[:accepted]...)
	if err == nil {
		return
	}
	for _, p := range proposals[accepted:] {
		p.fail(proposeError(err))
	}
	c.tip = c.image
	for _, p := range c.inflight {
		// These applied before, in this order, so they do now.
		if tip, err := c.tip.Apply(c.tip.Index()+1, p.records); err == nil {
			c.tip = tip
		}
	}
}

func proposeError(err error) error {
	switch {
	case errors.Is(err, quorum.ErrNotLeader):
		return ErrNotController
	case errors.Is(err, quorum.ErrBusy):
		return ErrBusy
	case errors.Is(err, quorum.ErrClosed), errors.Is(err, context.Canceled):
		return ErrClosed
	}
	return err
}

func (p *proposal) fail(err error) {
	for _, cmd := range p.commands {
		cmd.answer <- err
	}
}

func (c *Controller) failInflight(err error) {
	for _, p := range c.inflight {
		p.fail(err)
	}
	c.inflight, c.tip = nil, c.image
}

func (c *Controller) answer(cmd *command) {
	if cmd.finish != nil && cmd.refusal == nil {
		cmd.finish(c.image)
	}
	cmd.answer <- cmd.refusal
}

// update applies what the quorum committed, shows it to the subscribers, publishes it, and answers.
func (c *Controller) update(ctx context.Context, u quorum.Update) error {
	if u.Snapshot != nil {
		c.image = metadata.NewImage()
		if len(u.Snapshot.Data) > 0 {
			var err error
			if c.image, err = metadata.Restore(u.Snapshot.Index, u.Snapshot.Data); err != nil {
				return err
			}
		}
	}
	own := 0
	for _, e := range u.Entries {
		records, err := metadata.DecodeBatch(e.Data)
		if err != nil {
			return fmt.Errorf("metadata log entry %d: %w", e.Index, err)
		}
		if c.image, err = c.image.Apply(e.Index, records); err != nil {
			return err
		}
		if e.Term == c.role.Term && own < len(c.inflight) {
			own++
		}
	}
	if id := c.image.ClusterID(); id != "" && c.cfg.ClusterID != "" && id != c.cfg.ClusterID {
		return fmt.Errorf("the metadata log belongs to cluster %s, this node to cluster %s; a data directory of another cluster was put in its place", id, c.cfg.ClusterID)
	}
	if u.Members != nil {
		c.members = *u.Members
	}
	b := c.image.Broker(c.cfg.NodeID)
	c.live = c.live || b != nil && b.Incarnation == c.cfg.Incarnation && b.Incarnation != [16]byte{}
	c.show()
	c.note()
	for _, p := range c.inflight[:own] {
		for _, cmd := range p.commands {
			c.answer(cmd)
		}
	}
	c.inflight = c.inflight[own:]
	if len(c.inflight) == 0 {
		c.tip = c.image
	}
	if u.CompactionDue {
		c.cfg.Quorum.Compact(ctx, u.Applied, c.image.Snapshot())
	}
	if u.Role != nil {
		if err := c.changeRole(ctx, *u.Role); err != nil {
			return err
		}
		c.show()
		c.note()
	}
	if u.Members != nil || len(u.Entries) > 0 || u.Role != nil {
		c.reconcile(ctx)
	}
	return nil
}

// show brings subscribers and callers of Image up to date.
func (c *Controller) show() {
	if !c.live || c.image == c.shown {
		return
	}
	for _, f := range c.subscribers {
		f(c.shown, c.image)
	}
	c.shown = c.image
	c.published.Store(c.image)
}

func (c *Controller) changeRole(ctx context.Context, role quorum.Role) error {
	if role.Term != c.role.Term || !role.Leading {
		c.failInflight(ErrNotController)
	}
	if role.Leading != c.role.Leading {
		c.cfg.Logger.Info("controller role changed", "leading", role.Leading, "term", role.Term)
	}
	if role.Leading && !c.role.Leading {
		c.decider.sessions.restart(c.image, c.decider.now())
	}
	c.role = role
	// A leader has everything that was committed before its term. On other nodes the registration of this process, which comes
	// after its start, shows that the image is one of the present.
	c.live = c.live || role.Leading
	if role.Leading && c.image.ClusterID() == "" {
		return c.formCluster(ctx)
	}
	if _, known := c.image.Member(c.cfg.NodeID); role.Leading && !known && c.cfg.Directory != (metadata.DirectoryID{}) {
		return c.formMembers(ctx) // a log from before members were recorded
	}
	return nil
}

// selfMember is the record of this node, which made its log itself.
func (c *Controller) selfMember() metadata.Record {
	return &metadata.MemberRecord{Node: c.cfg.NodeID, Directory: c.cfg.Directory, RaftID: c.role.Self, Voter: true}
}

func (c *Controller) formMembers(ctx context.Context) error {
	p, err := c.prepare([]metadata.Record{c.selfMember()}, &command{answer: make(chan error, 1)}, nil)
	if err != nil {
		return err
	}
	c.propose(ctx, []*proposal{p})
	return nil
}

// formCluster writes the first records of a new cluster.
func (c *Controller) formCluster(ctx context.Context) error {
	id := c.cfg.ClusterID
	if id == "" {
		var err error
		if id, err = metadata.NewClusterID(c.cfg.Rand); err != nil {
			return err
		}
	}
	records := []metadata.Record{&metadata.ClusterRecord{ClusterID: id}}
	if c.cfg.Directory != (metadata.DirectoryID{}) {
		records = append(records, c.selfMember())
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Features)) {
		records = append(records, &metadata.FeatureRecord{Name: name, Level: c.cfg.Features[name]})
	}
	p, err := c.prepare(records, &command{answer: make(chan error, 1)}, nil)
	if err != nil {
		return err
	}
	c.propose(ctx, []*proposal{p})
	return nil
}
