package controller

import (
	"context"
	"slices"
	"time"

	"millrace/broker/metadata"
)

// Heartbeat is what a broker says of itself again and again.
type Heartbeat struct {
	ID    metadata.BrokerID
	Epoch int64
	// Seen is the index of the newest image that all parts of the broker have.
	Seen uint64
	// WantFence keeps a fenced broker fenced; WantShutdown says that the broker wants to stop and to lead nothing any more.
	WantFence, WantShutdown bool
}

// HeartbeatAnswer is what the controller thinks of a broker.
type HeartbeatAnswer struct{ CaughtUp, Fenced, MayShutDown bool }

// sessions knows when brokers were heard of last. Only the leader's count: they are no part of the metadata.
type sessions struct {
	timeout time.Duration
	heard   map[metadata.BrokerID]time.Time
}

// restart gives every broker a whole session: a new leader has heard of nobody yet.
func (s *sessions) restart(im *metadata.Image, now time.Time) {
	s.heard = make(map[metadata.BrokerID]time.Time)
	for _, b := range im.Brokers() {
		if !b.Fenced {
			s.heard[b.ID] = now
		}
	}
}

func (s *sessions) touch(id metadata.BrokerID, now time.Time) {
	if s.heard == nil {
		s.heard = make(map[metadata.BrokerID]time.Time)
	}
	s.heard[id] = now
}

func (s *sessions) live(id metadata.BrokerID, now time.Time) bool {
	t, ok := s.heard[id]
	return ok && now.Sub(t) < s.timeout
}

// expired lists the brokers whose session is over, self never: it is this process.
func (s *sessions) expired(im *metadata.Image, self metadata.BrokerID, now time.Time) []*metadata.Broker {
	return slices.DeleteFunc(im.Brokers(), func(b *metadata.Broker) bool {
		return b.Fenced || b.ID == self || s.live(b.ID, now)
	})
}

// registerBroker records a broker process, and what that means for its partitions. A process on the controller's own node has
// all metadata when the command is answered, so it is live at once; another one is fenced until it has caught up.
func (d *decider) registerBroker(im *metadata.Image, r Registration) ([]metadata.Record, error) {
	now := d.now()
	was := im.Broker(r.ID)
	self := r.ID == d.self
	if was != nil && was.Incarnation == r.Incarnation {
		d.sessions.touch(r.ID, now)
		if was.Rack == r.Rack && !(self && was.Fenced) && slices.Equal(was.Listeners, r.Listeners) {
			return nil, nil // a retry
		}
	} else if was != nil && !was.Fenced && !self && d.sessions.live(r.ID, now) {
		return nil, refuse(metadata.ErrDuplicateBroker, "Another process is registered as broker %d and alive.", r.ID)
	}
	d.sessions.touch(r.ID, now)
	records := []metadata.Record{&metadata.BrokerRecord{
		ID: r.ID, Incarnation: r.Incarnation, Rack: r.Rack, Listeners: r.Listeners, Fenced: !self, Directory: r.Directory,
	}}
	var none metadata.DirectoryID
	wiped := was != nil && was.Directory != none && r.Directory != none && was.Directory != r.Directory
	return append(records, d.brokerChanged(im, brokerChange{
		id: r.ID, live: self, restarted: was != nil && was.Incarnation != r.Incarnation, clean: r.CleanLogs && !wiped, wiped: wiped,
	})...), nil
}

// heartbeat renews a session, and changes the broker's state if that is due.
func (d *decider) heartbeat(im *metadata.Image, h Heartbeat) (HeartbeatAnswer, []metadata.Record, error) {
	b := im.Broker(h.ID)
	if b == nil || b.Epoch != h.Epoch {
		return HeartbeatAnswer{}, nil, refuse(metadata.ErrStaleBrokerEpoch, "Broker %d is not registered with epoch %d.", h.ID, h.Epoch)
	}
	d.sessions.touch(h.ID, d.now())
	next := b.Record()
	a := HeartbeatAnswer{CaughtUp: h.Seen >= uint64(b.Epoch)}
	next.Fenced = b.Fenced && (h.WantFence || !a.CaughtUp) || h.WantFence && !h.WantShutdown
	next.ShuttingDown = b.ShuttingDown || h.WantShutdown
	a.Fenced = next.Fenced
	// Who has seen the record that took its partitions away has stopped leading them.
	a.MayShutDown = h.WantShutdown && (b.Fenced || b.ShuttingDown)
	if next.Fenced == b.Fenced && next.ShuttingDown == b.ShuttingDown {
		return a, nil, nil
	}
	records := []metadata.Record{next}
	return a, append(records, d.brokerChanged(im, brokerChange{id: h.ID, live: !next.Fenced && !next.ShuttingDown})...), nil
}

