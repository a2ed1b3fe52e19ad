package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"millrace/runtime"
)

// TestChangesTouchOnlyTheirOwn counts the starts of other connectors' tasks, and of tasks that stay, while one connector goes through its life.
func TestChangesTouchOnlyTheirOwn(t *testing.T) {
	w := startWorker(t)
	config := func(name string) map[string]string {
		return map[string]string{"name": name, "connector.class": "test.NumberSource", "topic": name, "tasks.max": "2"}
	}
	others := []string{"o1", "o2", "o3"}
	for _, name := range append(others, "changing") {
		w.put(config(name))
	}
	for _, name := range append(others, "changing") {
		w.await(name, runtime.StateRunning, runtime.StateRunning, runtime.StateRunning)
	}
	running := func() { w.await("changing", runtime.StateRunning, runtime.StateRunning, runtime.StateRunning) }
	changes := []struct {
		name string
		do   func(ctx context.Context) error
		then func()
		// starts are those of the connector's own tasks.
		starts int64
	}{
		{"pause", func(ctx context.Context) error { return w.Pause(ctx, "changing") },
			func() { w.await("changing", runtime.StatePaused, runtime.StatePaused, runtime.StatePaused) }, 0},
		{"resume", func(ctx context.Context) error { return w.Resume(ctx, "changing") }, running, 0},
		{"restart of the connector", func(ctx context.Context) error { return w.Restart(ctx, "changing") }, running, 0},
		{"restart of a task", func(ctx context.Context) error {
			return w.RestartTask(ctx, runtime.TaskID{Connector: "changing", Task: 1})
		}, running, 1},
		{"new configuration", func(context.Context) error {
			c := config("changing")
			c["topic"] = "elsewhere"
			w.put(c)
			return nil
		}, func() {
			eventually(t, "both tasks started again", func() bool { return w.fakes.source("changing").starts.Load() == 5 })
			running()
		}, 2},
		{"another connector", func(context.Context) error { w.put(config("new")); return nil },
			func() { w.await("new", runtime.StateRunning, runtime.StateRunning, runtime.StateRunning) }, 0},
		{"stop", func(ctx context.Context) error { return w.Stop(ctx, "changing") },
			func() { w.await("changing", runtime.StateStopped) }, 0},
		{"deletion", func(ctx context.Context) error { return w.DeleteConnector(ctx, "changing") },
			func() {
				eventually(t, "it is gone", func() bool {
					_, err := w.Status(t.Context(), "changing")
					var e *runtime.Error
					return errors.As(err, &e) && e.Kind == runtime.KindNotFound
				})
			}, 0},
	}
	for _, c := range changes {
		before := w.fakes.source("changing").starts.Load()
		if err := c.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		c.then()
		got := fmt.Sprint(w.fakes.source("changing").starts.Load() - before)
		for _, name := range others {
			got += fmt.Sprint(" ", w.fakes.source(name).starts.Load())
		}
		if want := fmt.Sprint(c.starts, " 2 2 2"); got != want {
			t.Errorf("%s: starts of its own tasks and of the others' %s, want %s", c.name, got, want)
		}
	}
}
