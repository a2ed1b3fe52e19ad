package runtime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/broker/brokertest"
	"millrace/rest"
	"millrace/runtime"
	"millrace/runtime/kafkatest"
	"millrace/runtime/membership"
)

// A node is one of several workers, with its REST API.
type node struct {
	*worker
	url    string
	server *rest.Server
	// kill cuts the node off: from one moment on, nothing of it reaches the log.
	kill func()
	end  func()
}

// startNode starts a worker of the group "cluster" on a log.
func startNode(t *testing.T, b testLog, fakes *fakes, settings ...string) *node {
	t.Helper()
	cfg := nodeConfig(t, b, settings...)
	network := newNetwork(b)
	cfg.Dialer = network.dial
	n := &node{worker: &worker{t: t, broker: b, cfg: cfg, fakes: fakes}}
	r, err := runtime.New(cfg, n.registry(), acceptAll{}, noLevels{})
	if err != nil {
		t.Fatal(err)
	}
	rc, err := rest.ParseConfig(cfg.Properties)
	if err == nil {
		n.server, err = rest.New(rc, r.Herder(), nil, nil)
	}
	if err == nil {
		err = n.server.Listen(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Serving(n.server.Addr())
	n.Runtime, n.Herder, n.url = r, r.Herder(), "http://"+n.server.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	serving, stopServing := context.WithCancel(context.Background())
	ended, served := make(chan error, 1), make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	go func() { served <- n.server.Run(serving) }()
	n.end = func() {
		n.end = func() {}
		http.DefaultClient.CloseIdleConnections()
		cancel()
		stopServing()
		err := errors.Join(<-ended, <-served)
		if err != nil && !network.isCut() {
			t.Errorf("node %s: %v", n.url, err)
		}
	}
	n.kill = network.cut
	t.Cleanup(func() { n.end() })
	select {
	case <-r.Ready():
	case err := <-ended:
		ended <- err
		t.Fatalf("node ended: %v", err)
	case <-time.After(patience):
		t.Fatal("node is not ready")
	}
	return n
}

func nodeConfig(t *testing.T, b testLog, settings ...string) runtime.Config {
	t.Helper()
	props := map[string]string{
		"bootstrap.servers": b.Addr(), "group.id": "cluster", "offset.flush.interval.ms": "50", "listeners": "http://127.0.0.1:0",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets", "status.storage.topic": "connect-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "3", "status.storage.partitions": "2",
		"session.timeout.ms": "6000", "heartbeat.interval.ms": "200", "task.shutdown.graceful.timeout.ms": "2000", "scheduled.rebalance.max.delay.ms": "5000",
	}
	for i := 0; i+1 < len(settings); i += 2 {
		props[settings[i]] = settings[i+1]
	}
	cfg, err := runtime.ParseWorkerConfig(runtime.Distributed, props)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return cfg
}

// A network reaches a log until it is cut.
type network struct {
	dialer func(ctx context.Context, network, address string) (net.Conn, error)
	mu     sync.Mutex
	gone   bool
	conns  []net.Conn
}

func newNetwork(b testLog) *network {
	if integrated, ok := b.(*brokertest.Cluster); ok {
		return &network{dialer: integrated.DialContext}
	}
	return &network{dialer: new(net.Dialer).DialContext}
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := n.dialer(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		return nil, errors.Join(errors.New("the network is cut"), conn.Close())
	}
	n.conns = append(n.conns, conn)
	return conn, nil
}

func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	for _, c := range n.conns {
		_ = c.Close() // it may be closed already
	}
}

func (n *network) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gone
}

// rest calls the REST API of a node; the answer must have the status.
func (n *node) rest(method, path, body string, want int, into any) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err != nil || resp.StatusCode != want {
		n.t.Fatalf("%s %s at %s: %d %s, %v; want %d", method, path, n.url, resp.StatusCode, data, err, want)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			n.t.Fatalf("%s: %v in %s", path, err, data)
		}
	}
}

func (n *node) putAt(config map[string]string, want int) {
	n.t.Helper()
	body, err := json.Marshal(config)
	if err != nil {
		n.t.Fatal(err)
	}
	n.rest(http.MethodPut, "/connectors/"+config["name"]+"/config", string(body), want, nil)
}

