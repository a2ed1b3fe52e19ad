package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/peers"
)

// ErrKilled as the cause of the end of Run's context skips all farewells, as if the process had died. It is for tests.
var ErrKilled = errors.New("killed")

const (
	registerPause = 100 * time.Millisecond
	// probeTimeout bounds the look at a broker whose connection broke.
	probeTimeout = 500 * time.Millisecond
	// campaignPause is between forgetting a dead leader and asking for votes, and between asking again.
	campaignPause = 30 * time.Millisecond
	campaignTries = 6
	// leaveTimeout bounds a controlled shutdown.
	leaveTimeout = 5 * time.Second
	// leaderlessLeave is how long a stopping broker waits for a controller to say goodbye to.
	leaderlessLeave = time.Second
)

func newClusterID() (string, error) { return metadata.NewClusterID(rand.Reader) }

// anyController is the controller for parts that do not care on which node it is.
type anyController struct{ p *parts }

func (a anyController) Image() *metadata.Image { return a.p.controller.Image() }

func (a anyController) CreateTopics(ctx context.Context, topics []controller.NewTopic, validateOnly bool) ([]controller.CreatedTopic, error) {
	return a.p.api.CreateTopics(ctx, topics, validateOnly)
}

// join registers this process and waits until the cluster takes it for a live broker and this node knows it.
func (b *Broker) join(ctx context.Context, p *parts) error {
	if b.cfg.RegistrationTimeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, b.cfg.RegistrationTimeout,
			errors.New("initial.broker.registration.timeout.ms is over: no controller took this broker"))
		defer cancel()
	}
	for {
		if err := b.register(ctx, p); err != nil {
			return fmt.Errorf("register broker %d: %w", p.self, err)
		}
		for {
			changed := p.controller.Changed()
			if me := p.controller.Image().Broker(p.self); me != nil && me.Incarnation == p.incarnation && !me.Fenced {
				return nil
			}
			answer, err := b.beat(ctx, p, false)
			if again(err) {
				break
			}
			var pause <-chan time.Time
			if err != nil || answer.Fenced {
				pause = time.After(registerPause)
			}
			select {
			case <-changed:
			case <-pause:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// again reports whether an error of a heartbeat says that the broker has to register anew.
func again(err error) bool {
	return errors.Is(err, metadata.ErrStaleBrokerEpoch) || errors.Is(err, kerr.StaleBrokerEpoch)
}

// register tells the controller about this process, wherever it is, until it takes it.
func (b *Broker) register(ctx context.Context, p *parts) error {
	r := controller.Registration{
		ID: p.self, Incarnation: p.incarnation, Rack: b.cfg.Rack, Directory: p.directory, CleanLogs: p.logs.Clean(),
	}
	for _, e := range p.server.Endpoints() {
		r.Listeners = append(r.Listeners, metadata.Listener{
			Name: e.Listener, Host: e.Host, Port: e.Port, SecurityProtocol: "PLAINTEXT",
		})
	}
	for {
		changed := p.controller.Changed()
		leader := p.controller.Leader()
		var epoch int64
		err := error(controller.ErrNotController)
		if leader == p.self {
			epoch, err = p.controller.RegisterBroker(ctx, r)
		} else if leader != metadata.NoBroker {
			epoch, err = b.registerAt(ctx, p, leader, r)
		}
		if err == nil {
			p.controller.SetRegistered(epoch)
			return nil
		}
		if errors.Is(err, kerr.InconsistentClusterID) || errors.Is(err, controller.ErrClosed) {
			return err
		}
		var pause <-chan time.Time
		if leader != metadata.NoBroker {
			pause = time.After(registerPause)
		} else if b.cfg.others() > 0 {
			b.askAll(ctx, p) // whoever leads may not know where this node is now
			pause = time.After(helloTimeout)
		}
		select {
		case <-changed:
		case <-pause:
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), err)
		}
	}
}

func (b *Broker) registerAt(ctx context.Context, p *parts, leader metadata.BrokerID, r controller.Registration) (int64, error) {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version, req.BrokerID, req.ClusterID, req.IncarnationID = 4, int32(r.ID), p.logs.ClusterID(), r.Incarnation
	if r.Rack != "" {
		req.Rack = &r.Rack
	}
	req.LogDirs, req.PreviousBrokerEpoch = [][16]byte{r.Directory}, -1
	if was := p.controller.Newest().Broker(r.ID); r.CleanLogs && was != nil {
		req.PreviousBrokerEpoch = was.Epoch
	}
	for _, l := range r.Listeners {
		rl := kmsg.NewBrokerRegistrationRequestListener()
		rl.Name, rl.Host, rl.Port = l.Name, l.Host, l.Port
		req.Listeners = append(req.Listeners, rl)
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.SessionTimeout)
	defer cancel()
	answer, err := p.pool.Link("heartbeat", 1).Request(ctx, leader, req)
	if err != nil {
		return 0, err
	}
	resp := answer.(*kmsg.BrokerRegistrationResponse)
	return resp.BrokerEpoch, kerr.ErrorForCode(resp.ErrorCode)
}

// beat sends one heartbeat to the controller, which may be this node.
func (b *Broker) beat(ctx context.Context, p *parts, wantShutdown bool) (controller.HeartbeatAnswer, error) {
	epoch, _ := p.controller.Registered()
	seen := p.controller.Image().Index()
	leader := p.controller.Leader()
	switch leader {
	case metadata.NoBroker:
		return controller.HeartbeatAnswer{}, controller.ErrNotController
	case p.self:
		return p.controller.Heartbeat(ctx, controller.Heartbeat{ID: p.self, Epoch: epoch, Seen: seen, WantShutdown: wantShutdown})
	}
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset, req.WantShutdown = int32(p.self), epoch, int64(seen), wantShutdown
	ctx, cancel := context.WithTimeout(ctx, b.cfg.SessionTimeout/2)
	defer cancel()
	answer, err := p.pool.Link("heartbeat", 1).Request(ctx, leader, req)
	if err != nil {
		return controller.HeartbeatAnswer{}, err
	}
	resp := answer.(*kmsg.BrokerHeartbeatResponse)
	return controller.HeartbeatAnswer{CaughtUp: resp.IsCaughtUp, Fenced: resp.IsFenced, MayShutDown: resp.ShouldShutdown}, kerr.ErrorForCode(resp.ErrorCode)
}

// live keeps this node a live broker until ctx ends, then says goodbye. Alone, a node has nobody to tell.
func (b *Broker) live(ctx, below context.Context, p *parts) {
	var timer <-chan time.Time
	was := p.controller.Leader()
	for {
		changed := p.controller.Changed()
		leader := p.controller.Leader()
		me := p.controller.Image().Broker(p.self)
		fenced := me == nil || me.Fenced || me.Incarnation != p.incarnation
		if leader != metadata.NoBroker && (leader != p.self || fenced) && (timer == nil || leader != was || fenced) {
			pause := b.cfg.HeartbeatInterval
			answer, err := b.beat(ctx, p, false)
			if again(err) && ctx.Err() == nil {
				if err := b.register(ctx, p); err != nil && ctx.Err() == nil {
					b.log.Error("broker could not register again", "broker", p.self, "err", err)
				}
			}
			if err != nil || answer.Fenced {
				pause = registerPause
			}
			timer = time.After(pause)
		}
		if leader == p.self && was != p.self {
			b.lookAround(p)
		}
		if was = leader; leader == p.self && !fenced {
			timer = nil
		}
		select {
		case <-changed:
		case <-timer:
			timer = nil
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), ErrKilled) {
				b.leave(below, p)
			}
			return
		}
	}
}

