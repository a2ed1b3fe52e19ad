package replica_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"millrace/broker/api"
	"millrace/broker/brokertest"
	"millrace/broker/controller"
	"millrace/broker/group"
	"millrace/broker/metadata"
	"millrace/broker/partition"
	"millrace/broker/peers"
	"millrace/broker/quorum"
	"millrace/broker/replica"
	"millrace/broker/server"
)

// cluster is a controller with a quorum of one, and data nodes 1 to n that listen at real ports: everything that replication
// consists of, without what nodes do to find and watch each other.
type cluster struct {
	t     testing.TB
	ctrl  *controller.Controller
	peers *peers.Pool
	nodes []*node

	mu    sync.Mutex // images go to the nodes one after the other
	image *metadata.Image
}

type node struct {
	c       *cluster
	id      metadata.BrokerID
	rack    string
	dir     string
	address string // with a port that stays

	up     bool // guarded by cluster.mu, with what follows
	r      *replica.Replicas
	groups *group.Coordinator
	logs   *partition.Manager
	cancel context.CancelFunc
	ended  chan error
	epoch  int64
}

const controllerNode = 100

func startCluster(t testing.TB, n int, static map[string]string, racks ...string) *cluster {
	t.Helper()
	q, err := quorum.Open(quorum.Config{ID: controllerNode + 1, Voters: []uint64{controllerNode + 1}, Dir: filepath.Join(t.TempDir(), "metadata")})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, image: metadata.NewImage()}
	c.ctrl, err = controller.New(controller.Config{Quorum: q, NodeID: controllerNode, ReplicationFactor: 3, Static: static,
		SessionTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.ctrl.Subscribe(func(old, next *metadata.Image) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.image = next
		for _, n := range c.nodes {
			if n.up {
				n.r.Apply(old, next)
				n.groups.Apply(old, next)
			}
		}
	})
	c.peers = peers.NewPool(peers.Config{ClientID: "test", Address: func(id metadata.BrokerID) (string, bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		b := c.image.Broker(id)
		if b == nil {
			return "", false
		}
		l, ok := b.Listener("PLAINTEXT")
		return net.JoinHostPort(l.Host, fmt.Sprint(l.Port)), ok
	}})
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return q.Run(ctx) })
	g.Go(func() error { return c.ctrl.Run(ctx) })
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.stop(false)
		}
		if err := c.peers.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		nd := &node{c: c, id: metadata.BrokerID(i + 1), dir: t.TempDir(), address: "127.0.0.1:0"}
		if i < len(racks) {
			nd.rack = racks[i]
		}
		c.mu.Lock()
		c.nodes = append(c.nodes, nd)
		c.mu.Unlock()
		nd.start(static)
	}
	return c
}

// start runs a node, and registers it.
func (n *node) start(static map[string]string) {
	c := n.c
	t := c.t
	t.Helper()
	log := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn})).With("node", n.id)
	var r *replica.Replicas
	logs, err := partition.OpenManager(partition.ManagerConfig{Dir: n.dir, NodeID: int32(n.id), ClusterID: "c", Logger: log,
		OnISRChange: func(p *partition.Partition) { r.OnISRChange(p) }})
	if err != nil {
		t.Fatal(err)
	}
	link := c.peers.Link(fmt.Sprint("replicas of ", n.id), 4)
	r = replica.New(replica.Config{NodeID: n.id, Logs: logs, Static: static, Link: link, Logger: log,
		Fetch: replica.Fetch{LagMax: 3 * time.Second},
		AlterPartitions: func(ctx context.Context, epoch int64, changes []controller.ISRChange) ([]controller.ISRResult, error) {
			return c.ctrl.AlterPartitions(ctx, n.id, epoch, changes)
		}})
	settings := group.EmbeddedSettings()
	settings.TopicReplication = 3
	groups := group.New(group.Config{NodeID: n.id, Controller: c.ctrl, Settings: settings, Logger: log,
		Logs: func(i int32) group.Log {
			if l := logs.Get(metadata.OffsetsTopic, i); l != nil {
				return l
			}
			return nil
		}})
	srv := server.New(server.Config{Listeners: []server.Listener{{Name: "PLAINTEXT", Address: n.address}}, ShutdownTimeout: time.Millisecond,
		Dispatcher: api.New(api.Config{NodeID: n.id, Controller: c.ctrl, Logs: logs, Groups: groups, OutOfService: r.OutOfService,
			LogDir: n.dir, Static: static, RackAware: true, Logger: log}), Logger: log})
	ctx, cancel := context.WithCancel(context.Background())
	if err := srv.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	e := srv.Endpoints()[0]
	n.address = e.String()
	c.mu.Lock()
	n.r, n.groups, n.logs, n.up = r, groups, logs, true
	n.cancel, n.ended = cancel, make(chan error, 1)
	r.Apply(metadata.NewImage(), c.image)
	groups.Apply(metadata.NewImage(), c.image)
	c.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return logs.Run(ctx) })
	g.Go(func() error { return r.Run(ctx) })
	g.Go(func() error { return groups.Run(ctx) })
	g.Go(func() error { return srv.Run(ctx) })
	ended := n.ended
	go func() { ended <- g.Wait() }()
	reg := controller.Registration{ID: n.id, Rack: n.rack, Incarnation: [16]byte{byte(n.id), byte(time.Now().UnixNano()), byte(time.Now().UnixNano() >> 8)},
		CleanLogs: logs.Clean(), Listeners: []metadata.Listener{{Name: "PLAINTEXT", Host: e.Host, Port: e.Port, SecurityProtocol: "PLAINTEXT"}}}
	if n.epoch, err = c.ctrl.RegisterBroker(t.Context(), reg); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ctrl.Heartbeat(t.Context(), controller.Heartbeat{ID: n.id, Epoch: n.epoch, Seen: c.ctrl.Image().Index()}); err != nil {
		t.Fatal(err)
	}
}

