package runtime_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millrace/runtime"
	"millrace/runtime/kafkatest"
)

// TestTakeover has a worker of Kafka Connect and one of ours take turns on the same topics: each goes on where the other stopped.
func TestTakeover(t *testing.T) {
	k := kafkatest.Start(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	expected := ""
	feed := func(lines string) {
		expected += lines
		f, err := os.OpenFile(in, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(lines)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	arrived := func(turn, log string) {
		t.Helper()
		var data []byte
		deadline := time.Now().Add(patience)
		for string(data) != expected && time.Now().Before(deadline) {
			pause()
			var err error
			if data, err = os.ReadFile(out); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if string(data) != expected {
			t.Fatalf("%s: the sink's file has\n%swant\n%s%s", turn, data, expected, log)
		}
	}
	ours := func() *worker {
		cfg, err := runtime.ParseWorkerConfig(runtime.Distributed, map[string]string{
			"bootstrap.servers": k.Addr(), "group.id": "workers", "offset.flush.interval.ms": "200",
			"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
			"config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets", "status.storage.topic": "connect-status",
		})
		if err != nil {
			t.Fatal(err)
		}
		return startWorkerOn(t, k, func(c *runtime.Config) { cfg.Log = c.Log; *c = cfg })
	}
	pair := func(put func(name string, config map[string]string)) {
		put("source", map[string]string{"name": "source", "connector.class": "FileStreamSource", "file": in, "topic": "lines"})
		put("sink", map[string]string{"name": "sink", "connector.class": "FileStreamSink", "file": out, "topics": "lines"})
	}

	feed("1 Kafka Connect\n2 Kafka Connect\n")
	connect := k.StartConnect("workers")
	pair(connect.Put)
	arrived("Kafka Connect", connect.Log())
	connect.Stop()

	feed("3 Millrace\n")
	w := ours()
	arrived("Millrace after Kafka Connect", "")
	w.await("source", runtime.StateRunning, runtime.StateRunning)
	offsets, err := w.Offsets(t.Context(), "sink")
	if err != nil || len(offsets) != 1 {
		t.Errorf("sink offsets: %v, %v", offsets, err)
	}
	// A change that Kafka Connect must read, besides offsets.
	if err := w.Pause(t.Context(), "sink"); err != nil {
		t.Fatal(err)
	}
	w.await("sink", runtime.StatePaused, runtime.StatePaused)
	w.stop()

	feed("4 Kafka Connect\n")
	connect = k.StartConnect("workers")
	eventually(t, "Kafka Connect keeps the sink paused", func() bool {
		var status struct {
			Connector struct{ State string }
			Tasks     []struct{ State string }
		}
		return connect.Get("/connectors/sink/status", &status) && status.Connector.State == "PAUSED" &&
			len(status.Tasks) == 1 && status.Tasks[0].State == "PAUSED"
	})
	connect.Resume("sink")
	arrived("Kafka Connect after Millrace", connect.Log())
	connect.Stop()

	feed("5 Millrace\n")
	w = ours()
	arrived("Millrace again", "")
	w.stop()
}
