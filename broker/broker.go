package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"millrace/broker/api"
	"millrace/broker/controller"
	"millrace/broker/group"
	"millrace/broker/metadata"
	"millrace/broker/partition"
	"millrace/broker/quorum"
	"millrace/broker/replica"
	"millrace/broker/server"
)

// Broker is one node: New, then Run once.
type Broker struct {
	cfg   Config
	log   *slog.Logger
	ready chan struct{} // closed when clients can connect

	parts atomic.Pointer[parts] // set before ready is closed
}

// parts is what a running broker is made of, in the order it is started.
type parts struct {
	logs       *partition.Manager
	quorum     *quorum.Node
	controller *controller.Controller
	replicas   *replica.Replicas
	groups     *group.Coordinator
	server     *server.Server
}

// metadataDir is where in the data directory the metadata log is.
const metadataDir = "metadata"

// New checks cfg and makes a broker. It touches neither disk nor network; Run does.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Static = cfg.described()
	return &Broker{cfg: cfg, log: cfg.Logger, ready: make(chan struct{})}, nil
}

// Run opens the data directory and the listeners and serves until ctx ends or the broker cannot go on. It returns nil after
// a clean stop, which takes a few seconds at most: acknowledgements under way are still sent, and what is in the logs is
// synced. Nothing it started runs when it returns.
//
// A port in use, a data directory of another cluster or node, and one that another process has open are errors that say
// what to do.
func (b *Broker) Run(ctx context.Context) (err error) {
	began := time.Now()
	p, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, p.logs.Close())
		b.log.Info("broker stopped", "broker", b.cfg.NodeID)
	}()

	// Requests need everything below them until the last one is answered, so the server stops first.
	below, stopBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelow()
	g, below := errgroup.WithContext(below)
	g.Go(func() error { return p.logs.Run(below) })
	g.Go(func() error { return p.quorum.Run(below) })
	g.Go(func() error { return p.controller.Run(below) })
	g.Go(func() error { return p.replicas.Run(below) })
	g.Go(func() error { return p.groups.Run(below) })
	g.Go(func() error {
		defer stopBelow()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(below, cancel)() // what is below has failed
		return b.serve(ctx, p, began)
	})
	return g.Wait()
}

// serve registers this node, which makes its partitions ready, and answers clients.
func (b *Broker) serve(ctx context.Context, p *parts, began time.Time) error {
	if err := b.register(ctx, p); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while starting
		}
		return err
	}
	if err := p.logs.Recovered(); err != nil {
		b.log.Warn("start of the machine was not recorded", "dir", b.cfg.DataDir, "err", err)
	}
	b.reportStrays(p)
	b.parts.Store(p)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.server.Run(ctx) })
	<-p.server.Running() // Run has no way around it
	close(b.ready)
	for _, e := range p.server.Endpoints() {
		b.log.Info("listening", "listener", e.Listener, "advertised", e.String())
	}
	b.log.Info("broker is ready", "broker", b.cfg.NodeID, "cluster", p.controller.Image().ClusterID(), "dir", b.cfg.DataDir,
		"duration", time.Since(began).Round(time.Millisecond))
	return g.Wait()
}