// fenceBroker takes a broker out of service; of one process only, if an epoch is given.
func (d *decider) fenceBroker(im *metadata.Image, id metadata.BrokerID, epoch int64) []metadata.Record {
	b := im.Broker(id)
	if b == nil || b.Fenced || epoch != 0 && b.Epoch != epoch {
		return nil
	}
	delete(d.sessions.heard, id)
	next := b.Record()
	next.Fenced = true
	return append([]metadata.Record{next}, d.brokerChanged(im, brokerChange{id: id})...)
}

// unregisterBroker forgets a broker, and its node's part in the quorum.
func (d *decider) unregisterBroker(im *metadata.Image, id metadata.BrokerID) ([]metadata.Record, error) {
	b := im.Broker(id)
	switch {
	case b == nil:
		return nil, refuse(metadata.ErrUnknownBroker, "Broker ID %d not found", id)
	case id == d.self:
		return nil, refuse(metadata.ErrInvalidRequest, "Broker %d is the active controller; stop it first.", id)
	case !b.Fenced && d.sessions.live(id, d.now()):
		return nil, refuse(metadata.ErrInvalidRequest, "Broker %d is alive; stop it first.", id)
	}
	records := d.fenceBroker(im, id, 0)
	records = append(records, &metadata.RemoveBrokerRecord{ID: id})
	if _, ok := im.Member(id); ok {
		records = append(records, &metadata.RemoveMemberRecord{Node: id})
	}
	return records, nil
}

// RegisterBroker registers a broker process and returns its epoch. Its partitions without a leader get one, now or when it
// has caught up with the metadata.
func (c *Controller) RegisterBroker(ctx context.Context, r Registration) (epoch int64, err error) {
	result := make(chan int64, 1)
	cmd := &command{}
	cmd.decide = func(d *decider, im *metadata.Image) (records []metadata.Record) {
		records, cmd.refusal = d.registerBroker(im, r)
		return records
	}
	cmd.finish = func(im *metadata.Image) {
		if b := im.Broker(r.ID); b != nil {
			result <- b.Epoch
		}
	}
	if err := c.do(ctx, cmd); err != nil {
		return 0, err
	}
	return <-result, nil
}

// Heartbeat renews a broker's session.
func (c *Controller) Heartbeat(ctx context.Context, h Heartbeat) (HeartbeatAnswer, error) {
	return callOrRefuse(ctx, c, func(d *decider, im *metadata.Image) (HeartbeatAnswer, []metadata.Record, error) {
		return d.heartbeat(im, h)
	})
}

// BrokerDied takes a broker out of service whose process has ended.
func (c *Controller) BrokerDied(ctx context.Context, id metadata.BrokerID, epoch int64) error {
	c.cfg.Logger.Warn("broker process ended", "broker", id)
	return c.do(ctx, &command{decide: func(d *decider, im *metadata.Image) []metadata.Record {
		return d.fenceBroker(im, id, epoch)
	}})
}

// UnregisterBroker forgets a broker that is not alive.
func (c *Controller) UnregisterBroker(ctx context.Context, id metadata.BrokerID) error {
	_, err := callOrRefuse(ctx, c, func(d *decider, im *metadata.Image) (struct{}, []metadata.Record, error) {
		records, err := d.unregisterBroker(im, id)
		return struct{}{}, records, err
	})
	return err
}

// expire fences the brokers that were not heard of for a session.
func (c *Controller) expire(ctx context.Context) {
	for _, b := range c.decider.sessions.expired(c.tip, c.cfg.NodeID, c.decider.now()) {
		c.cfg.Logger.Warn("broker was not heard of within its session", "broker", b.ID, "session", c.cfg.SessionTimeout)
		c.round(ctx, &command{answer: make(chan error, 1), decide: func(d *decider, im *metadata.Image) []metadata.Record {
			return d.fenceBroker(im, b.ID, b.Epoch)
		}})
	}
}
