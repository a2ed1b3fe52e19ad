package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"millrace/plugins/clients"
	"millrace/runtime/assign"
	"millrace/runtime/membership"
	"millrace/runtime/state"
)

// groupWorker is the herder as its membership sees it.
type groupWorker struct{ h *herder }

var _ membership.Worker = groupWorker{}

// Work implements membership.Worker. The offset is taken first: what is known besides may be newer.
func (w groupWorker) Work() (offset int64, names []string, tasks []assign.Task) {
	offset, names = w.h.configs.Offset(), w.h.configs.Names()
	for _, name := range names {
		if c := w.h.configs.Connector(name); c != nil {
			for id := range c.Tasks {
				tasks = append(tasks, assign.Task{Connector: name, ID: id})
			}
		}
	}
	return offset, names, tasks
}

// CatchUp implements membership.Worker.
func (w groupWorker) CatchUp(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.h.configs.ReadToEnd(ctx) })
	g.Go(func() error { return w.h.statuses.ReadToEnd(ctx) })
	return g.Wait()
}

// Idle implements membership.Worker: a worker that says goodbye leaves the status UNASSIGNED, as Kafka Connect's does.
func (w groupWorker) Idle(t assign.Task) bool {
	st := w.h.statuses.Connector(t.Connector)
	if t.ID >= 0 {
		st = w.h.statuses.Task(t.Connector, t.ID)
	}
	return st == nil || st.State == string(StateUnassigned) || st.State == string(StateFailed)
}

// flushTimeout is how long a round waits for statuses to be written.
const flushTimeout = 2 * time.Second

// Suspend implements membership.Worker. The statuses of what was put down are in their topic before the group hears of it.
func (w groupWorker) Suspend(ctx context.Context) {
	w.h.turns.suspend(ctx)
	w.h.flushStatuses(ctx)
}

func (h *herder) flushStatuses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := h.statuses.Flush(ctx); err != nil {
		h.log.Warn("statuses are still being written", "err", err)
	}
}

// Assigned implements membership.Worker.
func (w groupWorker) Assigned(a membership.Assignment) <-chan struct{} {
	h := w.h
	lost := h.assigned(a)
	h.turns.assigned(a)
	if a.Leader {
		h.tidy()
	}
	if !a.Lost {
		h.readyOnce.Do(func() { close(h.ready) })
	}
	settled := make(chan struct{})
	if len(lost) == 0 {
		close(settled)
		return settled
	}
	go func() { // ends with the worker at the latest
		defer close(settled)
		for _, name := range lost {
			// What was queued before has stopped the work.
			if err := h.do(h.life, name, func(*instance) error { return nil }); err != nil {
				return
			}
		}
	}()
	return settled
}

// tidy looks at connectors and tasks that have a status and exist no more: their workers are done with them after a round.
func (h *herder) tidy() {
	for _, name := range h.statuses.Connectors() {
		c := h.configs.Connector(name)
		known := h.statuses.Tasks(name)
		if c == nil || len(known) > 0 && known[len(known)-1] >= len(c.Tasks) {
			h.reconcile(name)
		}
	}
}

// group makes the membership of a distributed worker.
func (r *Runtime) group(p *parts, cl clients.Config) error {
	opts, err := cl.Internal("connect-" + r.cfg.WorkerID)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, client.Close)
	cfg := r.cfg.group()
	cfg.Client, cfg.Log, cfg.Met = client, r.log, r.herder.metrics.met
	p.group, err = membership.NewGroup(cfg)
	p.member = p.group
	return err
}

// inGroup takes part in the group until the function that it returns is called, when the worker has put its work down.
func (p *parts) inGroup(ctx context.Context, g *errgroup.Group) (leave func(*herder)) {
	if p.group == nil {
		return func(*herder) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	g.Go(func() error {
		defer close(done)
		return p.group.Run(ctx)
	})
	return func(h *herder) {
		h.flushStatuses(ctx) // the leader sees that nothing of ours is worth waiting for
		cancel()
		<-done
	}
}

// group are the settings of the membership.
func (c *Config) group() membership.Config {
	v := c.Values
	delay := v.Millis("scheduled.rebalance.max.delay.ms")
	return membership.Config{
		GroupID: c.GroupID, URL: c.URL(), Protocol: v.String("connect.protocol"),
		Rebalance: v.Millis("rebalance.timeout.ms"), MaxDelay: delay, SyncTimeout: v.Millis("worker.sync.timeout.ms"),
		Timing: membership.Timing{
			Session: v.Millis("session.timeout.ms"), Heartbeat: v.Millis("heartbeat.interval.ms"), Shutdown: c.TaskShutdownTimeout,
			Retry: time.Second, SyncBackoff: max(delay/50, 100*time.Millisecond), SyncLeave: v.Millis("worker.unsync.backoff.ms"),
		},
	}
}

// URL is where other workers reach this one.
func (c *Config) URL() string {
	listener := advertisedListener(c.Values.List("listeners"), c.Values.String("rest.advertised.listener"))
	scheme, _, _ := strings.Cut(strings.ToLower(listener), ":")
	return scheme + "://" + c.WorkerID + "/"
}

// resolvable refuses to take part with connectors whose classes are not there: the group gives work to whomever it likes.
func (h *herder) resolvable(configs *state.Configs) error {
	var errs []error
	for _, name := range configs.Names() {
		c := configs.Connector(name)
		if c == nil {
			continue
		}
		if _, err := h.pluginOf(c.Config); err != nil {
			errs = append(errs, fmt.Errorf("connector %q: this worker has no class %q, so it cannot join group %s; add the plugin or delete the connector",
				name, c.Config.Strings()["connector.class"], h.cfg.GroupID))
		}
	}
	return errors.Join(errs...)
}