// leave gives away what this node leads: its partitions, and the quorum.
func (b *Broker) leave(ctx context.Context, p *parts) {
	if len(p.controller.Image().Brokers()) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	began := time.Now()
	for b.cfg.ControlledShutdown {
		answer, err := b.beat(ctx, p, true)
		if answer.MayShutDown || again(err) {
			break
		}
		if p.controller.Leader() == metadata.NoBroker && time.Since(began) > leaderlessLeave {
			break // the others have stopped, too
		}
		select {
		case <-time.After(registerPause):
			continue
		case <-ctx.Done():
			b.log.Warn("stopping without having given away all leadership", "broker", p.self)
		}
		break
	}
	if p.controller.Leader() != p.self {
		return
	}
	if err := p.quorum.HandOver(ctx); err != nil {
		return
	}
	for ctx.Err() == nil {
		changed := p.controller.Changed()
		if leader := p.controller.Leader(); leader != p.self && leader != metadata.NoBroker {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// lookAfter sees whether a node is there to which a connection has ended. If nobody listens at its address any more its process is
// dead, and waiting for its session, or for a new leader until the old one is overdue, would only cost time.
func (b *Broker) lookAfter(p *parts, id metadata.BrokerID) {
	if !isDone(p.front.formed) || id == p.self {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	if _, looking := p.looking[id]; looking {
		p.looking[id] = true
		return
	}
	if p.looking == nil {
		p.looking = make(map[metadata.BrokerID]bool)
	}
	p.looking[id] = false
	p.reaching.Go(func() {
		for again := true; again; {
			b.look(p, id)
			p.mu.Lock()
			again = p.looking[id]
			if p.looking[id] = false; !again {
				delete(p.looking, id)
			}
			p.mu.Unlock()
		}
	})
}

func (b *Broker) look(p *parts, id metadata.BrokerID) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	registered := p.controller.Newest().Broker(id)
	_, err := greet(ctx, p.pool.Link(peers.Probe, 1), id, p.hello())
	if errors.Is(err, syscall.ECONNREFUSED) {
		b.nodeDied(ctx, p, id, registered)
	}
}

// nodeDied tells the controller, if that is here, and the quorum.
func (b *Broker) nodeDied(ctx context.Context, p *parts, id metadata.BrokerID, registered *metadata.Broker) {
	switch p.controller.Leader() {
	case p.self:
		if registered == nil || registered.Fenced {
			return
		}
		if err := p.controller.BrokerDied(ctx, id, registered.Epoch); err != nil {
			b.log.Debug("broker was not fenced", "broker", id, "err", err) // its session ends
		}
	case id:
		// The first of those that are left asks for votes; should it be gone too, raft's own clock goes on.
		first := metadata.NoBroker
		for _, raftID := range p.controller.Members().Voters {
			if n := p.controller.Newest().NodeOfRaftID(raftID); n != id && (first == metadata.NoBroker || n < first) {
				first = n
			}
		}
		b.log.Info("controller's process ended", "broker", id)
		b.leaderDied(ctx, p, first == p.self)
	}
}

// leaderDied makes the quorum forget its leader and, on the first of the others, ask for votes once they have had time to do so
// too: who still believes in a leader grants none.
func (b *Broker) leaderDied(ctx context.Context, p *parts, campaign bool) {
	dead := p.quorum.Role().Leader
	for try := range campaignTries {
		if err := p.quorum.LeaderDied(ctx, dead, campaign && try > 0); err != nil {
			b.log.Debug("the quorum was not told", "err", err)
			return
		}
		if !campaign {
			return
		}
		select {
		case <-time.After(campaignPause):
		case <-ctx.Done():
			return
		}
		if leader := p.quorum.Role().Leader; leader != 0 && leader != dead {
			return
		}
	}
}

// lookAround looks after all brokers: a new controller has heard of none of them.
func (b *Broker) lookAround(p *parts) {
	for _, other := range p.controller.Image().LiveBrokers() {
		b.lookAfter(p, other.ID)
	}
}
