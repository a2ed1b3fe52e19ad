package runtime_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker/brokertest"
	"millrace/connectors"
	"millrace/runtime"
	"millrace/runtime/kafkatest"
)

// lifeStep is a step of a recorded life: a request and the records it caused.
type lifeStep struct {
	Step    string
	Request *struct {
		Method, Path string
		Body         json.RawMessage
	}
	Records []struct {
		Topic      string
		Key, Value *struct{ Bytes []byte }
	}
}

// history is what a topic had, by topic and key; a record equal to the one before it does not count.
type history struct {
	mu     sync.Mutex
	values map[string][]string
}

func (h *history) add(topic string, key, value []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, v := topic+" "+string(key), normal(string(key), value)
	if old := h.values[k]; len(old) == 0 || old[len(old)-1] != v {
		h.values[k] = append(old, v)
	}
}

func (h *history) get(key string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.values[key])
}

// normal leaves out what varies from run to run.
func normal(key string, value []byte) string {
	if value == nil {
		return "null"
	}
	var v map[string]any
	if err := json.Unmarshal(value, &v); err != nil {
		return string(value)
	}
	switch {
	case key == "session-key":
		return strings.Join(slices.Sorted(maps.Keys(v)), " ")
	case strings.HasPrefix(key, "status-topic-"):
		delete(v["topic"].(map[string]any), "discoverTimestamp")
		delete(v["topic"].(map[string]any), "task") // whichever came first
	case strings.HasPrefix(key, "status-"):
		delete(v, "generation")
		delete(v, "version") // null or not, by timing
		if v["trace"] != nil {
			v["trace"] = "some"
		}
	}
	text, err := json.Marshal(v) // sorted members
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestLife does what was done to a Kafka Connect worker and compares the records of the internal topics, key by key.
func TestLife(t *testing.T) {
	t.Run("integrated log", func(t *testing.T) { live(t, brokertest.Start(t, quickGroups)) })
	t.Run("Apache Kafka", func(t *testing.T) { live(t, kafkatest.Start(t)) })
}

func live(t *testing.T, log testLog) {
	data, err := os.ReadFile("testdata/life.json")
	if err != nil {
		t.Fatal(err)
	}
	var steps []lifeStep
	if err := json.Unmarshal(data, &steps); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	write := func(text string) {
		f, err := os.OpenFile("in.txt", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err = f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("first\nsecond!\n")
	lines := map[string]string{
		"two more lines in the file; offsets flushed": "third\nfor\n",
		"one more line, to the other topic":           "end\n",
	}
	w := startWorkerOn(t, log, func(c *runtime.Config) { c.WorkerID = "127.0.0.1:28083" })
	w.broker.CreateTopic("lines", 2)
	got, want := &history{values: map[string][]string{}}, &history{values: map[string][]string{}}
	watch(t, w, got)
	for _, s := range steps {
		write(lines[s.Step])
		var keys []string
		for _, r := range s.Records {
			if r.Topic == "__consumer_offsets" {
				continue
			}
			var value []byte
			if r.Value != nil {
				value = r.Value.Bytes
			}
			want.add(r.Topic, r.Key.Bytes, value)
			keys = append(keys, r.Topic+" "+string(r.Key.Bytes))
		}
		if s.Request != nil {
			w.request(s.Request.Method, s.Request.Path, s.Request.Body)
		}
		for _, k := range keys {
			if !arrives(got, k, want.get(k)) {
				t.Fatalf("step %q, key %q (-want +got):\n%s", s.Step, k, cmp.Diff(want.get(k), got.get(k)))
			}
		}
	}
	// Nothing came that Kafka Connect does not write.
	for k, v := range got.values {
		if diff := cmp.Diff(want.get(k), v); diff != "" {
			t.Errorf("key %q (-want +got):\n%s", k, diff)
		}
	}
}

func arrives(got *history, key string, want []string) bool {
	for range 3000 {
		if slices.Equal(got.get(key), want) {
			return true
		}
		pause()
	}
	return false
}

// watch collects the records of the internal topics until the test ends.
func watch(t *testing.T, w *worker, h *history) {
	client := w.broker.Client(kgo.ConsumeTopics("connect-configs", "connect-status", "connect-offsets"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { h.add(r.Topic, r.Key, r.Value) })
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; client.Close() })
}

// request calls the herder as REST does. Refusals are the test's business only through what is written.
func (w *worker) request(method, path string, body json.RawMessage) {
	w.t.Helper()
	u, err := url.Parse(path)
	if err != nil {
		w.t.Fatal(err)
	}
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i := range segments {
		if segments[i], err = url.PathUnescape(segments[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	name := ""
	if len(segments) > 1 {
		name = segments[1]
	}
	ctx := w.t.Context()
	config := func() connectors.RawConfig {
		var c connectors.RawConfig
		if err := json.Unmarshal(body, &c); err != nil {
			w.t.Fatal(err)
		}
		return c
	}
	offsets := func() []runtime.ConnectorOffset {
		var b struct{ Offsets []runtime.ConnectorOffset }
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		if err := d.Decode(&b); err != nil {
			w.t.Fatal(err)
		}
		return b.Offsets
	}
	route := method + " " + strings.Join(segments[min(2, len(segments)):], "/")
	switch {
	case segments[0] == "admin":
		_, err = w.SetLogger(ctx, segments[2], "DEBUG", u.Query().Get("scope") == "cluster")
	case name == "":
		var b struct {
			Name         string
			InitialState string `json:"initial_state"`
			Config       connectors.RawConfig
		}
		if err := json.Unmarshal(body, &b); err != nil {
			w.t.Fatal(err)
		}
		target := map[string]runtime.TargetState{"RUNNING": runtime.TargetStarted, "PAUSED": runtime.TargetPaused, "STOPPED": runtime.TargetStopped}
		_, err = w.CreateConnector(ctx, b.Name, b.Config, target[strings.ToUpper(b.InitialState)])
	case route == "DELETE ":
		err = w.DeleteConnector(ctx, name)
	case route == "PUT config":
		_, _, err = w.PutConfig(ctx, name, config())
	case route == "PATCH config":
		_, err = w.PatchConfig(ctx, name, config())
	case route == "PUT pause":
		err = w.Pause(ctx, name)
	case route == "PUT resume":
		err = w.Resume(ctx, name)
	case route == "PUT stop":
		err = w.Stop(ctx, name)
	case route == "POST restart" && u.RawQuery == "":
		err = w.Restart(ctx, name)
	case route == "POST restart":
		q := u.Query()
		_, err = w.RestartPlan(ctx, runtime.RestartRequest{Connector: name,
			IncludeTasks: q.Get("includeTasks") == "true", OnlyFailed: q.Get("onlyFailed") == "true"})
	case strings.HasPrefix(route, "POST tasks/"):
		id, aerr := strconv.Atoi(segments[3])
		if aerr != nil {
			w.t.Fatal(aerr)
		}
		err = w.RestartTask(ctx, runtime.TaskID{Connector: name, Task: id})
	case route == "PUT topics/reset":
		err = w.ResetActiveTopics(ctx, name)
	case route == "GET offsets":
		_, err = w.Offsets(ctx, name)
	case route == "PATCH offsets":
		_, err = w.AlterOffsets(ctx, name, offsets())
	case route == "DELETE offsets":
		_, err = w.ResetOffsets(ctx, name)
	default:
		w.t.Fatalf("no such route: %s", route)
	}
	if err != nil {
		w.t.Logf("%s %s: %v", method, path, err)
	}
}
