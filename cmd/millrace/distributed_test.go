package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/proc"
)

// clusterTimeout bounds each wait of the cluster's test: a node is missed after its session and its tasks after the delay.
const clusterTimeout = time.Minute

// TestThreeNodes starts the nodes of examples/cluster, each with log and worker in one process, and kills one of them with -9, leader or not.
func TestThreeNodes(t *testing.T) {
	const tasks, name = 6, "demo"
	var nodes []*proc.Worker
	var voters, brokers []string
	for i := range 3 {
		w, err := proc.NewWorker(binary, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		w.File = fmt.Sprintf("../../examples/cluster/node%d.properties", i+1)
		nodes = append(nodes, w)
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, w.Kafka))
		brokers = append(brokers, w.Kafka)
	}
	for _, w := range nodes {
		for _, set := range []string{"broker.controller.quorum.voters=" + strings.Join(voters, ","), "task.shutdown.graceful.timeout.ms=2000",
			"heartbeat.interval.ms=500", "session.timeout.ms=6000", "scheduled.rebalance.max.delay.ms=2000"} {
			w.Extra = append(w.Extra, "--set", set)
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := w.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
	within := func(f func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
		defer cancel()
		if err := f(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range nodes {
		within(w.Ready)
	}
	within(func(ctx context.Context) error {
		return nodes[1].Create(ctx, name, map[string]string{"connector.class": "VerifiableSource", "topic": name, "throughput": "500",
			"tasks.max": fmt.Sprint(tasks)})
	})
	within(func(ctx context.Context) error { return spread(ctx, nodes[2], name, tasks, nodes) })
	written(t, brokers, tasks, 200)

	for round, killed := range nodes[:2] {
		begin := time.Now()
		if err := killed.Kill(); err != nil {
			t.Fatal(err)
		}
		others := append(append([]*proc.Worker(nil), nodes[:round]...), nodes[round+1:]...)
		within(func(ctx context.Context) error { return spread(ctx, others[1], name, tasks, others) })
		t.Logf("node %d killed: its tasks run elsewhere after %s", round+1, time.Since(begin).Round(100*time.Millisecond))
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		within(killed.Ready)
		within(func(ctx context.Context) error { return spread(ctx, others[0], name, tasks, nodes) })
	}
	within(func(ctx context.Context) error {
		_, err := nodes[2].Do(ctx, http.MethodPut, "/connectors/"+name+"/stop", nil)
		return err
	})
	written(t, brokers, tasks, 1000)
}

// spread waits until all tasks run on these workers, and each of them has some.
func spread(ctx context.Context, asked *proc.Worker, name string, tasks int, workers []*proc.Worker) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var answer []byte
	for {
		var status struct {
			Tasks []struct {
				State    string
				WorkerID string `json:"worker_id"`
			}
		}
		var err error
		if answer, err = asked.Do(ctx, http.MethodGet, "/connectors/"+name+"/status", nil); err == nil {
			if err := json.Unmarshal(answer, &status); err != nil {
				return err
			}
		}
		running := make(map[string]int)
		for _, task := range status.Tasks {
			if task.State == "RUNNING" {
				running[task.WorkerID]++
			}
		}
		n, idle := 0, false
		for _, w := range workers {
			n += running[w.REST]
			idle = idle || running[w.REST] == 0
		}
		if n == tasks && !idle {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the tasks do not run where they should: %s", answer)
		}
	}
}

// written reads the topic until each task has written at least n records, and checks that none is missing among them.
func written(t *testing.T, brokers []string, tasks, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("demo"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	seen := make(map[string]map[int]int)
	enough := func() bool {
		if len(seen) < tasks {
			return false
		}
		for _, s := range seen {
			if len(s) < n {
				return false
			}
		}
		return true
	}
	for !enough() {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			var seq int
			if err := json.Unmarshal(r.Value, &seq); err != nil {
				t.Errorf("record %s: %v", r.Value, err)
			}
			if seen[string(r.Key)] == nil {
				seen[string(r.Key)] = make(map[int]int)
			}
			seen[string(r.Key)][seq]++
		})
		if ctx.Err() != nil {
			t.Fatalf("not enough records of each task: %d tasks", len(seen))
		}
	}
	for key, s := range seen {
		for seq := range n {
			if s[seq] == 0 {
				t.Errorf("task %s: record %d is lost", key, seq)
				break
			}
		}
	}
}
