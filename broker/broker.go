package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"millrace/broker/api"
	"millrace/broker/controller"
	"millrace/broker/group"
	"millrace/broker/metadata"
	"millrace/broker/partition"
	"millrace/broker/peers"
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
	self        metadata.BrokerID
	incarnation [16]byte
	directory   metadata.DirectoryID

	logs   *partition.Manager
	pool   *peers.Pool
	front  *front
	server *server.Server
	gone   func(host string) bool
	used   atomic.Bool // the metadata directory was used before this start

	// The rest is made when the node has found its cluster.

	transport  *peers.Transport
	quorum     *quorum.Node
	controller *controller.Controller
	replicas   *replica.Replicas
	groups     *group.Coordinator
	api        *api.API

	// looking are the nodes that may be gone and are being looked after; true: once more, there was another sign since.
	reaching sync.WaitGroup
	mu       sync.Mutex
	stopped  bool
	looking  map[metadata.BrokerID]bool
	learned  map[metadata.BrokerID]string // addresses that nodes said of themselves
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

	// Requests need everything below them until the last one is answered, so the server stops first. Before that the broker gives
	// away what it leads, for which it must still be there.
	below, stopBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelow()
	serving, stopServing := context.WithCancel(below)
	defer stopServing()
	g, below := errgroup.WithContext(below)
	defer context.AfterFunc(below, stopServing)() // what is below has failed
	g.Go(func() error {
		defer stopBelow()
		return p.server.Run(serving)
	})
	<-p.server.Running() // Run has no way around it
	g.Go(func() error {
		defer stopServing()
		starting, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(below, cancel)()
		if err := b.start(starting, below, g, p, began); err != nil {
			if ctx.Err() != nil {
				return nil // stopped while starting
			}
			return err
		}
		b.live(starting, below, p)
		return nil
	})
	err = g.Wait()
	p.mu.Lock()
	p.stopped = true // nobody is looked after any more
	p.mu.Unlock()
	p.reaching.Wait()
	return errors.Join(err, p.pool.Close())
}

// start finds this node's cluster, runs the parts below the server in g, and lets clients in when this node is registered.
func (b *Broker) start(ctx, below context.Context, g *errgroup.Group, p *parts, began time.Time) error {
	m, err := b.form(ctx, p)
	if err != nil {
		return err
	}
	if err := b.openRest(p, m); err != nil {
		return err
	}
	g.Go(func() error { return p.logs.Run(below) })
	g.Go(func() error { return p.quorum.Run(below) })
	g.Go(func() error { return p.transport.Run(below) })
	g.Go(func() error { return p.controller.Run(below) })
	g.Go(func() error { return p.replicas.Run(below) })
	g.Go(func() error { return p.groups.Run(below) })
	p.front.form(p)
	return b.serve(ctx, p, began)
}

// serve registers this node, which makes its partitions ready, and answers clients.
func (b *Broker) serve(ctx context.Context, p *parts, began time.Time) error {
	if err := b.join(ctx, p); err != nil {
		return err
	}
	if err := p.logs.Recovered(); err != nil {
		b.log.Warn("start of the machine was not recorded", "dir", b.cfg.DataDir, "err", err)
	}
	b.reportStrays(p)
	b.parts.Store(p)
	p.front.open()
	close(b.ready)
	for _, e := range p.server.Endpoints() {
		b.log.Info("listening", "listener", e.Listener, "advertised", e.String())
	}
	b.log.Info("broker is ready", "broker", b.cfg.NodeID, "cluster", p.controller.Image().ClusterID(), "dir", b.cfg.DataDir,
		"duration", time.Since(began).Round(time.Millisecond))
	return nil
}

