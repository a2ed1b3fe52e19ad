package connectbench_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"millrace/cmd/internal/proc"
	"millrace/runtime/kafkatest"
)

// A worker is what is measured.
type worker struct {
	name  string
	kafka string // the log's host:port
	java  bool
	api   *proc.Worker // of a Java worker only the REST address is set
	pid   func() int
	// start starts it again on what it had and returns at once, stop ends it as an operator does.
	start func()
	stop  func()
}

const (
	onOwn   = "Millrace, its log included"
	onKafka = "Millrace on Apache Kafka"
	javas   = "Kafka Connect on Apache Kafka"
)

// ours makes a worker that is not started, on its own log if bootstrap is "".
func ours(t *testing.T, bin, bootstrap string) *worker {
	t.Helper()
	p, err := proc.NewWorker(bin, t.TempDir())
	check(t, err)
	p.Bootstrap = bootstrap
	w := &worker{name: onOwn, kafka: p.Kafka, api: p, pid: p.Pid}
	if bootstrap != "" {
		w.name, w.kafka = onKafka, bootstrap
		p.Extra = []string{"--set", "group.id=ours", "--set", "config.storage.topic=connect-configs", "--set", "offset.storage.topic=connect-offsets",
			"--set", "status.storage.topic=connect-status", "--set", "config.storage.replication.factor=1",
			"--set", "offset.storage.replication.factor=1", "--set", "status.storage.replication.factor=1"}
	}
	w.start = func() {
		t.Helper()
		check(t, p.Start())
	}
	w.stop = func() {
		t.Helper()
		_, err := p.Stop()
		check(t, err)
	}
	t.Cleanup(func() { check(t, p.Kill()) })
	return w
}

// theirs makes a worker of Kafka Connect that is not started.
func theirs(k *kafkatest.Kafka) *worker {
	w := &worker{name: javas, kafka: k.Addr(), java: true}
	var c *kafkatest.Connect
	w.start = func() {
		c = k.StartConnect("theirs", "offset.flush.interval.ms", "1000")
		w.api, w.pid = &proc.Worker{REST: c.Addr}, c.Pid
	}
	w.stop = func() { c.Stop() }
	return w
}

// ready waits until the REST API answers.
func (w *worker) ready(ctx context.Context) error {
	if w.java {
		return nil // as its start does
	}
	return w.api.Ready(ctx)
}

// create posts a connector; Kafka Connect refuses with 409 while its group rebalances.
func (w *worker) create(ctx context.Context, name string, config map[string]string) error {
	var last error
	err := poll(ctx, func() (bool, error) {
		last = w.api.Create(ctx, name, config)
		if last != nil && !w.java {
			return false, last
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("create %s: %w (%v)", name, err, last)
	}
	return nil
}

func (w *worker) delete(ctx context.Context, name string) error {
	return poll(ctx, func() (bool, error) {
		_, err := w.api.Do(ctx, http.MethodDelete, "/connectors/"+name, nil)
		if err != nil && !w.java {
			return false, err
		}
		return err == nil, nil
	})
}

// poll asks every 20 ms, so that asking costs next to nothing, until done or the end of ctx.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