// open makes the parts, which then wait to be run. Whatever is open is closed again if one cannot be made.
func (b *Broker) open(ctx context.Context) (_ *parts, err error) {
	cfg := b.cfg
	p := &parts{}
	var closers []io.Closer
	defer func() {
		for i := len(closers) - 1; i >= 0 && err != nil; i-- {
			err = errors.Join(err, closers[i].Close())
		}
	}()
	p.logs, err = partition.OpenManager(partition.ManagerConfig{
		Dir: cfg.DataDir, NodeID: cfg.NodeID, ClusterID: cfg.ClusterID, Logger: cfg.Logger,
		RetentionCheckInterval: cfg.RetentionCheckInterval, CheckpointInterval: cfg.CheckpointInterval,
		CleanerBackoff: cfg.CleanerBackoff, CleanerBufferBytes: cfg.CleanerBufferBytes, Registerer: cfg.Registerer,
		OnISRChange: func(l *partition.Partition) { p.replicas.OnISRChange(l) }, // logs are opened by replicas
	})
	if err != nil {
		return nil, err
	}
	closers = append(closers, p.logs)

	voter := uint64(cfg.NodeID) + 1 // raft has no id 0
	p.quorum, err = quorum.Open(quorum.Config{
		ID: voter, Voters: []uint64{voter}, Dir: filepath.Join(cfg.DataDir, metadataDir), Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	closers = append(closers, p.quorum)

	p.controller, err = controller.New(controller.Config{
		NodeID: metadata.BrokerID(cfg.NodeID), Quorum: p.quorum, ClusterID: p.logs.ClusterID(),
		NumPartitions: cfg.NumPartitions, ReplicationFactor: cfg.ReplicationFactor, Static: cfg.Static, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	p.replicas = replica.New(replica.Config{
		NodeID: metadata.BrokerID(cfg.NodeID), Logs: p.logs, Static: cfg.Static,
		ProducerExpiration: cfg.ProducerExpiration, Logger: cfg.Logger, Registerer: cfg.Registerer,
		AlterPartitions: func(ctx context.Context, epoch int64, changes []controller.ISRChange) ([]controller.ISRResult, error) {
			return p.controller.AlterPartitions(ctx, metadata.BrokerID(cfg.NodeID), epoch, changes)
		},
	})
	p.controller.Subscribe(p.replicas.Apply)

	memory, gone := memoryHost(cfg.NodeID)
	p.groups = group.New(group.Config{
		Gone:   gone,
		NodeID: metadata.BrokerID(cfg.NodeID), Controller: p.controller, Settings: cfg.Groups, Logger: cfg.Logger,
		Logs: func(index int32) group.Log {
			if l := p.logs.Get(metadata.OffsetsTopic, index); l != nil {
				return l
			}
			return nil
		},
	})
	p.controller.Subscribe(p.groups.Apply) // after replicas: a coordinator reads its partition as soon as it is led

	p.server = server.New(server.Config{
		Listeners: serverListeners(cfg.Listeners),
		Dispatcher: api.New(api.Config{
			NodeID: metadata.BrokerID(cfg.NodeID), Controller: p.controller, Logs: p.logs, Groups: p.groups,
			OutOfService: p.replicas.OutOfService, LogDir: cfg.DataDir,
			Static: cfg.Static, AutoCreateTopics: cfg.AutoCreateTopics,
			FetchMaxBytes: cfg.FetchMaxBytes, FetchSessions: cfg.FetchSessions,
			Logger: cfg.Logger, Registerer: cfg.Registerer,
		}),
		MaxRequestBytes: cfg.MaxRequestBytes, QueuedMaxRequestBytes: cfg.QueuedMaxRequestBytes,
		MaxConnections: cfg.MaxConnections, MaxConnectionsPerIP: cfg.MaxConnectionsPerIP,
		IdleTimeout: cfg.ConnectionsMaxIdle, MemoryHost: memory, SendBuffer: cfg.SendBuffer, ReceiveBuffer: cfg.ReceiveBuffer,
		Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	if err = p.server.Listen(ctx); err != nil {
		return nil, err
	}
	registerMetrics(cfg.Registerer, p)
	return p, nil
}

func serverListeners(listeners []Listener) []server.Listener {
	var out []server.Listener
	for _, l := range listeners {
		out = append(out, server.Listener(l))
	}
	return out
}

// register tells the controller about this process.
func (b *Broker) register(ctx context.Context, p *parts) error {
	r := controller.Registration{ID: metadata.BrokerID(b.cfg.NodeID), Rack: b.cfg.Rack, CleanLogs: p.logs.Clean()}
	if _, err := rand.Read(r.Incarnation[:]); err != nil {
		return fmt.Errorf("make an incarnation id: %w", err)
	}
	for _, e := range p.server.Endpoints() {
		r.Listeners = append(r.Listeners, metadata.Listener{
			Name: e.Listener, Host: e.Host, Port: e.Port, SecurityProtocol: "PLAINTEXT",
		})
	}
	if _, err := p.controller.RegisterBroker(ctx, r); err != nil {
		return fmt.Errorf("register broker %d: %w", b.cfg.NodeID, err)
	}
	return nil
}

// reportStrays names partition directories that no topic owns. They are left alone: see DESIGN.md.
func (b *Broker) reportStrays(p *parts) {
	found, err := p.logs.Found()
	if err != nil {
		b.log.Warn("partition directories were not listed", "dir", b.cfg.DataDir, "err", err)
		return
	}
	image := p.controller.Image()
	var strays []string
	for _, f := range found {
		if image.Partition(f.Topic, f.Index) == nil {
			strays = append(strays, fmt.Sprintf("%s-%d", f.Topic, f.Index))
		}
	}
	if len(strays) > 0 {
		b.log.Warn("directories of partitions that no topic has; remove them by hand if nothing in them is needed",
			"dir", b.cfg.DataDir, "partitions", len(strays), "first", strays[0])
	}
}

// Ready is closed when clients can connect. It stays open if Run fails before.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// DialContext connects to address: in memory if it is one of this broker's advertised addresses, over the network
// otherwise. It fits kgo.Dialer. Before Ready it is the network dialer.
func (b *Broker) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if p := b.parts.Load(); p != nil {
		return p.server.DialContext(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// ClusterID is the id of the cluster; empty before Ready.
func (b *Broker) ClusterID() string {
	if p := b.parts.Load(); p != nil {
		return p.controller.Image().ClusterID()
	}
	return ""
}

// Addrs are the addresses listened at, in the order of Config.Listeners, with the ports that were found; nil before Ready.
func (b *Broker) Addrs() []net.Addr {
	if p := b.parts.Load(); p != nil {
		return p.server.Addrs()
	}
	return nil
}

// Advertised are the addresses clients are told to connect to, as host:port, in the same order; nil before Ready.
func (b *Broker) Advertised() []string {
	var out []string
	if p := b.parts.Load(); p != nil {
		for _, e := range p.server.Endpoints() {
			out = append(out, e.String())
		}
	}
	return out
}

// memoryHost returns the host that in-memory connections come from in this life of the process, and a function that
// knows the group members of its earlier lives by theirs.
func memoryHost(node int32) (host string, gone func(memberHost string) bool) {
	prefix := fmt.Sprintf("memory-%d-", node)
	host = prefix + strconv.FormatInt(time.Now().UnixNano(), 36)
	return host, func(memberHost string) bool {
		memberHost = strings.TrimPrefix(memberHost, "/")
		return memberHost != host && strings.HasPrefix(memberHost, prefix)
	}
}