// stop ends a node; with told the controller hears of it as of a process that died.
func (n *node) stop(told bool) {
	n.c.mu.Lock()
	up := n.up
	n.up = false
	n.c.mu.Unlock()
	if !up {
		return
	}
	n.cancel()
	if told {
		if err := n.c.ctrl.BrokerDied(context.Background(), n.id, n.epoch); err != nil {
			n.c.t.Error(err)
		}
	}
	if err := <-n.ended; err != nil {
		n.c.t.Error(err)
	}
	if err := n.logs.Close(); err != nil {
		n.c.t.Error(err)
	}
}

func (c *cluster) node(id metadata.BrokerID) *node { return c.nodes[id-1] }

func (c *cluster) seeds() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.address)
	}
	return all
}

func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.seeds()...), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

func (c *cluster) create(name string, replicas []metadata.BrokerID, configs ...string) {
	c.t.Helper()
	t := controller.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1, Assignment: []controller.Assignment{{Replicas: replicas}}}
	for i := 0; i < len(configs); i += 2 {
		t.Configs = append(t.Configs, controller.ConfigValue{Name: configs[i], Value: &configs[i+1]})
	}
	made, err := c.ctrl.CreateTopics(c.t.Context(), []controller.NewTopic{t}, false)
	if err != nil || made[0].Err != nil {
		c.t.Fatal(err, made)
	}
}

func (c *cluster) partition(topic string) *metadata.Partition {
	return c.ctrl.Image().Partition(topic, 0)
}

func (c *cluster) awaitISR(topic string, n int) {
	c.t.Helper()
	brokertest.Await(c.t, fmt.Sprintf("%d in sync", n), func() bool { return len(c.partition(topic).ISR) == n })
}

type testLog struct{ t testing.TB }

func (w testLog) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

// same wants the partition's log to be equal on all its replicas.
func (c *cluster) same(topic string) {
	c.t.Helper()
	replicas := c.partition(topic).Replicas
	end := func(id metadata.BrokerID) int64 { return c.node(id).logs.Get(topic, 0).HighWatermark() }
	brokertest.Await(c.t, "equal logs", func() bool {
		return !slices.ContainsFunc(replicas, func(id metadata.BrokerID) bool { return end(id) != end(replicas[0]) })
	})
	for offset := int64(0); offset < end(replicas[0]); {
		var first []byte
		for i, id := range replicas {
			res, err := c.node(id).logs.Get(topic, 0).Read(offset, 1<<20, true, partition.ReadReplica)
			if err != nil {
				c.t.Fatal(err)
			}
			if i == 0 {
				first = append(first, res.Records...)
			} else if string(first) != string(res.Records) {
				c.t.Fatalf("node %d has other bytes at offset %d", id, offset)
			}
			res.Release()
		}
		next := lastOffset(c.t, first) + 1
		if next <= offset {
			c.t.Fatalf("stuck at offset %d", offset)
		}
		offset = next
	}
}

// TestLeaderDies stops leaders under load: nothing acknowledged is lost, and an idempotent producer leaves no duplicate.
func TestLeaderDies(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3}, "min.insync.replicas", "2")
	client := c.client(kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(100))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var acked atomic.Int64
	var lastAck atomic.Int64
	var worst atomic.Int64
	lastAck.Store(time.Now().UnixNano())
	sent := 0
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		for ctx.Err() == nil {
			sent++
			client.Produce(context.Background(), &kgo.Record{Topic: "t", Value: fmt.Appendf(nil, "%d", sent)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
				now := time.Now().UnixNano()
				if gap := now - lastAck.Swap(now); gap > worst.Load() {
					worst.Store(gap)
				}
			})
		}
	}()
	more := func() {
		was := acked.Load()
		brokertest.Await(t, "more acknowledgements", func() bool { return acked.Load() > was+500 })
	}
	for range 4 {
		more()
		c.awaitISR("t", 3)
		worst.Store(0)
		n := c.node(c.partition("t").Leader)
		n.stop(true)
		more()
		t.Logf("gap without acknowledgement: %v", time.Duration(worst.Load()).Round(time.Millisecond))
		n.start(nil)
		more()
	}
	stop()
	<-produced
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.awaitISR("t", 3)
	c.same("t")
	consumer := c.client(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	next := 1
	for next <= sent {
		fetches := consumer.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(next) {
				t.Fatalf("offset %d has %s, want %d", r.Offset, r.Value, next)
			}
			next++
		})
	}
	t.Logf("%d records, %d acknowledged", sent, acked.Load())
}
