package runtime

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/plugins"
	"millrace/plugins/clients"
	"millrace/runtime/assign"
	"millrace/runtime/internal/secrets"
	"millrace/runtime/membership"
	"millrace/runtime/state"
)

// herder is the Herder of a worker. It writes what it is asked for to the config topic; what comes back from there, by whichever
// worker it was written, sets the instances in motion: each compares what is wanted with what runs (decide) and acts.
type herder struct {
	cfg       Config
	log       *slog.Logger
	registry  *plugins.Registry
	validator Validator
	levels    LogLevels
	metrics   *metrics
	// secrets are the worker's own.
	secrets *secrets.Scrubber

	// begun is closed when the fields below are set, ready when the worker has its first work, ended when it is over.
	begun, ready, ended chan struct{}
	readyOnce           sync.Once
	*parts
	clients clients.Config
	// life bounds everything that instances do.
	life    context.Context
	endLife context.CancelFunc

	writes keyedLock
	turns  turns
	// forward reaches other workers; nil for a worker that is alone.
	forward *forwarding

	mu        sync.Mutex
	instances map[string]*instance
	owned     ownedWork
	closing   bool
}

var _ Herder = (*herder)(nil)

func newHerder(cfg Config, log *slog.Logger, registry *plugins.Registry, validator Validator, levels LogLevels) *herder {
	h := &herder{
		cfg: cfg, log: log, registry: registry, validator: validator, levels: levels, metrics: newMetrics(cfg.Metrics), secrets: workerSecrets(cfg),
		begun: make(chan struct{}), ready: make(chan struct{}), ended: make(chan struct{}), instances: make(map[string]*instance),
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(newStates(h))
	}
	return h
}

// ownedWork is the work assigned to this worker.
type ownedWork struct {
	generation int32
	leader     bool
	connectors map[string]bool
	tasks      map[assign.Task]bool
}

// errGone answers requests that come when the worker is over.
var errGone = errors.New("the worker is shutting down")

// await waits until the worker is ready.
func (h *herder) await(ctx context.Context) error {
	select {
	case <-h.ready:
		select {
		case <-h.ended:
			return errGone
		default:
			return nil
		}
	default:
	}
	select {
	case <-h.ready:
		return nil
	case <-h.ended:
		return errGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *herder) isReady() bool {
	select {
	case <-h.ready:
		return true
	default:
		return false
	}
}

func (h *herder) gone() { close(h.ended) }

// start begins: the stores are read, everything stored starts.
func (h *herder) start(p *parts, cl clients.Config) {
	h.parts, h.clients = p, cl
	h.life, h.endLife = context.WithCancel(context.Background())
	close(h.begun)
	h.member.Join(groupWorker{h})
	names := append(h.configs.Names(), h.statuses.Connectors()...) // those of the second kind were deleted before a crash
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		h.reconcile(name)
	}
}

// changed hears of the config topic.
func (h *herder) changed(c state.Change) {
	select {
	case <-h.begun:
	default:
		return // start looks at everything anyway
	}
	switch {
	case c.Logger != "":
		if h.levels != nil {
			if _, err := h.levels.SetLogger(h.life, c.Logger, c.Level); err != nil {
				h.log.Warn("log level for the cluster was not set", "logger", c.Logger, "level", c.Level, "err", err)
			}
		}
	case c.Restart != nil:
		h.enqueue(c.Connector, func(i *instance) { i.restart(*c.Restart) })
	default:
		h.member.Changed()
		h.reconcile(c.Connector)
	}
}

// assigned takes a new assignment; connectors whose work moved are looked at. lost are those that lost work.
func (h *herder) assigned(a membership.Assignment) (lost []string) {
	next := ownedWork{
		generation: a.Generation, leader: a.Leader,
		connectors: make(map[string]bool, len(a.Work.Connectors)), tasks: make(map[assign.Task]bool, len(a.Work.Tasks)),
	}
	for _, c := range a.Work.Connectors {
		next.connectors[c] = true
	}
	for _, t := range a.Work.Tasks {
		next.tasks[t] = true
	}
	h.mu.Lock()
	old := h.owned
	h.owned = next
	h.mu.Unlock()
	moved, less := make(map[string]bool), make(map[string]bool)
	diff(old.connectors, next.connectors, func(c string) { moved[c] = true; less[c] = less[c] || old.connectors[c] })
	diff(old.tasks, next.tasks, func(t assign.Task) { moved[t.Connector] = true; less[t.Connector] = less[t.Connector] || old.tasks[t] })
	for name := range moved {
		h.reconcile(name)
		if less[name] {
			lost = append(lost, name)
		}
	}
	return lost
}

func diff[K comparable](a, b map[K]bool, f func(K)) {
	for k := range a {
		if !b[k] {
			f(k)
		}
	}
	for k := range b {
		if !a[k] {
			f(k)
		}
	}
}

// work returns the current assignment.
func (h *herder) work() ownedWork {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.owned
}

func (h *herder) reconcile(name string) { h.enqueue(name, (*instance).reconcile) }

// enqueue hands f to the instance of a connector, which runs such functions one after the other.
func (h *herder) enqueue(name string, f func(*instance)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return
	}
	i := h.instances[name]
	if i == nil {
		i = newInstance(h, name)
		h.instances[name] = i
	}
	i.enqueue(f)
}

// do is enqueue that waits for f.
func (h *herder) do(ctx context.Context, name string, f func(*instance) error) error {
	result := make(chan error, 1)
	h.enqueue(name, func(i *instance) { result <- f(i) })
	select {
	case err := <-result:
		return err
	case <-h.ended:
		return errGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// forget drops an instance that has nothing left to do.
func (h *herder) forget(i *instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.instances[i.name] == i && i.idle() {
		delete(h.instances, i.name)
		h.metrics.forget(i.name)
	}
}

// stopAll stops every connector and task, all within the graceful time-out together.
func (h *herder) stopAll() {
	h.mu.Lock()
	h.closing = true
	instances := slices.Collect(maps.Values(h.instances))
	h.mu.Unlock()
	deadline := time.Now().Add(h.cfg.TaskShutdownTimeout)
	var wg sync.WaitGroup
	for _, i := range instances {
		wg.Go(func() { i.shutdown(deadline) })
	}
	wg.Wait()
	h.endLife()
}

// A keyedLock lets one holder in per name.
type keyedLock struct {
	mu    sync.Mutex
	locks map[string]*namedLock
}

type namedLock struct {
	token chan struct{}
	users int
}

func (k *keyedLock) lock(ctx context.Context, name string) (unlock func(), err error) {
	k.mu.Lock()
	l := k.locks[name]
	if l == nil {
		l = &namedLock{token: make(chan struct{}, 1)}
		if k.locks == nil {
			k.locks = make(map[string]*namedLock)
		}
		k.locks[name] = l
	}
	l.users++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, name)
		}
	}
	select {
	case l.token <- struct{}{}:
		return func() { <-l.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
