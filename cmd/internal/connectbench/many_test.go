package connectbench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"millrace/cmd/internal/proc"
)

// A crowd is what many connectors with one task each take on one worker.
type crowd struct {
	worker         string
	connectors     int
	start          time.Duration // from the process's start until all tasks run
	cpu            time.Duration // of the start
	memory, peak   int64         // after the start, and at most
	status, expand time.Duration // p99 of GET /connectors/{name}/status and GET /connectors?expand=status&expand=info
	failed         error         // it did not get there
}

func manyName(i int) string { return fmt.Sprintf("many-%04d", i) }

// fillWorker creates the connectors: sources that wait for a file to grow.
func fillWorker(ctx context.Context, w *worker, dir string, n int) error {
	file := filepath.Join(dir, "empty.txt")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	for i := range n {
		if err := w.create(ctx, manyName(i), map[string]string{"connector.class": "FileStreamSource", "file": file, "topic": manyName(i),
			"value.converter": converters + "storage.StringConverter"}); err != nil {
			return err
		}
	}
	return running(ctx, w, n)
}

// running waits until n connectors and their tasks run on this worker.
func running(ctx context.Context, w *worker, n int) error {
	type state struct {
		State    string
		WorkerID string `json:"worker_id"`
	}
	ready := 0
	err := poll(ctx, func() (bool, error) {
		answer, err := w.api.Do(ctx, http.MethodGet, "/connectors?expand=status", nil)
		if err != nil {
			return false, nil // it is starting
		}
		var all map[string]struct {
			Status struct {
				Connector state
				Tasks     []state
			}
		}
		if err := json.Unmarshal(answer, &all); err != nil {
			return false, err
		}
		ready = 0
		for _, c := range all {
			up := func(s state) bool { return s.State == "RUNNING" && s.WorkerID == w.api.REST }
			if s := c.Status; up(s.Connector) && len(s.Tasks) == 1 && up(s.Tasks[0]) {
				ready++
			}
		}
		return ready >= n, nil
	})
	if err != nil {
		return fmt.Errorf("%d of %d run: %w", ready, n, err)
	}
	return nil
}

// measureMany starts a worker that has n connectors and measures it.
func measureMany(ctx context.Context, w *worker, n int, patience time.Duration) (c crowd) {
	c = crowd{worker: w.name, connectors: n}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not done within %v", patience))
	defer cancel()
	begin := time.Now()
	w.start()
	c.failed = errors.Join(w.ready(ctx), running(ctx, w, n))
	c.start = time.Since(begin)
	var err error
	if c.cpu, err = proc.CPU(w.pid()); err != nil {
		c.failed = errors.Join(c.failed, err)
		return c
	}
	if c.memory, err = proc.RSS(w.pid()); err != nil {
		c.failed = errors.Join(c.failed, err)
		return c
	}
	if c.peak, err = proc.PeakRSS(w.pid()); err != nil {
		c.failed = errors.Join(c.failed, err)
		return c
	}
	if c.failed != nil {
		return c
	}
	if c.status, c.failed = p99(ctx, w, 2000, func(i int) string { return "/connectors/" + manyName(i%n) + "/status" }); c.failed == nil {
		c.expand, c.failed = p99(ctx, w, 100, func(int) string { return "/connectors?expand=status&expand=info" })
	}
	return c
}

// p99 asks one after the other; the first tenth of the answers does not count.
func p99(ctx context.Context, w *worker, times int, path func(int) string) (time.Duration, error) {
	var took []time.Duration
	for i := range times + times/10 {
		begin := time.Now()
		if _, err := w.api.Do(ctx, http.MethodGet, path(i), nil); err != nil {
			return 0, err
		}
		if i >= times/10 {
			took = append(took, time.Since(begin))
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}

// many measures n connectors on each worker; those on the same log find the same connectors there.
func many(t *testing.T, workers []*worker, n int, patience time.Duration) []crowd {
	var crowds []crowd
	filled := make(map[string]bool)
	for _, w := range workers {
		if !filled[w.kafka] {
			filled[w.kafka] = true
			w.start()
			check(t, w.ready(t.Context()))
			begin := time.Now()
			check(t, fillWorker(t.Context(), w, t.TempDir(), n))
			t.Logf("%s: created %d connectors in %.1f s", w.name, n, time.Since(begin).Seconds())
			w.stop()
		}
		c := measureMany(t.Context(), w, n, patience)
		t.Logf("%+v", c)
		w.stop()
		crowds = append(crowds, c)
	}
	return crowds
}
