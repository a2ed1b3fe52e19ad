package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"millrace/connectors"
	"millrace/offsets"
	"millrace/offsets/filestore"
	"millrace/offsets/topiclog"
	"millrace/offsets/topicstore"
	"millrace/plugins"
	"millrace/plugins/clients"
	"millrace/runtime/internal/secrets"
	"millrace/runtime/membership"
	"millrace/runtime/state"
)

// A Runtime is one worker with its herder.
type Runtime struct {
	cfg    Config
	log    *slog.Logger
	herder *herder
}

// New checks cfg and returns a Runtime that is not running. levels may be nil: then there are no loggers to see.
func New(cfg Config, registry *plugins.Registry, validator Validator, levels LogLevels) (*Runtime, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := checkConverters(cfg, registry); err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	if worker := workerSecrets(cfg); worker != nil {
		log = slog.New(secrets.Handler(log.Handler(), func() *secrets.Scrubber { return worker }))
	}
	r := &Runtime{cfg: cfg, log: log, herder: newHerder(cfg, log, registry, validator, levels)}
	if cfg.Mode == Distributed {
		group := cfg.group()
		if err := group.Check(); err != nil {
			return nil, err
		}
		forward, err := newForwarding(r.local(), r.herder)
		if err != nil {
			return nil, err
		}
		r.herder.forward = &forward
	}
	return r, nil
}