// open locks the data directory and binds the listeners. Whatever is open is closed again if something fails.
func (b *Broker) open(ctx context.Context) (_ *parts, err error) {
	cfg := b.cfg
	p := &parts{self: metadata.BrokerID(cfg.NodeID)}
	if _, err := rand.Read(p.incarnation[:]); err != nil {
		return nil, fmt.Errorf("make an incarnation id: %w", err)
	}
	p.logs, err = partition.OpenManager(partition.ManagerConfig{
		Dir: cfg.DataDir, NodeID: cfg.NodeID, ClusterID: cfg.ClusterID, Undecided: cfg.others() > 0, Logger: cfg.Logger,
		RetentionCheckInterval: cfg.RetentionCheckInterval, CheckpointInterval: cfg.CheckpointInterval,
		CleanerBackoff: cfg.CleanerBackoff, CleanerBufferBytes: cfg.CleanerBufferBytes, Registerer: cfg.Registerer,
		OnISRChange: func(l *partition.Partition) { p.replicas.OnISRChange(l) }, // logs are opened by replicas
	})
	if err != nil {
		return nil, err
	}
	p.directory = p.logs.DirectoryID()
	p.pool = peers.NewPool(peers.Config{
		Address: func(id metadata.BrokerID) (string, bool) { return b.address(p, id) },
		Dial:    cfg.PeerDial, Closed: func(id metadata.BrokerID) { b.lookAfter(p, id) }, ClientID: "broker-" + strconv.Itoa(int(cfg.NodeID)),
	})
	p.front = newFront(p, cfg.nodeListeners())
	var memory string
	memory, p.gone = memoryHost(cfg.NodeID)
	p.server = server.New(server.Config{
		Listeners: serverListeners(cfg.Listeners), Dispatcher: p.front,
		MaxRequestBytes: cfg.MaxRequestBytes, QueuedMaxRequestBytes: cfg.QueuedMaxRequestBytes,
		MaxConnections: cfg.MaxConnections, MaxConnectionsPerIP: cfg.MaxConnectionsPerIP,
		IdleTimeout: cfg.ConnectionsMaxIdle, MemoryHost: memory, SendBuffer: cfg.SendBuffer, ReceiveBuffer: cfg.ReceiveBuffer,
		Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	if err = p.server.Listen(ctx); err != nil {
		return nil, errors.Join(err, p.logs.Close())
	}
	return p, nil
}

// openRest makes the parts below the server, which then wait to be run.
func (b *Broker) openRest(p *parts, m membership) (err error) {
	cfg := b.cfg
	p.transport = peers.NewTransport(peers.TransportConfig{
		Pool: p.pool, Node: p.self, Cluster: p.logs.ClusterID(), Logger: cfg.Logger,
		NodeOf: func(raftID uint64) metadata.BrokerID { return p.nodeOf(raftID, m) },
		Lost:   func(raftID uint64) { p.quorum.Unreachable(context.Background(), raftID) },
	})
	p.quorum, err = quorum.Open(quorum.Config{
		ID: m.raftID, Voters: m.voters, Genesis: m.genesis, Transport: p.transport,
		Dir: filepath.Join(cfg.DataDir, metadataDir), Logger: cfg.Logger,
	})
	if err != nil {
		return err
	}
	var voters []metadata.BrokerID
	for _, v := range cfg.Voters {
		voters = append(voters, metadata.BrokerID(v.ID))
	}
	p.controller, err = controller.New(controller.Config{
		NodeID: p.self, Directory: p.directory, Incarnation: p.incarnation, Voters: voters, SessionTimeout: cfg.SessionTimeout,
		Quorum: p.quorum, ClusterID: p.logs.ClusterID(),
		NumPartitions: cfg.NumPartitions, ReplicationFactor: cfg.ReplicationFactor, Static: cfg.Static, Logger: cfg.Logger,
	})
	if err != nil {
		return errors.Join(err, p.quorum.Close())
	}
	link := p.pool.Link("control", 1)
	p.replicas = replica.New(replica.Config{
		NodeID: p.self, Logs: p.logs, Static: cfg.Static, Link: p.pool.Link("fetch", 4),
		ProducerExpiration: cfg.ProducerExpiration, Logger: cfg.Logger, Registerer: cfg.Registerer,
		AlterPartitions: func(ctx context.Context, epoch int64, changes []controller.ISRChange) ([]controller.ISRResult, error) {
			if leader := p.controller.Leader(); leader != p.self && leader != metadata.NoBroker {
				return replica.RemoteAlter(ctx, link, leader, p.self, epoch, changes)
			}
			return p.controller.AlterPartitions(ctx, p.self, epoch, changes)
		},
	})
	p.controller.Subscribe(p.replicas.Apply)

	p.groups = group.New(group.Config{
		Gone: p.gone, NodeID: p.self, Controller: anyController{p}, Settings: cfg.Groups, Logger: cfg.Logger,
		Logs: func(index int32) group.Log {
			if l := p.logs.Get(metadata.OffsetsTopic, index); l != nil {
				return l
			}
			return nil
		},
	})
	p.controller.Subscribe(p.groups.Apply) // after replicas: a coordinator reads its partition as soon as it is led

	p.api = api.New(api.Config{
		NodeID: p.self, Controller: p.controller, Logs: p.logs, Groups: p.groups,
		Link: p.pool.Link("forward", 8), BrokerListeners: cfg.nodeListeners(),
		BrokerGone:   func(id metadata.BrokerID, _ int64) { b.lookAfter(p, id) },
		OutOfService: p.replicas.OutOfService, LogDir: cfg.DataDir,
		Static: cfg.Static, AutoCreateTopics: cfg.AutoCreateTopics,
		FetchMaxBytes: cfg.FetchMaxBytes, FetchSessions: cfg.FetchSessions,
		Logger: cfg.Logger, Registerer: cfg.Registerer,
	})
	registerMetrics(cfg.Registerer, p)
	return nil
}

func serverListeners(listeners []Listener) []server.Listener {
	var out []server.Listener
	for _, l := range listeners {
		out = append(out, server.Listener(l))
	}
	return out
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

// ControllerID is the node of the active controller as this one knows it, -1 while there is none; -1 before Ready.
func (b *Broker) ControllerID() int32 {
	if p := b.parts.Load(); p != nil {
		return int32(p.controller.Leader())
	}
	return int32(metadata.NoBroker)
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
