package runtime_test

import (
	"errors"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/runtime"
)

// TestHeal waits out one first back-off, which is 5 s at least, for several connectors at once.
func TestHeal(t *testing.T) {
	w := startWorker(t)
	numbers := func(name string, more ...string) map[string]string {
		config := map[string]string{"name": name, "connector.class": "test.NumberSource", "topic": name, "tasks.max": "1"}
		for i := 0; i+1 < len(more); i += 2 {
			config[more[i]] = more[i+1]
		}
		w.put(config)
		return config
	}
	numbers("heals")
	numbers("kafkas-way", "restart.policy", "none")
	numbers("mistaken", "fail", "start")
	numbers("untouched")
	w.await("untouched", runtime.StateRunning, runtime.StateRunning)
	for _, name := range []string{"heals", "kafkas-way"} {
		w.fakes.source(name).setErr(errors.New("the disk of " + name + " is away"))
		st := w.await(name, runtime.StateRunning, runtime.StateFailed)
		if !strings.Contains(st.Tasks[0].Trace, "is away") {
			t.Errorf("%s: trace %q", name, st.Tasks[0].Trace)
		}
		w.fakes.source(name).setErr(nil)
	}
	w.await("heals", runtime.StateRunning, runtime.StateRunning)
	if r := w.health("heals", runtime.Degraded).Tasks[0].Restarts; r == nil || r.Made != 1 || r.NextAt != nil {
		t.Errorf("restarts of a task that runs again: %+v", r)
	}
	w.await("kafkas-way", runtime.StateRunning, runtime.StateFailed)
	w.await("mistaken", runtime.StateFailed)
	if starts := w.fakes.source("heals").starts.Load(); starts != 2 {
		t.Errorf("the healed task started %d times, want 2", starts)
	}
	if starts := w.fakes.source("untouched").starts.Load(); starts != 1 {
		t.Errorf("the task of a connector that did not fail started %d times", starts)
	}
}

func TestRestart_policy_is_checked(t *testing.T) {
	w := startWorker(t)
	config := map[string]string{"name": "c", "connector.class": "test.NumberSource", "topic": "c", "restart.max.attempts": "many"}
	_, _, err := w.PutConfig(t.Context(), "c", connectors.Raw(config))
	var bad *runtime.Error
	if !errors.As(err, &bad) || bad.Kind != runtime.KindBadRequest || !strings.Contains(bad.Message, "restart.max.attempts") || !strings.Contains(bad.Message, "many") {
		t.Errorf("PutConfig = %v", err)
	}
}
