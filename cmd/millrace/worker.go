package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"millrace/broker"
	"millrace/broker/commitlog"
	"millrace/cmd/internal/settings"
	"millrace/connectors"
	"millrace/rest"
	"millrace/runtime"
	"millrace/runtime/loggers"
	"millrace/runtime/validation"
)

// workerConfig is everything the process of a worker is configured with.
type workerConfig struct {
	runtime runtime.Config
	rest    rest.Config
	// broker configures the integrated log; nil if connectors use another cluster.
	broker *broker.Config
	// pluginPath are the folders of out-of-process plugins.
	pluginPath []string
	// explain puts file and line before an error that names a key.
	explain func(error) error
}

// configure checks the whole configuration and reports all its mistakes at once.
func configure(s *settings.Settings, mode runtime.Mode, log *slog.Logger) (*workerConfig, error) {
	c := workerConfig{explain: func(err error) error { return s.Explain(err, "") }}
	var errs []error
	var err error
	if integrated(s) {
		b, err := brokerConfig(s, broker.EmbeddedConfig(), log)
		errs = append(errs, err, ownListeners(s, b))
		c.broker = &b
	}
	props := s.Values(brokerPrefix)
	c.runtime, err = runtime.ParseWorkerConfig(mode, props)
	errs = append(errs, c.explain(err))
	if c.runtime.Properties != nil {
		props = c.runtime.Properties // references to config providers are resolved
	}
	c.rest, err = rest.ParseConfig(props)
	errs = append(errs, c.explain(err))
	c.pluginPath = commaList(props["plugin.path"])
	// As in Connect, an unknown key alone stops nobody: it may be meant for another part of a Connect installation.
	var unknown []error
	for _, w := range c.runtime.Warnings {
		unknown = append(unknown, c.explain(errors.New(w)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, distinct(errors.Join(append(errs, unknown...)...))
	}
	for _, u := range unknown {
		log.Warn("unknown configuration is ignored", "key", u.Error())
	}
	c.runtime.StateInTopics = c.runtime.StateInTopics || c.broker != nil
	if c.broker != nil {
		replicate(&c.runtime, len(c.broker.Voters))
	}
	if _, set := props["task.shutdown.graceful.timeout.ms"]; !set {
		// Connect's 5 s, less what the parts below need, so that the whole process ends within 5 s.
		c.runtime.TaskShutdownTimeout = 3 * time.Second
	}
	c.runtime.Commit = version + "+" + commit()
	return &c, nil
}

// replicate has the internal topics on as many nodes of a cluster as they should be. Nodes that start together wait for each other.
func replicate(c *runtime.Config, nodes int) {
	if nodes < 2 {
		return
	}
	for _, t := range []*runtime.InternalTopic{&c.ConfigTopic, &c.OffsetTopic, &c.StatusTopic} {
		if t.ReplicationFactorAtMost {
			t.ReplicationFactor, t.ReplicationFactorAtMost = int16(min(3, nodes)), false
		}
		t.AwaitBrokers = true
	}
}

// distinct drops errors that two parsers of the same keys both reported.
func distinct(err error) error {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// integrated reports whether the log of this process is used.
func integrated(s *settings.Settings) bool {
	return strings.TrimSpace(s.Values()["bootstrap.servers"]) == "" || len(s.Under(brokerPrefix)) > 0
}

// ownListeners refuses a bootstrap.servers that names another cluster than the log that broker. keys configure.
func ownListeners(s *settings.Settings, cfg broker.Config) error {
	own := make(map[string]bool)
	for _, l := range cfg.Listeners {
		own[plainHost(l.Address)], own[plainHost(l.Advertised)] = true, true
	}
	for server := range strings.SplitSeq(s.Values()["bootstrap.servers"], ",") {
		if server = strings.TrimSpace(server); server != "" && !own[plainHost(server)] {
			err := fmt.Errorf("bootstrap.servers: %s is not a listener of the integrated log, which the broker. keys configure; "+
				"leave out either bootstrap.servers or the broker. keys", server)
			return s.Explain(err, "")
		}
	}
	return nil
}

func plainHost(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && strings.EqualFold(host, "localhost") {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// run starts the log, the runtime and the REST API, and stops them when ctx ends. stop makes a second signal end the process at
// once.
func (f *workerFlags) run(ctx context.Context, stop func(), stderr io.Writer, s *settings.Settings, files []settings.Connector, began time.Time) (err error) {
	context.AfterFunc(ctx, stop)
	level, err := f.logs.parse()
	if err != nil {
		return err
	}
	levels := loggers.New(textHandler(stderr, slog.LevelDebug), level)
	log := levels.Named(loggers.Root)
	c, err := configure(s, f.mode, log)
	if err != nil {
		return &failure{code: exitUsage, err: err}
	}
	c.runtime.AnyConverter = f.anyConverter
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	var all services
	defer func() {
		stopped := all.stop()
		if err == nil {
			err = stopped
		}
		if err == nil {
			log.Info("millrace stopped")
		}
	}()
	kafka := strings.Join(c.runtime.Bootstrap, ",")
	if c.broker != nil {
		b, err := startBroker(ctx, &all, c.broker, levels.Named("millrace.broker"), metrics)
		if err != nil {
			return ended(ctx, logEnvironment(err))
		}
		c.runtime.Bootstrap, c.runtime.Dialer = b.Advertised()[:1], b.DialContext
		kafka = strings.Join(b.Advertised(), ",")
	} else if err := loopbackAnswers(ctx, c.runtime.Bootstrap); err != nil {
		return err
	}
	c.runtime.Log, c.runtime.Metrics = levels.Named("millrace.runtime"), metrics
	w, server, err := startWorker(ctx, &all, c, levels, metrics)
	if err != nil {
		return ended(ctx, err)
	}
	if err := all.await(ctx, w.Ready()); err != nil {
		return ended(ctx, environment(err))
	}
	log.Info("millrace is up", "rest", server.Addr(), "kafka", kafka, "version", version, "duration", time.Since(began).Round(time.Millisecond))
	if err := ensure(ctx, w, files); err != nil {
		return ended(ctx, &failure{code: exitEnvironment, err: err})
	}
	return ended(ctx, all.await(ctx, nil))
}

// logEnvironment is environment for the integrated log, whose errors name keys without the prefix that they have here.
func logEnvironment(err error) error {
	f := environment(err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.fix = "here the key is broker.listeners: --set broker.listeners=PLAINTEXT://127.0.0.1:PORT"
	case errors.Is(err, commitlog.ErrDirInUse), errors.Is(err, commitlog.ErrWrongDir):
		f.fix = "here the key is broker.log.dirs: --set broker.log.dirs=DIRECTORY"
	}
	return f
}

// ended is nil if the process was told to stop.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func startBroker(ctx context.Context, all *services, cfg *broker.Config, log *slog.Logger, metrics prometheus.Registerer) (*broker.Broker, error) {
	cfg.Logger, cfg.Registerer = log, metrics
	b, err := broker.New(*cfg)
	if err != nil {
		return nil, err
	}
	all.start(ctx, "log", b.Run)
	return b, all.await(ctx, b.Ready())
}

func startWorker(ctx context.Context, all *services, c *workerConfig, levels *loggers.Registry, metrics *prometheus.Registry) (*runtime.Runtime, *rest.Server, error) {
	registry, err := builtIn(c.runtime)
	if err != nil {
		return nil, nil, err
	}
	addExternal(ctx, all, registry, c.pluginPath, levels.Named("millrace.plugins"))
	validator, err := validation.ForWorker(c.runtime, registry)
	if err != nil {
		return nil, nil, &failure{code: exitUsage, err: c.explain(err)}
	}
	w, err := runtime.New(c.runtime, registry, validator, levels)
	if err != nil {
		return nil, nil, &failure{code: exitUsage, err: c.explain(err)}
	}
	server, err := rest.New(c.rest, w.Herder(), levels.Named("millrace.rest"), metrics)
	if err != nil {
		return nil, nil, &failure{code: exitUsage, err: err}
	}
	// The port is taken before the runtime starts connectors. Requests wait for the herder.
	if err := server.Listen(ctx); err != nil {
		return nil, nil, environment(err)
	}
	w.Serving(server.Addr())
	all.start(ctx, "runtime", w.Run)
	all.start(ctx, "REST API", server.Run)
	return w, server, nil
}

// ensure creates the connectors of the command line.
func ensure(ctx context.Context, w *runtime.Runtime, files []settings.Connector) error {
	for _, file := range files {
		config := connectors.RawConfig(file.Config)
		if file.InitialState != "" {
			_, err := w.Herder().CreateConnector(ctx, file.Name, config, runtime.TargetState(file.InitialState))
			var refused *runtime.Error
			if err == nil {
				continue
			} else if !errors.As(err, &refused) || refused.Kind != runtime.KindExists {
				return fmt.Errorf("%s: connector %s: %w", file.Path, file.Name, err)
			}
		}
		if err := w.EnsureConnector(ctx, config.Strings()); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	return nil
}

// loopbackAnswers tells those who meant the integrated log that they have named another one.
func loopbackAnswers(ctx context.Context, bootstrap []string) error {
	dialer := net.Dialer{Timeout: time.Second}
	for _, address := range bootstrap {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil // another machine's may still come up
		}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
	}
	return &failure{
		code: exitEnvironment, err: fmt.Errorf("no Kafka at %s", strings.Join(bootstrap, ",")),
		fix: "add --set bootstrap.servers= to use the integrated log",
	}
}
