package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/runtime/assign"
)

// Config is the configuration of a Group.
type Config struct {
	// GroupID is group.id; URL is where the worker's REST API answers.
	GroupID, URL string
	// Protocol is connect.protocol: sessioned, compatible or eager.
	Protocol string
	// Rebalance is rebalance.timeout.ms, MaxDelay scheduled.rebalance.max.delay.ms, SyncTimeout worker.sync.timeout.ms.
	Rebalance, MaxDelay, SyncTimeout time.Duration
	Timing
	// Client reaches the log.
	Client *kgo.Client
	Log    *slog.Logger
	// Met hears of each round that this member took part in: why it was, and how long it took. May be nil.
	Met func(reason string, took time.Duration)
}

// Check refuses times that do not go together.
func (c *Config) Check() error {
	var errs []error
	if least := c.Shutdown + c.Heartbeat; c.Session <= least {
		errs = append(errs, fmt.Errorf("session.timeout.ms is %d, task.shutdown.graceful.timeout.ms %d and heartbeat.interval.ms %d: "+
			"the first must be above the sum of the others, so that a worker that lost its group stops its tasks before another has them",
			c.Session.Milliseconds(), c.Shutdown.Milliseconds(), c.Heartbeat.Milliseconds()))
	}
	if c.Rebalance <= c.Shutdown {
		errs = append(errs, fmt.Errorf("rebalance.timeout.ms is %d and task.shutdown.graceful.timeout.ms %d: the first must be above the second, "+
			"so that a worker that gives tasks back is not taken as lost meanwhile", c.Rebalance.Milliseconds(), c.Shutdown.Milliseconds()))
	}
	return errors.Join(errs...)
}

// A Group is a membership in a group of workers, by Kafka's group protocol: the requests, time and threads around a Member.
type Group struct {
	cfg    Config
	worker Worker
	joined chan struct{}
	once   sync.Once

	mu     sync.Mutex
	inputs []Input
	filled chan struct{}

	// What follows belongs to Run.
	planner assign.Planner
	round   *round
	// known is the work that the last round was about.
	known atomicWork
}

// A round is what is learned and decided in one. Its requests follow each other, so that nothing guards it.
type round struct {
	ctx    context.Context // of the requests
	cancel context.CancelFunc
	began  time.Time

	version int16
	me      string
	members []kmsg.JoinGroupResponseMember
	shares  []kmsg.SyncGroupRequestGroupAssignment
	owners  map[assign.Task]string
}

var _ Membership = (*Group)(nil)

// NewGroup returns a Group that is not running.
func NewGroup(cfg Config) (*Group, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	return &Group{cfg: cfg, joined: make(chan struct{}), filled: make(chan struct{}, 1)}, nil
}

// Join implements Membership.
func (g *Group) Join(w Worker) {
	g.once.Do(func() {
		g.worker = w
		close(g.joined)
	})
	g.put(Return{})
}

// Changed implements Membership: the group meets if it does not know of the work.
func (g *Group) Changed() {
	select {
	case <-g.joined:
	default:
		return
	}
	_, connectors, tasks := g.worker.Work()
	if g.known.set(connectors, tasks) {
		g.put(Rejoin{"connectors or tasks changed"})
	}
}

// Rebalance implements Membership.
func (g *Group) Rebalance(reason string) { g.put(Rejoin{reason}) }

// Leave implements Membership.
func (g *Group) Leave() { g.put(Leave{}) }

func (g *Group) put(in Input) {
	g.mu.Lock()
	g.inputs = append(g.inputs, in)
	g.mu.Unlock()
	select {
	case g.filled <- struct{}{}:
	default:
	}
}

func (g *Group) take() []Input {
	g.mu.Lock()
	defer g.mu.Unlock()
	in := g.inputs
	g.inputs = nil
	return in
}

// departTimeout bounds the goodbye of a member that ends.
const departTimeout = 2 * time.Second