// where returns the workers of all running tasks and connectors, by "connector" and "connector-0", once all of them run.
func (n *node) where(connectors, tasks int, workers ...*node) map[string]string {
	n.t.Helper()
	var at map[string]string
	alive := make(map[string]bool)
	for _, w := range workers {
		alive[strings.TrimPrefix(w.url, "http://")] = true
	}
	eventually(n.t, fmt.Sprintf("%d connectors with %d tasks run", connectors, tasks), func() bool {
		names, err := n.Connectors(n.t.Context())
		if err != nil || len(names) != connectors {
			return false
		}
		at = make(map[string]string)
		for _, name := range names {
			st, err := n.Status(n.t.Context(), name)
			if err != nil || st.Connector.State != runtime.StateRunning || !alive[st.Connector.WorkerID] {
				return false
			}
			at[name] = st.Connector.WorkerID
			for _, task := range st.Tasks {
				if task.State != runtime.StateRunning || !alive[task.WorkerID] {
					return false
				}
				at[fmt.Sprintf("%s-%d", name, task.ID)] = task.WorkerID
			}
		}
		return len(at) == connectors+tasks
	})
	return at
}

func perWorker(at map[string]string) map[string]int {
	n := make(map[string]int)
	for name, worker := range at {
		if strings.Contains(name, "-") {
			n[worker]++
		}
	}
	return n
}

// TestCluster runs three workers in one process on either log.
func TestCluster(t *testing.T) {
	logs := map[string]func(*testing.T) testLog{
		"integrated log": func(t *testing.T) testLog {
			return brokertest.Start(t, quickGroups)
		},
		"Apache Kafka": func(t *testing.T) testLog { return kafkatest.Start(t) },
	}
	for name, start := range logs {
		t.Run(name, func(t *testing.T) { clusterLife(t, start(t)) })
	}
}

func clusterLife(t *testing.T, b testLog) {
	f := newFakes()
	first := startNode(t, b, f)
	second := startNode(t, b, f)
	source := func(name, tasks string) map[string]string {
		return map[string]string{"name": name, "connector.class": "test.NumberSource", "tasks.max": tasks, "topic": name, "limit": "1000000", "rate": "slow"}
	}
	// Either takes writes, and answers at once what the other wrote.
	second.putAt(source("a", "4"), http.StatusCreated)
	first.putAt(source("b", "2"), http.StatusCreated)
	at := first.where(2, 6, first, second)
	if n := perWorker(at); len(n) != 2 {
		t.Fatalf("tasks are at %v, want both workers", at)
	}

	starts := f.starts()
	third := startNode(t, b, f)
	eventually(t, "the third has its share", func() bool { return perWorker(third.where(2, 6, first, second, third))[third.id()] == 2 })
	next := third.where(2, 6, first, second, third)
	for name, worker := range at {
		if next[name] != worker && next[name] != third.id() {
			t.Errorf("%s moved from %s to %s; only the third should get any", name, worker, next[name])
		}
	}
	for task, n := range f.starts() {
		if moved := next[task] != at[task]; !moved && n != starts[task] {
			t.Errorf("%s stayed but started %d times more", task, n-starts[task])
		}
	}

	// What is somebody else's restarts there, whoever is asked.
	for _, n := range []*node{first, second, third} {
		n.rest(http.MethodPost, "/connectors/a/tasks/0/restart", "", http.StatusNoContent, nil)
		n.rest(http.MethodPost, "/connectors/a/restart", "", http.StatusNoContent, nil)
		n.rest(http.MethodPost, "/connectors/a/restart?includeTasks=true", "", http.StatusAccepted, nil)
		n.where(2, 6, first, second, third)
	}

	client := b.Client()
	defer client.Close()
	// During a round the group shows nobody's work.
	eventually(t, "the group shows two tasks of each worker", func() bool {
		views, err := membership.Describe(t.Context(), client)
		return err == nil && len(views) == 1 && len(views[0].Workers) == 3 &&
			!slices.ContainsFunc(views[0].Workers, func(w membership.WorkerView) bool { return len(w.Work.Tasks) != 2 })
	})

	// One that says goodbye is not waited for.
	began := time.Now()
	third.end()
	first.where(2, 6, first, second)
	if took := time.Since(began); took > 4500*time.Millisecond {
		t.Errorf("work of a worker that stopped moved after %s, want sooner than a lost one's delay of 5 s", took)
	}

	// One that is killed is waited for, then its work moves; a delete at the survivor works meanwhile.
	before := first.where(2, 6, first, second)
	starts = f.starts()
	killed := time.Now()
	second.kill()
	first.where(2, 6, first)
	if took := time.Since(killed); took > 6*time.Second+5*time.Second+8*time.Second {
		t.Errorf("work of a worker that was killed moved after %s", took)
	}
	for task, n := range f.starts() {
		if before[task] == first.id() && n != starts[task] {
			t.Errorf("%s stayed but started %d times more", task, n-starts[task])
		}
	}
	first.rest(http.MethodDelete, "/connectors/a", "", http.StatusNoContent, nil)
	first.where(1, 2, first)
}

func (n *node) id() string { return strings.TrimPrefix(n.url, "http://") }

