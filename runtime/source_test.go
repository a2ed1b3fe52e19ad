package runtime_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/runtime"
)

func numbers(name string, more ...string) map[string]string {
	config := map[string]string{"name": name, "connector.class": "test.NumberSource", "topic": name}
	for i := 0; i+1 < len(more); i += 2 {
		config[more[i]] = more[i+1]
	}
	return config
}

func TestSource_reaches_the_topic_and_goes_on_after_a_restart(t *testing.T) {
	w := startWorker(t)
	sys := w.fakes.source("n")
	sys.limit.Store(3000)
	w.put(numbers("n"))
	w.await("n", runtime.StateRunning, runtime.StateRunning)
	w.consume("n", 3000)
	eventually(t, "records are committed", func() bool { return sys.numbersCommitted() == 3000 })
	w.restart()
	w.await("n", runtime.StateRunning, runtime.StateRunning)
	sys.limit.Store(4000)
	for i, r := range w.consume("n", 4000) {
		if string(r.Value) != fmt.Sprint(i) {
			t.Fatalf("record %d is %s: a clean restart neither loses nor repeats", i, r.Value)
		}
	}
	offsets, err := w.Offsets(t.Context(), "n")
	eventually(t, "offsets are committed", func() bool {
		offsets, err = w.Offsets(t.Context(), "n")
		return err == nil && len(offsets) == 1 && offsets[0].Offset["next"] == int64(4000)
	})
}

func TestSource_failures(t *testing.T) {
	w := startWorker(t)
	tests := []struct {
		name, trace string
		err         error
	}{
		{"plain", "org.apache.kafka.connect.errors.ConnectException: the disk is on fire", errors.New("the disk is on fire")},
		{"panic", "panic: told to panic", errors.New("panic")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.fakes.source(tt.name).setErr(tt.err)
			w.put(numbers(tt.name))
			st := w.await(tt.name, runtime.StateRunning, runtime.StateFailed)
			if !strings.Contains(st.Tasks[0].Trace, tt.trace) {
				t.Errorf("trace = %s\nwant %s", st.Tasks[0].Trace, tt.trace)
			}
			w.fakes.source(tt.name).setErr(nil)
			if err := w.RestartTask(t.Context(), runtime.TaskID{Connector: tt.name}); err != nil {
				t.Fatal(err)
			}
			w.await(tt.name, runtime.StateRunning, runtime.StateRunning)
		})
	}
	t.Run("retriable", func(t *testing.T) {
		sys := w.fakes.source("retriable")
		sys.setErr(&connectors.RetriableError{Err: errors.New("away")})
		sys.limit.Store(1)
		w.put(numbers("retriable"))
		eventually(t, "polls again", func() bool { return sys.polls.Load() > 2 })
		sys.setErr(nil)
		w.consume("retriable", 1)
	})
}

func TestSource_connector_that_does_not_start(t *testing.T) {
	w := startWorker(t)
	w.put(numbers("bad", "fail", "start"))
	st := w.await("bad", runtime.StateFailed)
	if want := "org.apache.kafka.common.config.ConfigException: told to fail"; st.Connector.Trace != want {
		t.Errorf("trace = %q, want %q", st.Connector.Trace, want)
	}
	err := w.Restart(t.Context(), "bad")
	var e *runtime.Error
	if !errors.As(err, &e) || e.Kind != runtime.KindInternal || e.Message != "Failed to start connector: bad" {
		t.Errorf("restart = %v", err)
	}
	w.put(numbers("many", "extra", "yes"))
	if st := w.await("many", runtime.StateFailed); !strings.Contains(st.Connector.Trace, "generated 2 tasks, which is greater than 1") {
		t.Errorf("trace = %q", st.Connector.Trace)
	}
}