// Run takes part in the group from Join until ctx ends, then says goodbye: by then the worker has put its work down.
func (g *Group) Run(ctx context.Context) error {
	select {
	case <-g.joined:
	case <-ctx.Done():
		return nil
	}
	var work sync.WaitGroup
	defer work.Wait()
	life, end := context.WithCancel(ctx)
	defer end()
	do := func(f func(ctx context.Context) Input) {
		work.Go(func() {
			if in := f(life); in != nil {
				g.put(in)
			}
		})
	}
	g.round = &round{ctx: life, cancel: func() {}}
	m := NewMember(g.cfg.Timing)
	step := func(in Input) error {
		for _, out := range m.Step(time.Now(), in) {
			if err := g.act(life, out, do); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		timer := time.NewTimer(time.Until(m.Next(time.Now())))
		select {
		case <-g.filled:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			end()
			g.depart(m.id)
			return nil
		}
		timer.Stop()
		for _, in := range append(g.take(), Tick{}) {
			if err := step(in); err != nil {
				return fmt.Errorf("group %s: %w", g.cfg.GroupID, err)
			}
		}
	}
}

func (g *Group) act(life context.Context, out Output, do func(func(context.Context) Input)) error {
	switch out := out.(type) {
	case Join:
		// A new round ends the old one, whose answers count no more.
		g.round.cancel()
		g.round = &round{began: time.Now()}
		g.round.ctx, g.round.cancel = context.WithCancel(life)
		g.inRound(do, func(r *round) Input { return g.join(r, out) })
	case Decide:
		g.inRound(do, func(r *round) Input { return g.decide(r, out) })
	case Sync:
		g.inRound(do, func(r *round) Input { return g.sync(r, out) })
	case CatchUp:
		g.inRound(do, func(r *round) Input { return CaughtUp{g.catchUp(r.ctx, out.Offset)} })
	case Beat:
		do(func(ctx context.Context) Input { return g.beat(ctx, out) })
	case Depart:
		do(func(context.Context) Input { g.depart(out.MemberID); return nil })
	case Take:
		a := Assignment{Generation: out.Generation, Work: out.Work, Leader: out.Leader, LeaderURL: out.LeaderURL, Lost: out.Lost, Reason: out.Reason}
		if out.Leader {
			a.Owners = g.round.owners
		}
		if out.Lost {
			g.cfg.Log.Warn("the worker has put its work down", "group", g.cfg.GroupID, "reason", out.Reason)
		} else {
			took := time.Since(g.round.began)
			g.cfg.Log.Info("the group of workers has met", "group", g.cfg.GroupID, "generation", out.Generation, "reason", out.Reason, "leader", out.LeaderURL,
				"connectors", len(out.Work.Connectors), "tasks", len(out.Work.Tasks), "duration", took.Round(time.Millisecond))
			if g.cfg.Met != nil {
				g.cfg.Met(out.Reason, took)
			}
		}
		settled := g.worker.Assigned(a)
		do(func(ctx context.Context) Input {
			select {
			case <-settled:
				return Settled{}
			case <-ctx.Done():
				return nil
			}
		})
	case Fail:
		return out.Err
	}
	return nil
}

// inRound does f for the round that is under way.
func (g *Group) inRound(do func(func(context.Context) Input), f func(*round) Input) {
	r := g.round
	do(func(context.Context) Input {
		if in := f(r); r.ctx.Err() == nil {
			return in
		}
		return nil
	})
}

// metadata is what the member tells.
func (g *Group) metadata(version int16, j Join) []byte {
	offset, connectors, tasks := g.worker.Work()
	g.known.set(connectors, tasks)
	m := Metadata{Version: version, URL: g.cfg.URL, ConfigOffset: offset}
	if !j.Owned.Empty() {
		m.Allocation = &Share{Version: version, Leader: j.Leader, LeaderURL: j.LeaderURL, ConfigOffset: offset, Assigned: j.Owned}
	}
	return m.Append(nil)
}

func (g *Group) join(r *round, j Join) Input {
	g.worker.Suspend(r.ctx)
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType, req.MemberID = g.cfg.GroupID, protocolType, j.MemberID
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(g.cfg.Session.Milliseconds()), int32(g.cfg.Rebalance.Milliseconds())
	req.Reason = &j.Reason
	for _, p := range offered(g.cfg.Protocol) {
		one := kmsg.NewJoinGroupRequestProtocol()
		one.Name, one.Metadata = p.name, g.metadata(p.version, j)
		req.Protocols = append(req.Protocols, one)
	}
	sent := time.Now()
	resp, err := req.RequestWith(r.ctx, g.cfg.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		if r.ctx.Err() == nil && err != kerr.MemberIDRequired {
			g.cfg.Log.Warn("the worker cannot join its group", "group", g.cfg.GroupID, "err", err)
		}
		in := Joined{Err: coded(err), Sent: sent}
		if resp != nil {
			in.MemberID = resp.MemberID
		}
		return in
	}
	var version int16 = -1
	for _, p := range offered(g.cfg.Protocol) {
		if resp.Protocol != nil && *resp.Protocol == p.name {
			version = p.version
		}
	}
	if version < 0 {
		return Joined{Err: kerr.InconsistentGroupProtocol}
	}
	r.version, r.me, r.members = version, resp.MemberID, resp.Members
	return Joined{MemberID: resp.MemberID, Generation: resp.Generation, Leader: resp.LeaderID == resp.MemberID, Eager: version == versionEager, Sent: sent}
}

// coded returns the error of a Kafka code bare, so that a Member can compare it.
func coded(err error) error {
	var k *kerr.Error
	if errors.As(err, &k) {
		return k
	}
	return err
}

func (g *Group) sync(r *round, s Sync) Input {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.Generation, req.MemberID = g.cfg.GroupID, s.Generation, s.MemberID
	kind, name := protocolType, protocolName(r.version)
	req.ProtocolType, req.Protocol = &kind, &name
	if s.Leader {
		req.GroupAssignment = r.shares
	}
	sent := time.Now()
	resp, err := req.RequestWith(r.ctx, g.cfg.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return Synced{Err: coded(err), Sent: sent}
	}
	share, err := ParseShare(resp.MemberAssignment)
	if err != nil {
		g.cfg.Log.Error("the group's leader has decided something that cannot be read", "group", g.cfg.GroupID, "err", err)
	}
	return Synced{Err: err, Share: share, Sent: sent}
}

func protocolName(version int16) string {
	for _, p := range offered(protocolSessioned) {
		if p.version == version {
			return p.name
		}
	}
	return ""
}

func (g *Group) beat(ctx context.Context, b Beat) Input {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = g.cfg.GroupID, b.Generation, b.MemberID
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Heartbeat)
	defer cancel()
	sent := time.Now()
	resp, err := req.RequestWith(ctx, g.cfg.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return Beaten{Err: coded(err), MemberID: b.MemberID, Sent: sent}
}

func (g *Group) depart(id string) {
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), departTimeout)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = g.cfg.GroupID, id
	one := kmsg.NewLeaveGroupRequestMember()
	reason := "the worker stops"
	one.MemberID, one.Reason = id, &reason
	req.Members = append(req.Members, one)
	resp, err := req.RequestWith(ctx, g.cfg.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		g.cfg.Log.Warn("the worker could not say goodbye to its group", "group", g.cfg.GroupID, "err", err)
	}
}

