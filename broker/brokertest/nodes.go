package brokertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker"
)

// Nodes is a cluster of several brokers in this process, on ports of the loopback interface.
type Nodes struct {
	t     testing.TB
	Nodes []*Node

	mu  sync.Mutex
	cut map[[2]int32]bool // node ids between which no connection is possible
	// open are the connections between nodes, so that a cut ends them.
	open map[net.Conn][2]int32
}

// Node is one broker of Nodes.
type Node struct {
	*Cluster
	ID int32
}

// StartCluster runs n brokers with the ids 1 to n, all of them voters, until the test ends. change may alter each one's
// configuration. It returns when all are ready.
func StartCluster(t testing.TB, n int, change ...func(*broker.Config)) *Nodes {
	t.Helper()
	c := &Nodes{t: t, cut: make(map[[2]int32]bool), open: make(map[net.Conn][2]int32)}
	var voters []broker.Voter
	for i, address := range freeAddresses(t, n) {
		voters = append(voters, broker.Voter{ID: int32(i + 1), Address: address})
	}
	for _, v := range voters {
		c.add(v.ID, v.Address, append([]func(*broker.Config){func(cfg *broker.Config) { cfg.Voters = voters }}, change...)...)
	}
	c.startAll()
	return c
}

// startAll starts nodes that can be ready only together.
func (c *Nodes) startAll() {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, node := range c.Nodes {
		node.launch()
	}
	for _, node := range c.Nodes {
		wg.Go(node.await)
	}
	wg.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// RestartAll stops every node and then starts them all.
func (c *Nodes) RestartAll() {
	c.t.Helper()
	for _, node := range c.Nodes {
		node.Stop()
	}
	c.startAll()
}

// Add runs one more broker, which is no voter, and returns when it is ready.
func (c *Nodes) Add(change ...func(*broker.Config)) *Node {
	c.t.Helper()
	voters := c.Nodes[0].cfg.Voters
	node := c.add(int32(len(c.Nodes)+1), "127.0.0.1:0", append([]func(*broker.Config){func(cfg *broker.Config) { cfg.Voters = voters }}, change...)...)
	node.Start()
	return node
}

func (c *Nodes) add(id int32, address string, change ...func(*broker.Config)) *Node {
	cfg := broker.DefaultConfig()
	cfg.NodeID, cfg.DataDir = id, c.t.TempDir()
	cfg.Listeners[0].Address = address
	cfg.PeerDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.dial(ctx, id, network, address)
	}
	cfg.Logger = slog.New(slog.NewTextHandler(testWriter{c.t}, &slog.HandlerOptions{Level: slog.LevelWarn})).With("node", id)
	for _, f := range change {
		f(&cfg)
	}
	node := &Node{&Cluster{t: c.t, cfg: cfg}, id}
	c.Nodes = append(c.Nodes, node)
	c.t.Cleanup(node.Stop)
	return node
}

// freeAddresses returns n addresses that are free and differ.
func freeAddresses(t testing.TB, n int) []string {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all are taken
		addresses[i] = l.Addr().String()
	}
	return addresses
}

// dial connects two nodes, unless they are cut off from each other.
func (c *Nodes) dial(ctx context.Context, from int32, network, address string) (net.Conn, error) {
	pair := [2]int32{from, 0}
	for _, node := range c.Nodes {
		if node.cfg.Listeners[0].Address == address {
			pair[1] = node.ID
		}
	}
	c.mu.Lock()
	cut := c.cut[pair]
	c.mu.Unlock()
	if cut {
		return nil, errors.New("cut off")
	}
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[nc] = pair
	return nc, nil
}

// Cut ends the connections between two nodes, and lets none be made until Heal.
func (c *Nodes) Cut(a, b int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pair := range [][2]int32{{a, b}, {b, a}} {
		c.cut[pair] = true
		for nc, between := range c.open {
			if between == pair {
				_ = nc.Close() // it ends either way
				delete(c.open, nc)
			}
		}
	}
}

// Heal undoes every Cut.
func (c *Nodes) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.cut)
}

// Kill ends a node without its farewells, as far as one process can.
func (n *Node) Kill() {
	n.kill(broker.ErrKilled)
}

// Client makes a client that knows all nodes.
func (c *Nodes) Client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	var seeds []string
	for _, n := range c.Nodes {
		seeds = append(seeds, n.cfg.Listeners[0].Address)
	}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		c.t.Fatalf("brokertest: client: %v", err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// Controller returns the node that is the active controller, as a majority of the running nodes say.
func (c *Nodes) Controller() *Node {
	c.t.Helper()
	deadline := time.Now().Add(startTimeout)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for time.Now().Before(deadline) {
		votes := make(map[int32]int)
		for _, n := range c.Nodes {
			if n.ended != nil {
				votes[n.Broker().ControllerID()]++
			}
		}
		for _, n := range c.Nodes {
			if n.ended != nil && votes[n.ID] > len(c.Nodes)/2 {
				return n
			}
		}
		<-ticker.C
	}
	c.t.Fatalf("brokertest: no controller within %v", startTimeout)
	return nil
}

func (n *Node) String() string { return fmt.Sprint("node ", n.ID) }
