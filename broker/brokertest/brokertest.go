package brokertest

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker"
)

// Cluster is a running broker of a test.
type Cluster struct {
	t   testing.TB
	cfg broker.Config

	b     atomic.Pointer[broker.Broker]
	stop  context.CancelCauseFunc
	ended chan error
}

// startTimeout is longer than any start takes on a machine that is busy with other tests.
const startTimeout = 30 * time.Second

// Start runs a broker until the test ends. change may alter its configuration.
func Start(t testing.TB, change ...func(*broker.Config)) *Cluster {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.Listeners[0].Address = "127.0.0.1:0"
	cfg.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, f := range change {
		f(&cfg)
	}
	c := &Cluster{t: t, cfg: cfg}
	c.Start()
	t.Cleanup(c.Stop)
	return c
}

// Start runs the broker again after Stop, on the same data and the same port.
func (c *Cluster) Start() {
	c.t.Helper()
	c.launch()
	c.await()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

func (c *Cluster) launch() {
	c.t.Helper()
	b, err := broker.New(c.cfg)
	if err != nil {
		c.t.Fatalf("brokertest: %v", err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	c.stop, c.ended = stop, make(chan error, 1)
	c.b.Store(b)
	ended := c.ended
	go func() { ended <- b.Run(ctx) }()
}

// await waits until the broker is ready; it fails the test without ending it.
func (c *Cluster) await() {
	c.t.Helper()
	b := c.b.Load()
	select {
	case <-b.Ready():
		// Other nodes look at it while this one starts again at the same address.
		if at := b.Addrs()[0].String(); at != c.cfg.Listeners[0].Address {
			c.cfg.Listeners[0].Address = at
		}
	case err := <-c.ended:
		c.stop(nil)
		c.ended = nil
		c.t.Errorf("brokertest: broker did not start: %v", err)
	case <-time.After(startTimeout):
		c.t.Errorf("brokertest: broker did not start within %v", startTimeout)
	}
}

// Stop ends the broker and waits for it. Stopping twice is fine.
func (c *Cluster) Stop() { c.kill(nil) }

func (c *Cluster) kill(why error) {
	if c.ended == nil {
		return
	}
	c.stop(why)
	if err := <-c.ended; err != nil {
		c.t.Errorf("brokertest: broker: %v", err)
	}
	c.ended = nil
}

// Restart is Stop and Start.
func (c *Cluster) Restart() {
	c.t.Helper()
	c.Stop()
	c.Start()
}

// Broker is the running broker.
func (c *Cluster) Broker() *broker.Broker { return c.b.Load() }

// DialContext connects in memory, to the broker that is running at the time.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.b.Load().DialContext(ctx, network, address)
}

// Addr is the address clients connect to, as host:port.
func (c *Cluster) Addr() string { return c.b.Load().Advertised()[0] }

// Dir is the data directory.
func (c *Cluster) Dir() string { return c.cfg.DataDir }

// Client makes a client that reaches the broker in memory; opts come after what that takes. It is closed with the test.
func (c *Cluster) Client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	base := []kgo.Opt{kgo.SeedBrokers(c.Addr()), kgo.Dialer(c.DialContext)}
	client, err := kgo.NewClient(append(base, opts...)...)
	if err != nil {
		c.t.Fatalf("brokertest: client: %v", err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// CreateTopic makes a topic; configs are pairs of key and value.
func (c *Cluster) CreateTopic(name string, partitions int32, configs ...string) {
	c.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addr()), kgo.Dialer(c.DialContext))
	if err != nil {
		c.t.Fatalf("brokertest: client: %v", err)
	}
	defer client.Close()
	values := make(map[string]*string)
	for i := 0; i+1 < len(configs); i += 2 {
		values[configs[i]] = &configs[i+1]
	}
	if _, err := kadm.NewClient(client).CreateTopic(c.t.Context(), partitions, 1, values, name); err != nil {
		c.t.Fatalf("brokertest: create topic %s: %v", name, err)
	}
}

// testWriter sends log lines to the test's log.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}