// catchUp reads the config topic until it has what a share is about.
func (g *Group) catchUp(ctx context.Context, offset int64) error {
	if have, _, _ := g.worker.Work(); have >= offset {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.SyncTimeout)
	defer cancel()
	err := g.worker.CatchUp(ctx)
	if have, _, _ := g.worker.Work(); err == nil && have < offset {
		err = fmt.Errorf("it ends at offset %d, another worker has read up to %d", have, offset)
	}
	if err != nil && ctx.Err() == nil {
		g.cfg.Log.Error("the worker cannot catch up with the config topic", "group", g.cfg.GroupID, "err", err)
	}
	return err
}

// decide makes the shares of all members, as the leader.
func (g *Group) decide(r *round, d Decide) Input {
	members := make(map[string]Metadata, len(r.members))
	most := int64(-1)
	for _, member := range r.members {
		m, err := ParseMetadata(member.ProtocolMetadata)
		if err != nil {
			g.cfg.Log.Error("a member tells something that cannot be read; it is taken to run nothing", "group", g.cfg.GroupID, "member", member.MemberID, "err", err)
		}
		members[member.MemberID] = m
		most = max(most, m.ConfigOffset)
	}
	base := Share{Version: r.version, Leader: r.me, LeaderURL: g.cfg.URL}
	ctx, cancel := context.WithTimeout(r.ctx, g.cfg.SyncTimeout)
	err := g.worker.CatchUp(ctx) // also for the statuses, which tell what lost members have put down
	cancel()
	offset, connectors, tasks := g.worker.Work()
	base.ConfigOffset = offset
	shares := make(map[string]Share, len(members))
	if err != nil || offset < most {
		g.cfg.Log.Warn("the leader has not read what another member has; the group meets again", "group", g.cfg.GroupID, "offset", offset, "others", most, "err", err)
		base.Error, base.ConfigOffset = errConfigMismatch, most
		for id := range members {
			shares[id] = base
		}
	} else {
		g.known.set(connectors, tasks)
		shares = g.plan(r, d, members, base, connectors, tasks)
	}
	for id, share := range shares {
		one := kmsg.NewSyncGroupRequestGroupAssignment()
		one.MemberID, one.MemberAssignment = id, share.Append(nil)
		r.shares = append(r.shares, one)
	}
	return Decided{}
}

func (g *Group) plan(r *round, d Decide, members map[string]Metadata, base Share, connectors []string, tasks []assign.Task) map[string]Share {
	round := assign.Round{
		Decided: d.Decided, Generation: d.Generation, Members: make(map[string]assign.Work), Places: make(map[string]string),
		Connectors: connectors, Tasks: tasks, Now: time.Now(), MaxDelay: g.cfg.MaxDelay, Idle: g.worker.Idle,
	}
	for id, m := range members {
		round.Places[id] = m.URL
		if a := m.Allocation; a != nil {
			round.Members[id] = a.Assigned
		} else {
			round.Members[id] = assign.Work{}
		}
	}
	changes, delay := g.planner.Plan(round)
	shares := make(map[string]Share, len(changes))
	owners := make(map[assign.Task]string)
	for id, c := range changes {
		share := base
		share.Assigned, share.Revoked, share.Delay = c.Assigned, c.Revoked, delay
		shares[id] = share
		c.Apply(round.Members[id]).Each(func(t assign.Task) { owners[t] = round.Places[id] })
	}
	r.owners = owners
	return shares
}

// atomicWork remembers a set of work.
type atomicWork struct {
	mu         sync.Mutex
	connectors []string
	tasks      []assign.Task
}

// set reports whether the work differs from what was set before.
func (w *atomicWork) set(connectors []string, tasks []assign.Task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Equal(w.connectors, connectors) && slices.Equal(w.tasks, tasks) {
		return false
	}
	w.connectors, w.tasks = connectors, tasks
	return true
}
