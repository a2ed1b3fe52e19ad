package runtime_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func sourceReachesTheTopicAndGoesOnAfterARestart(t *testing.T, w *worker) {
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

func sourceFailures(t *testing.T, w *worker) {
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

func sourceDeadLetters(t *testing.T, w *worker) {
	letters := func(topic string, n int) []map[string]string {
		var got []map[string]string
		for _, r := range w.consume(topic, n) {
			m := map[string]string{"value": string(r.Value)}
			for _, h := range r.Headers {
				m[strings.TrimPrefix(h.Key, "__connect.errors.")] = string(h.Value)
			}
			delete(m, "exception.stacktrace")
			got = append(got, m)
		}
		return got
	}
	dead := func(queue string, more ...string) []string {
		return append(more, "errors.tolerance", "all", "errors.deadletterqueue.topic.name", queue,
			"errors.deadletterqueue.topic.replication.factor", "1", "errors.deadletterqueue.context.headers.enable", "true")
	}
	w.fakes.source("n").limit.Store(4)
	w.put(numbers("n", dead("odd", "value.converter", "test.EvenConverter")...))
	letter := func(value, offset string) map[string]string {
		return map[string]string{
			"value": value, "topic": "n", "source.partition": `{"numbers":"all"}`, "source.offset": `{"next":` + offset + `}`,
			"connector.name": "n", "task.id": "0", "stage": "VALUE_CONVERTER", "class.name": "test.EvenConverter",
			"exception.class.name": "org.apache.kafka.connect.errors.DataException", "exception.message": value + " is odd",
		}
	}
	if diff := cmp.Diff([]map[string]string{letter("1", "2"), letter("3", "4")}, letters("odd", 2)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	w.consume("n", 2)
	eventually(t, "all are committed", func() bool {
		offsets, err := w.Offsets(t.Context(), "n")
		return err == nil && len(offsets) == 1 && offsets[0].Offset["next"] == int64(4)
	})

	// Records that the log refuses.
	w.fakes.source("p").limit.Store(2)
	w.put(numbers("p", dead("refused", "topic", "no/topic")...))
	got := letters("refused", 2)
	if got[1]["value"] != "1" || got[1]["stage"] != "KAFKA_PRODUCE" || got[1]["source.offset"] != `{"next":2}` ||
		!strings.Contains(got[1]["exception.message"], "INVALID_TOPIC_EXCEPTION") {
		t.Errorf("dead letter of a refused record: %v", got[1])
	}

	// Nothing is committed above a record that is neither in its topic nor in the queue.
	w.fakes.source("q").limit.Store(2)
	w.put(numbers("q", dead("no/queue", "value.converter", "test.EvenConverter")...))
	st := w.await("q", runtime.StateRunning, runtime.StateFailed)
	if !strings.Contains(st.Tasks[0].Trace, "no/queue") {
		t.Errorf("trace = %s", st.Tasks[0].Trace)
	}
	if offsets, err := w.Offsets(t.Context(), "q"); err != nil || len(offsets) > 0 {
		t.Errorf("offsets = %v, %v", offsets, err)
	}
}

func sourceConnectorThatDoesNotStart(t *testing.T, w *worker) {
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
