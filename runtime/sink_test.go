package runtime_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/connectors"
	"millrace/runtime"
)

func lister(name, topics string, more ...string) map[string]string {
	config := map[string]string{"name": name, "connector.class": "test.ListSink", "topics": topics}
	for i := 0; i+1 < len(more); i += 2 {
		config[more[i]] = more[i+1]
	}
	return config
}

func values(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return list
}

// committed waits until the group of a sink has read up to offset.
func (w *worker) committed(name string, offset int64) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%s commits %d", name, offset), func() bool {
		offs, err := w.Offsets(w.t.Context(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		return len(offs) == 1 && offs[0].Offset["kafka_offset"] == offset
	})
}

func sinkTakesAllAndGoesOnAfterARestart(t *testing.T, w *worker) {
	w.produce("lines", values(2000)...)
	w.put(lister("s", "lines"))
	w.await("s", runtime.StateRunning, runtime.StateRunning)
	target := w.fakes.sink("s")
	eventually(t, "all are put", func() bool { return target.count() == 2000 })
	w.committed("s", 2000)
	w.restart()
	w.await("s", runtime.StateRunning, runtime.StateRunning)
	w.produce("lines", "more")
	eventually(t, "one more is put", func() bool { return target.count() > 2000 })
	want := append(values(2000), "more")
	if diff := cmp.Diff(want, target.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	topics, err := w.ActiveTopics(t.Context(), "s")
	if err != nil || len(topics) != 1 || topics[0] != "lines" {
		t.Errorf("active topics = %v, %v", topics, err)
	}
}

func sinkPutsAgainAfterARetriableError(t *testing.T, w *worker) {
	target := w.fakes.sink("s")
	target.putErr = func(attempt int) error {
		if attempt < 4 {
			return &connectors.RetriableError{Err: errors.New("busy")}
		}
		return nil
	}
	w.produce("lines", values(10)...)
	w.put(lister("s", "lines"))
	eventually(t, "all are put", func() bool { return target.count() == 10 })
	if diff := cmp.Diff(values(10), target.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func sinkFailsForGood(t *testing.T, w *worker) {
	w.fakes.sink("s").putErr = func(int) error { return errors.New("full") }
	w.produce("lines", "a")
	w.put(lister("s", "lines"))
	st := w.await("s", runtime.StateRunning, runtime.StateFailed)
	want := "org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.\n" +
		"Caused by: org.apache.kafka.connect.errors.ConnectException: full"
	if st.Tasks[0].Trace != want {
		t.Errorf("trace = %s\nwant %s", st.Tasks[0].Trace, want)
	}
	if offs, err := w.Offsets(t.Context(), "s"); err != nil || len(offs) != 0 {
		t.Errorf("offsets = %v, %v: nothing was safe", offs, err)
	}
}

func sinkDeadLetters(t *testing.T, w *worker) {
	w.produce("lines", "a", "bx", "c", "dx", "e!")
	target := w.fakes.sink("s")
	target.report = func(r *connectors.SinkRecord) error {
		if strings.HasSuffix(r.Value.(string), "!") {
			return errors.New("not liked")
		}
		return nil
	}
	w.put(lister("s", "lines", "value.converter", "test.PickyConverter", "errors.tolerance", "all",
		"errors.deadletterqueue.topic.name", "dead", "errors.deadletterqueue.topic.replication.factor", "1",
		"errors.deadletterqueue.context.headers.enable", "true"))
	dead := w.consume("dead", 3)
	w.committed("s", 5)
	if diff := cmp.Diff([]string{"a", "c"}, target.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	headers := make([]map[string]string, len(dead))
	for i, r := range dead {
		headers[i] = map[string]string{"value": string(r.Value)}
		for _, h := range r.Headers {
			headers[i][strings.TrimPrefix(h.Key, "__connect.errors.")] = string(h.Value)
		}
		delete(headers[i], "exception.stacktrace")
	}
	converter := func(value, offset string) map[string]string {
		return map[string]string{
			"value": value, "topic": "lines", "partition": "0", "offset": offset, "connector.name": "s", "task.id": "0",
			"stage": "VALUE_CONVERTER", "class.name": "test.PickyConverter",
			"exception.class.name": "org.apache.kafka.connect.errors.DataException", "exception.message": "no x, please: " + value,
		}
	}
	put := converter("e!", "4")
	put["stage"], put["class.name"] = "TASK_PUT", "org.apache.kafka.connect.sink.SinkTask"
	put["exception.class.name"], put["exception.message"] = "org.apache.kafka.connect.errors.ConnectException", "not liked"
	if diff := cmp.Diff([]map[string]string{converter("bx", "1"), converter("dx", "3"), put}, headers); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func sinkToleranceNoneFailsAndRestartsWhereItFailed(t *testing.T, w *worker) {
	w.produce("lines", "a", "bx", "c")
	w.put(lister("s", "lines", "value.converter", "test.PickyConverter"))
	st := w.await("s", runtime.StateRunning, runtime.StateFailed)
	first, _, _ := strings.Cut(st.Tasks[0].Trace, "\n")
	if first != "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler" {
		t.Errorf("trace = %s", st.Tasks[0].Trace)
	}
	w.put(lister("s", "lines", "value.converter", "test.PickyConverter", "errors.tolerance", "all"))
	w.await("s", runtime.StateRunning, runtime.StateRunning)
	target := w.fakes.sink("s")
	eventually(t, "the others are put", func() bool { return target.count() == 2 })
}

func sinkPauseKeepsWhatComes(t *testing.T, w *worker) {
	w.produce("lines", "a")
	w.put(lister("s", "lines"))
	target := w.fakes.sink("s")
	eventually(t, "a is put", func() bool { return target.count() == 1 })
	if err := w.Pause(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	w.await("s", runtime.StatePaused, runtime.StatePaused)
	w.committed("s", 1)
	w.produce("lines", "b")
	w.restart() // a paused connector stays paused
	w.await("s", runtime.StatePaused, runtime.StatePaused)
	if n := target.count(); n != 1 {
		t.Errorf("%d values while paused", n)
	}
	if err := w.Resume(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is put", func() bool { return target.count() == 2 })
}

func sinkTasksSharePartitions(t *testing.T, w *worker) {
	w.broker.CreateTopic("wide", 4)
	w.put(lister("s", "wide", "tasks.max", "2"))
	w.await("s", runtime.StateRunning, runtime.StateRunning, runtime.StateRunning)
	target := w.fakes.sink("s")
	eventually(t, "four partitions are open", func() bool {
		target.mu.Lock()
		defer target.mu.Unlock()
		return len(target.open) == 4
	})
	w.produce("wide", values(100)...)
	eventually(t, "all are put", func() bool { return target.count() == 100 })
	w.put(lister("s", "wide", "tasks.max", "1"))
	w.await("s", runtime.StateRunning, runtime.StateRunning)
	w.produce("wide", values(100)...)
	eventually(t, "all are put once more", func() bool { return target.count() == 200 })
	if _, err := w.TaskStatus(t.Context(), runtime.TaskID{Connector: "s", Task: 1}); err == nil {
		t.Error("the task that is gone has a status")
	}
}

func sinkTopicsRegex(t *testing.T, w *worker) {
	w.produce("logs-a", "1")
	w.produce("logs-x", "2")
	w.produce("other-logs-c", "3")
	config := lister("s", "", "topics.regex", "logs-(?!x).*", "consumer.override.metadata.max.age.ms", "100")
	delete(config, "topics")
	w.put(config)
	target := w.fakes.sink("s")
	eventually(t, "the first is put", func() bool { return target.count() == 1 })
	w.produce("logs-b", "4")
	eventually(t, "that of a new topic is put", func() bool { return target.count() == 2 })
	target.mu.Lock()
	if diff := cmp.Diff([]string{"1", "4"}, target.values); diff != "" {
		t.Error(diff)
	}
	target.mu.Unlock()
	client := w.broker.Client()
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopic(t.Context(), "logs-b"); err != nil {
		t.Fatal(err)
	}
	gone := connectors.TopicPartition{Topic: "logs-b"}
	eventually(t, "the deleted topic is given up", func() bool {
		target.mu.Lock()
		defer target.mu.Unlock()
		return !target.open[gone]
	})
	w.produce("logs-a", "5")
	eventually(t, "the others go on", func() bool { return target.count() == 3 })
	w.await("s", runtime.StateRunning, runtime.StateRunning)
	config["topics.regex"] = "logs("
	w.put(config)
	st := w.await("s", runtime.StateRunning, runtime.StateFailed)
	if !strings.Contains(st.Tasks[0].Trace, "Invalid value logs( for configuration topics.regex: Invalid regex") {
		t.Errorf("trace = %s", st.Tasks[0].Trace)
	}
}
