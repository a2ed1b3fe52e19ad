package runtime

import (
	"context"
	"crypto/rand"
	"encoding/base64"
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

	// ready is closed when the fields below are set, ended when the worker is over.
	ready, ended chan struct{}
	*parts
	clients clients.Config
	// life bounds everything that instances do.
	life    context.Context
	endLife context.CancelFunc

	writes keyedLock

	mu        sync.Mutex
	instances map[string]*instance
	owned     ownedWork
	closing   bool
}

var _ Herder = (*herder)(nil)

func newHerder(cfg Config, log *slog.Logger, registry *plugins.Registry, validator Validator, levels LogLevels) *herder {
	h := &herder{
		cfg: cfg, log: log, registry: registry, validator: validator, levels: levels, metrics: newMetrics(cfg.Metrics), secrets: workerSecrets(cfg),
		ready: make(chan struct{}), ended: make(chan struct{}), instances: make(map[string]*instance),
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
	close(h.ready)
	if err := h.member.Join(h.life, h.assigned); err != nil {
		h.log.Error("the worker cannot join its group", "err", err)
	}
	h.rebalance()
	names := append(h.configs.Names(), h.statuses.Connectors()...) // those of the second kind were deleted before a crash
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		h.reconcile(name)
	}
}

// changed hears of the config topic.
func (h *herder) changed(c state.Change) {
	if !h.isReady() {
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
		h.rebalance()
		h.reconcile(c.Connector)
	}
}

// rebalance tells the group what there is to do.
func (h *herder) rebalance() {
	names := h.configs.Names()
	var tasks []assign.Task
	for _, name := range names {
		if c := h.configs.Connector(name); c != nil {
			for id := range c.Tasks {
				tasks = append(tasks, assign.Task{Connector: name, ID: id})
			}
		}
	}
	h.member.Rebalance(names, tasks)
}

// assigned takes a new assignment; connectors whose work moved are looked at.
func (h *herder) assigned(a membership.Assignment) {
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
	moved := make(map[string]bool)
	diff(old.connectors, next.connectors, func(c string) { moved[c] = true })
	diff(old.tasks, next.tasks, func(t assign.Task) { moved[t.Connector] = true })
	for name := range moved {
		h.reconcile(name)
	}
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

// keepSessionKey writes the key that signs requests between workers, at first and whenever it is too old.
func (h *herder) keepSessionKey(ctx context.Context) error {
	select {
	case <-h.ready:
	case <-ctx.Done():
		return nil
	}
	if !h.cfg.StateInTopics {
		return nil
	}
	ttl := time.Hour
	if h.cfg.Mode == Distributed {
		ttl = h.cfg.Values.Millis("inter.worker.key.ttl.ms")
	}
	for ctx.Err() == nil {
		age := ttl
		if k := h.configs.SessionKey(); k != nil {
			age = time.Since(time.UnixMilli(k.Created))
		}
		if age >= ttl {
			if err := h.configs.PutSessionKey(ctx, newSessionKey()); err != nil && ctx.Err() == nil {
				h.log.Warn("session key was not written", "err", err)
			}
			age = 0
		}
		timer := time.NewTimer(max(ttl-age, time.Second))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return nil
}

func newSessionKey() state.SessionKey {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return state.SessionKey{Key: base64.StdEncoding.EncodeToString(key), Algorithm: "HmacSHA256", Created: time.Now().UnixMilli()}
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