func checkConverters(cfg Config, registry *plugins.Registry) error {
	var errs []error
	check := func(key string, kind connectors.Kind, c PluginConfig) {
		var perr *plugins.Error
		if _, err := registry.Lookup(kind, c.Class, c.Version); errors.As(err, &perr) {
			errs = append(errs, connectors.InvalidValue(key, c.Class, perr.Message))
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	check("key.converter", connectors.KindConverter, cfg.KeyConverter)
	check("value.converter", connectors.KindConverter, cfg.ValueConverter)
	check("header.converter", connectors.KindHeaderConverter, cfg.HeaderConverter)
	return errors.Join(errs...)
}

// Serving says, before Run, which address REST got: its port is the worker id's if that was left open.
func (r *Runtime) Serving(address string) {
	host, port, err := net.SplitHostPort(r.cfg.WorkerID)
	_, got, gerr := net.SplitHostPort(address)
	if err == nil && gerr == nil && port == "0" {
		r.cfg.WorkerID = net.JoinHostPort(host, got)
		r.herder.cfg.WorkerID = r.cfg.WorkerID
	}
}

// Herder returns the herder; until the worker is ready its methods wait.
func (r *Runtime) Herder() Herder {
	if f := r.herder.forward; f != nil {
		return *f
	}
	return r.local()
}

// local is the herder of this worker alone.
func (r *Runtime) local() Herder {
	if r.cfg.MaskSecrets {
		return masked{r.herder}
	}
	return r.herder
}

// Ready is closed when the state was read and the connectors are starting.
func (r *Runtime) Ready() <-chan struct{} { return r.herder.ready }

// EnsureConnector puts a connector given on the command line: it waits until the worker is ready, and leaves one alone that has
// this very configuration.
func (r *Runtime) EnsureConnector(ctx context.Context, config map[string]string) error {
	name := config["name"]
	raw := connectors.Raw(config)
	if stored, err := r.herder.ConnectorConfig(ctx, name); err == nil && equalConfig(stored, raw) {
		return nil
	}
	_, _, err := r.herder.PutConfig(ctx, name, raw)
	if err != nil {
		return fmt.Errorf("connector %q: %w", name, err)
	}
	return nil
}

// Run runs the worker until ctx ends, then stops its connectors and tasks within task.shutdown.graceful.timeout.ms. It fails if
// its state cannot be read or kept.
func (r *Runtime) Run(ctx context.Context) (err error) {
	h := r.herder
	defer h.gone()
	cl := clients.Config{Bootstrap: r.cfg.Bootstrap, Dialer: r.cfg.Dialer, Options: r.cfg.Client, Worker: r.cfg.Properties, Log: r.log}
	p, err := r.open(ctx, cl)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer p.close()
	// The stores outlive the connectors, which write to them while they stop.
	storesCtx, stopStores := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStores()
	g, gctx := errgroup.WithContext(storesCtx)
	for _, run := range p.run {
		g.Go(func() error { return run(gctx) })
	}
	g.Go(func() error { return h.keepSessionKey(gctx) })
	leaveGroup := p.inGroup(gctx, g)
	worker, stopWorker := context.WithCancel(ctx)
	defer stopWorker()
	context.AfterFunc(gctx, stopWorker) // a store failed
	h.start(p, cl)
	<-worker.Done()
	h.stopAll()
	leaveGroup(h)
	stopStores()
	return g.Wait()
}

// parts are what a running herder stands on.
type parts struct {
	configs  *state.Configs
	statuses *state.Statuses
	offsets  offsets.Store
	producer *kgo.Client
	adminCl  *kgo.Client
	admin    *kadm.Client
	member   membership.Membership
	group    *membership.Group // of a distributed worker
	run      []func(context.Context) error
	closers  []func()
}

func (p *parts) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}

func (r *Runtime) open(ctx context.Context, cl clients.Config) (_ *parts, err error) {
	p := &parts{member: &membership.Solo{}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.producer, err = cl.Producer(r.clientID("producer"), withPrefix(r.cfg.Properties, "producer.")); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.producer.Close)
	// Mistakes in what the clients of connectors are given show now.
	if _, err = cl.Consumer("", withPrefix(r.cfg.Properties, "consumer.")); err != nil {
		return nil, err
	}
	opts, err := cl.Internal(r.clientID("shared-admin"))
	if err != nil {
		return nil, err
	}
	if p.adminCl, err = kgo.NewClient(opts...); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.adminCl.Close)
	p.admin = kadm.NewClient(p.adminCl)

	// The three topics are opened side by side: each waits for the log.
	var topics *topicstore.Store
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		open, err := r.opener(cl, r.cfg.ConfigTopic, "configs")
		if err == nil {
			p.configs, err = state.OpenConfigs(gctx, open, r.herder.changed, r.log)
		}
		return err
	})
	g.Go(func() (err error) {
		open, err := r.opener(cl, r.cfg.StatusTopic, "statuses")
		if err == nil {
			p.statuses, err = state.OpenStatuses(gctx, open, r.cfg.WorkerID, r.log)
		}
		return err
	})
	g.Go(func() (err error) {
		if r.cfg.OffsetFile != "" {
			p.offsets, err = filestore.Open(r.cfg.OffsetFile)
			return err
		}
		topic, err := r.topic(cl, r.cfg.OffsetTopic, "offsets")
		if err == nil {
			topics, err = topicstore.Open(gctx, topic)
		}
		return err
	})
	err = g.Wait()
	if p.configs != nil {
		p.closers, p.run = append(p.closers, p.configs.Close), append(p.run, p.configs.Run)
	}
	if p.statuses != nil {
		p.closers, p.run = append(p.closers, p.statuses.Close), append(p.run, p.statuses.Run)
	}
	if topics != nil {
		p.offsets = topics
		p.closers, p.run = append(p.closers, topics.Close), append(p.run, topics.Run)
	}
	if err == nil && r.cfg.Mode == Distributed {
		if err = r.herder.resolvable(p.configs); err == nil {
			err = r.group(p, cl)
		}
	}
	return p, err
}

func (r *Runtime) opener(cl clients.Config, t InternalTopic, what string) (state.Opener, error) {
	if !r.cfg.StateInTopics {
		return state.InMemory(), nil
	}
	topic, err := r.topic(cl, t, what)
	return state.InTopic(topic), err
}

func (r *Runtime) topic(cl clients.Config, t InternalTopic, what string) (topiclog.Config, error) {
	opts, err := cl.Internal(r.clientID(what))
	return topiclog.Config{
		Topic: t.Name, Partitions: t.Partitions, ReplicationFactor: t.ReplicationFactor,
		ReplicationFactorAtMost: t.ReplicationFactorAtMost, AwaitBrokers: t.AwaitBrokers, SinglePartition: what == "configs",
		TopicConfigs: t.Configs, Client: opts, Log: r.log,
	}, err
}

// clientID is the id of an internal client: <group.id>[-<client.id>]-<what>.
func (r *Runtime) clientID(what string) string {
	id := r.cfg.GroupID
	if id == "" {
		id = "connect"
	}
	if c := r.cfg.Properties["client.id"]; c != "" {
		id += "-" + c
	}
	return id + "-" + what
}
