package runtime_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"millrace/connectors"
	"millrace/runtime"
)

// accounted waits until a task has read n records and none is in flight, and checks that the counts add up at every look.
func (w *worker) accounted(name string, n int64) runtime.RecordCounts {
	w.t.Helper()
	var r runtime.RecordCounts
	eventually(w.t, name+" has settled its records", func() bool {
		health, err := w.ConnectorHealth(w.t.Context(), name)
		if err != nil || len(health.Tasks) != 1 || health.Tasks[0].Records == nil {
			return false
		}
		r = *health.Tasks[0].Records
		if sum := r.Written + r.Filtered + r.Skipped + r.DeadLettered + r.InFlight; sum != r.Read {
			w.t.Fatalf("%s: %+v adds up to %d", name, r, sum)
		}
		return r.Read >= n && r.InFlight == 0
	})
	return r
}

func TestHealth_accounts_for_records(t *testing.T) {
	const n = 5000
	w := startWorker(t)
	skip := map[string]string{"errors.tolerance": "all", "value.converter": "test.EvenConverter"}
	letters := map[string]string{"errors.tolerance": "all", "value.converter": "test.EvenConverter",
		"errors.deadletterqueue.topic.name": "letters", "errors.deadletterqueue.topic.replication.factor": "1"}
	filter := map[string]string{"transforms": "f", "transforms.f.type": "org.apache.kafka.connect.transforms.Filter"}
	for name, c := range map[string]struct {
		config map[string]string
		want   runtime.RecordCounts
	}{
		"plain":   {nil, runtime.RecordCounts{Read: n, Written: n}},
		"skips":   {skip, runtime.RecordCounts{Read: n, Written: n / 2, Skipped: n / 2}},
		"letters": {letters, runtime.RecordCounts{Read: n, Written: n / 2, DeadLettered: n / 2}},
		"filters": {filter, runtime.RecordCounts{Read: n, Filtered: n}},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			source := map[string]string{"name": name, "connector.class": "test.NumberSource", "topic": name, "tasks.max": "1"}
			maps.Copy(source, c.config)
			w.put(source)
			w.fakes.source(name).limit.Store(n)
			if got := w.accounted(name, n); got != c.want {
				t.Errorf("source: %+v, want %+v", got, c.want)
			}
		})
	}
	picky := maps.Clone(skip)
	picky["value.converter"] = "test.PickyConverter"
	pickyLetters := maps.Clone(letters)
	pickyLetters["value.converter"] = "test.PickyConverter"
	w.t = t
	for range 100 {
		w.produce("in", "a", "xb", "c", "xd")
	}
	reported := map[string]string{"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "letters",
		"errors.deadletterqueue.topic.replication.factor": "1"}
	w.fakes.sink("sink-reports").report = func(r *connectors.SinkRecord) error {
		if strings.HasPrefix(r.Value.(string), "x") {
			return errors.New("refused")
		}
		return nil
	}
	for name, c := range map[string]struct {
		config map[string]string
		want   runtime.RecordCounts
	}{
		"plain":   {nil, runtime.RecordCounts{Read: 400, Written: 400}},
		"skips":   {picky, runtime.RecordCounts{Read: 400, Written: 200, Skipped: 200}},
		"letters": {pickyLetters, runtime.RecordCounts{Read: 400, Written: 200, DeadLettered: 200}},
		"reports": {reported, runtime.RecordCounts{Read: 400, Written: 200, DeadLettered: 200}},
		"filters": {filter, runtime.RecordCounts{Read: 400, Filtered: 400}},
	} {
		t.Run("sink-"+name, func(t *testing.T) {
			w.t = t
			sink := map[string]string{"name": "sink-" + name, "connector.class": "test.ListSink", "topics": "in", "tasks.max": "1"}
			maps.Copy(sink, c.config)
			w.put(sink)
			if got := w.accounted("sink-"+name, 400); got != c.want {
				t.Errorf("sink: %+v, want %+v", got, c.want)
			}
		})
	}
	w.t = t
}

func (w *worker) health(name string, want runtime.Health) runtime.ConnectorHealth {
	w.t.Helper()
	var h runtime.ConnectorHealth
	eventually(w.t, name+" is "+string(want), func() bool {
		var err error
		h, err = w.ConnectorHealth(w.t.Context(), name)
		return err == nil && h.Health == want
	})
	return h
}

func TestHealth(t *testing.T) {
	w := startWorker(t, func(c *runtime.Config) { c.HealthStall = 100 * time.Millisecond })
	w.produce("in", "a")
	held := make(chan struct{})
	w.fakes.sink("sink").putErr = func(int) error { <-held; return nil }
	w.put(map[string]string{"name": "sink", "connector.class": "test.ListSink", "topics": "in", "tasks.max": "1"})
	if h := w.health("sink", runtime.Stalled); !strings.Contains(h.Reason, "no put has finished, 1 records wait") {
		t.Errorf("reason %q", h.Reason)
	}
	close(held)
	h := w.health("sink", runtime.Healthy)
	if lag := h.Tasks[0].Lag; lag == nil || *lag != 0 {
		t.Errorf("lag %v", lag)
	}

	w.put(map[string]string{"name": "source", "connector.class": "test.NumberSource", "topic": "out", "tasks.max": "2"})
	w.await("source", runtime.StateRunning, runtime.StateRunning, runtime.StateRunning)
	if h := w.health("source", runtime.Healthy); h.Reason != "2 tasks at work" {
		t.Errorf("reason %q", h.Reason)
	}
	w.fakes.source("source").setAway(time.Now().Add(time.Hour), errors.New("no route"))
	if h := w.health("source", runtime.Degraded); !strings.Contains(h.Reason, "cannot be reached: no route") {
		t.Errorf("reason %q", h.Reason)
	}
	w.fakes.source("source").setAway(time.Now().Add(-time.Hour), errors.New("no route"))
	w.health("source", runtime.Stalled)
	w.fakes.source("source").setAway(time.Time{}, nil)
	w.health("source", runtime.Healthy)
	w.fakes.source("source").setErr(errors.New("away"))
	h = w.health("source", runtime.Unhealthy)
	if r := h.Tasks[0].Restarts; r == nil || r.Cause != runtime.CauseConnector || r.LastError != "away" || r.NextAt == nil {
		t.Errorf("restarts %+v", r)
	}
	w.fakes.source("source").setErr(nil)
	if err := w.RestartTask(t.Context(), runtime.TaskID{Connector: "source", Task: 1}); err != nil {
		t.Fatal(err)
	}
	if h := w.health("source", runtime.Degraded); h.Tasks[0].Health != runtime.Unhealthy || h.Tasks[1].Restarts != nil {
		t.Errorf("%+v", h)
	}
	if h := w.health("source", runtime.Degraded); !strings.HasPrefix(h.Reason, "task 0: it has failed and is restarted in ") {
		t.Errorf("reason %q", h.Reason)
	}
	w.put(map[string]string{"name": "mistaken", "connector.class": "test.NumberSource", "topic": "out", "fail": "start"})
	if h := w.health("mistaken", runtime.Unhealthy); !strings.Contains(h.Reason, "a mistake in the configuration is not tried again") {
		t.Errorf("reason %q", h.Reason)
	}
	if err := w.Pause(t.Context(), "sink"); err != nil {
		t.Fatal(err)
	}
	w.await("sink", runtime.StatePaused, runtime.StatePaused)
	if h := w.health("sink", runtime.Healthy); h.Reason != "it is paused, as asked" {
		t.Errorf("reason %q", h.Reason)
	}
}
