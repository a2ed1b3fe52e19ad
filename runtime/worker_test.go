package runtime_test

import (
	"path/filepath"
	"testing"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/runtime"
)

func TestStandalone_without_topics_forgets_connectors_but_not_offsets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	w := startWorker(t, func(c *runtime.Config) { c.StateInTopics, c.OffsetFile = false, path })
	sys := w.fakes.source("n")
	sys.limit.Store(10)
	w.put(numbers("n"))
	w.await("n", runtime.StateRunning, runtime.StateRunning)
	eventually(t, "offsets are kept", func() bool {
		offs, err := w.Offsets(t.Context(), "n")
		return err == nil && len(offs) == 1 && offs[0].Offset["next"] == int64(10)
	})
	w.restart()
	if names, err := w.Connectors(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("connectors = %v, %v", names, err)
	}
	sys.limit.Store(11)
	if err := w.EnsureConnector(t.Context(), numbers("n")); err != nil {
		t.Fatal(err)
	}
	if n := len(w.consume("n", 11)); n != 11 {
		t.Errorf("%d records, want 11: reading went on where it was", n)
	}
}

func ensureConnectorLeavesAnEqualOneAlone(t *testing.T, w *worker) {
	for range 2 {
		if err := w.EnsureConnector(t.Context(), numbers("n")); err != nil {
			t.Fatal(err)
		}
		w.await("n", runtime.StateRunning, runtime.StateRunning)
	}
	if n := w.fakes.source("n").starts.Load(); n != 1 {
		t.Errorf("the task was started %d times", n)
	}
}

// TestStuckTopic: a topic that takes no records stops its own connector and nobody else, though they share a producer.
func TestStuckTopic(t *testing.T) {
	// The broker does not create topics, so that one that is missing takes no records for as long as it is missing.
	w := startWorkerOn(t, brokertest.Start(t, quickGroups, func(c *broker.Config) { c.AutoCreateTopics = false }))
	w.broker.CreateTopic("free", 1)
	w.fakes.source("stuck").limit.Store(1 << 40)
	w.put(numbers("stuck"))
	w.await("stuck", runtime.StateRunning, runtime.StateRunning)
	w.fakes.source("free").limit.Store(50000)
	w.put(numbers("free"))
	w.consume("free", 50000)
	// The budget bounds what it read, and it can be paused and deleted.
	if n := w.fakes.source("stuck").polls.Load(); n > 64 {
		t.Errorf("%d batches were read while the topic takes none", n)
	}
	if err := w.DeleteConnector(t.Context(), "stuck"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool {
		_, err := w.Status(t.Context(), "stuck")
		return err != nil
	})
}

// TestChange_touches_only_its_own_tasks counts the starts of the others.
func changeTouchesOnlyItsOwnTasks(t *testing.T, w *worker) {
	for _, name := range []string{"a", "b"} {
		w.put(numbers(name))
		w.await(name, runtime.StateRunning, runtime.StateRunning)
	}
	w.put(numbers("a", "note", "changed"))
	eventually(t, "a has new tasks", func() bool { return w.fakes.source("a").starts.Load() == 2 })
	w.put(numbers("a", "note", "changed")) // equal: the connector restarts, its task does not
	w.await("a", runtime.StateRunning, runtime.StateRunning)
	if err := w.DeleteConnector(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a is gone", func() bool {
		_, err := w.Status(t.Context(), "a")
		return err != nil
	})
	if a, b := w.fakes.source("a").starts.Load(), w.fakes.source("b").starts.Load(); a != 2 || b != 1 {
		t.Errorf("tasks were started %d and %d times, want 2 and 1", a, b)
	}
}