// TestCluster_missing_class: a worker without a connector's class does not join those that have it.
func TestCluster_missing_class(t *testing.T) {
	b := brokertest.Start(t, quickGroups)
	n := startNode(t, b, newFakes())
	n.putAt(map[string]string{"name": "orders", "connector.class": "com.example.Missing"}, http.StatusCreated)
	cfg := nodeConfig(t, b)
	cfg.Dialer = b.DialContext
	r, err := runtime.New(cfg, n.registry(), acceptAll{}, noLevels{})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(t.Context())
	for _, part := range []string{`connector "orders"`, `"com.example.Missing"`, "cannot join group cluster"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Run() = %v, want an error with %s", err, part)
		}
	}
}

func TestCluster_times_that_do_not_go_together(t *testing.T) {
	tests := map[string][]string{
		"session.timeout.ms is 6000, task.shutdown.graceful.timeout.ms 5800 and heartbeat.interval.ms 200": {"task.shutdown.graceful.timeout.ms", "5800"},
		"rebalance.timeout.ms is 1000 and task.shutdown.graceful.timeout.ms 2000":                          {"rebalance.timeout.ms", "1000"},
	}
	for want, settings := range tests {
		props := map[string]string{
			"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "key.converter": "test.EvenConverter", "value.converter": "test.EvenConverter", "config.storage.topic": "c",
			"offset.storage.topic": "o", "status.storage.topic": "s", "session.timeout.ms": "6000", "heartbeat.interval.ms": "200",
			"task.shutdown.graceful.timeout.ms": "2000", settings[0]: settings[1],
		}
		cfg, err := runtime.ParseWorkerConfig(runtime.Distributed, props)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = runtime.New(cfg, (&worker{t: t, fakes: newFakes()}).registry(), acceptAll{}, noLevels{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", settings, err, want)
		}
	}
}

// TestCluster_with_Kafka_Connect has a Java worker and one of ours in one group; either is killed, and the other goes on.
func TestCluster_with_Kafka_Connect(t *testing.T) {
	k := kafkatest.Start(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	lines := 0
	feed := func() {
		t.Helper()
		f, err := os.OpenFile(in, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		for i := 0; i < 100 && err == nil; i++ {
			_, err = fmt.Fprintf(f, "line %d\n", lines)
			lines++
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	timing := []string{"session.timeout.ms", "6000", "heartbeat.interval.ms", "500", "scheduled.rebalance.max.delay.ms", "1000",
		"consumer.session.timeout.ms", "6000"} // Kafka Connect's sinks need to be told
	java := k.StartConnect("cluster", timing...)
	ours := startNode(t, k, newFakes(), timing...)
	workers := func(want ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("source and sink run at %v", want), func() bool {
			at := make(map[string]bool)
			for _, name := range []string{"source", "sink"} {
				st, err := ours.Status(t.Context(), name)
				if err != nil || st.Connector.State != runtime.StateRunning || len(st.Tasks) != 1 || st.Tasks[0].State != runtime.StateRunning {
					return false
				}
				at[st.Tasks[0].WorkerID] = true
			}
			for _, w := range want {
				if !at[w] {
					return false
				}
			}
			return len(at) == len(want)
		})
	}
	// committed waits until all lines are in the sink's file, and the offsets say so.
	committed := func() {
		t.Helper()
		eventually(t, fmt.Sprintf("%d lines arrive", lines), func() bool {
			data, err := os.ReadFile(out)
			return err == nil && bytes.Contains(data, fmt.Appendf(nil, "line %d\n", lines-1))
		})
		info, err := os.Stat(in)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the offset is committed", func() bool {
			offs, err := ours.Offsets(t.Context(), "source")
			return err == nil && len(offs) == 1 && offs[0].Offset["position"] == info.Size()
		})
	}
	feed()
	// Whoever leads, ours takes the call.
	ours.putAt(map[string]string{"name": "source", "connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"}, http.StatusCreated)
	ours.putAt(map[string]string{"name": "sink", "connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1"}, http.StatusCreated)
	workers(java.Addr, ours.id())
	committed()

	java.Kill()
	workers(ours.id())
	feed()
	committed()

	java = k.StartConnect("cluster", timing...)
	workers(java.Addr, ours.id())
	feed()
	committed()
	ours.kill()
	feed()
	eventually(t, "Kafka Connect runs everything", func() bool {
		data, err := os.ReadFile(out)
		return err == nil && bytes.Contains(data, fmt.Appendf(nil, "line %d\n", lines-1))
	})

	seen := make(map[string]int)
	for _, r := range ours.consume("lines", lines) {
		seen[string(r.Value)]++
	}
	for i := range lines {
		if n := seen[fmt.Sprintf("line %d", i)]; n != 1 { // nobody was killed before its offsets were committed
			t.Errorf("line %d is in the topic %d times", i, n)
		}
	}
}
