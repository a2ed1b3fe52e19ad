package runtime_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/plugins/providers"
	"millrace/runtime"
)

const (
	canary   = "canary-4711" // a secret written into a configuration
	provided = "songbird-0815"
)

// output collects a log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// secretsFile writes a file with one secret and returns its path and the properties of a provider for it.
func secretsFile(t *testing.T, value string) (path string, set *providers.Set) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "secrets.properties")
	writeSecret(t, path, value)
	set, err := providers.Parse(map[string]string{
		"config.providers": "file", "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
		"config.providers.file.param.ttl.ms": "20",
	})
	if err != nil {
		t.Fatal(err)
	}
	return path, set
}

// writeSecret replaces the file at once, as those who rotate secrets do.
func writeSecret(t *testing.T, path, value string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte("it="+value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestNoSecretGetsOut looks for two secrets in everything that a worker shows.
func TestNoSecretGetsOut(t *testing.T) {
	path, set := secretsFile(t, provided)
	var log output
	metrics := prometheus.NewRegistry()
	w := startWorker(t, func(c *runtime.Config) {
		c.Providers, c.Metrics, c.Log = set, metrics, slog.New(slog.NewTextHandler(&log, nil))
	})
	leak := fmt.Errorf("login with %s and %s refused", canary, provided)
	secret := []string{"db.password", canary, "api.token", "${file:" + path + ":it}"}

	w.produce("lines", "a!")
	w.fakes.sink("s").report = func(*connectors.SinkRecord) error { return leak }
	w.put(lister("s", "lines", append([]string{"errors.tolerance", "all", "errors.log.enable", "true", "errors.deadletterqueue.topic.name", "dead",
		"errors.deadletterqueue.topic.replication.factor", "1", "errors.deadletterqueue.context.headers.enable", "true"}, secret...)...))
	w.fakes.source("n").setErr(leak)
	config := map[string]string{"name": "n", "connector.class": "test.NumberSource", "topic": "numbers", "tasks.max": "1"}
	for i := 0; i < len(secret); i += 2 {
		config[secret[i]] = secret[i+1]
	}
	info, _, err := w.PutConfig(t.Context(), "n", connectors.Raw(config))
	if err != nil {
		t.Fatal(err)
	}
	status := w.await("n", runtime.StateRunning, runtime.StateFailed)
	letter := w.consume("dead", 1)[0]
	read, err := w.Connector(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := w.ConnectorConfig(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := w.Tasks(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	patched, err := w.PatchConfig(t.Context(), "s", connectors.Raw(map[string]string{"note": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{"log": log.String(), "metrics": fmt.Sprint(families), "dead letter": headersText(letter.Headers)}
	for what, v := range map[string]any{
		"answer of PUT": info, "connector": read, "config": plain, "tasks": tasks, "answer of PATCH": patched, "status": status,
	} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		outputs[what] = string(text)
	}
	for what, text := range outputs {
		if strings.Contains(text, canary) || strings.Contains(text, provided) {
			t.Errorf("%s has a secret: %s", what, text)
		}
	}
	// Not because there was nothing to show.
	for _, what := range []string{"log", "status", "dead letter"} {
		if !strings.Contains(outputs[what], "login with [hidden] and [hidden] refused") {
			t.Errorf("%s does not tell of the error: %s", what, outputs[what])
		}
	}
	if got := *read.Config["db.password"]; got != "[hidden]" {
		t.Errorf("db.password is shown as %s", got)
	}
	if got := *read.Config["api.token"]; got != config["api.token"] {
		t.Errorf("a reference is shown as %s", got)
	}
	stored := w.consume("connect-configs", 3)
	text := ""
	for _, r := range stored {
		text += string(r.Value)
	}
	if !strings.Contains(text, canary) || strings.Contains(text, provided) {
		t.Errorf("the config topic must have the secret and the reference, not its value: %s", text)
	}
}

func headersText(headers []kgo.RecordHeader) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Key, h.Value)
	}
	return b.String()
}

func TestHiddenMeansUnchanged(t *testing.T) {
	w := startWorker(t)
	config := map[string]string{"name": "n", "connector.class": "test.NumberSource", "topic": "numbers", "db.password": canary}
	w.put(config)
	shown, err := w.ConnectorConfig(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	edited := shown.Strings()
	edited["topic"] = "others"
	w.put(edited)
	if _, err := w.PatchConfig(t.Context(), "n", connectors.Raw(map[string]string{"db.password": "[hidden]", "note": "x"})); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.cfg.MaskSecrets = false
	w.start()
	got, err := w.ConnectorConfig(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(config)
	want["topic"], want["note"] = "others", "x"
	if !maps.Equal(got.Strings(), want) {
		t.Errorf("stored %v, want %v", got.Strings(), want)
	}
}

func TestHiddenWithoutStoredValueIsRefused(t *testing.T) {
	w := startWorker(t)
	config := map[string]string{"name": "n", "connector.class": "test.NumberSource", "topic": "numbers"}
	w.put(config)
	hidden := connectors.Raw(map[string]string{"db.password": "[hidden]"})
	_, patch := w.PatchConfig(t.Context(), "n", hidden)
	config["db.password"] = "[hidden]"
	_, _, put := w.PutConfig(t.Context(), "n", connectors.Raw(config))
	config["name"] = "other"
	_, create := w.CreateConnector(t.Context(), "other", connectors.Raw(config), "")
	for what, err := range map[string]error{"PATCH": patch, "PUT": put, "POST": create} {
		var e *runtime.Error
		if !errors.As(err, &e) || e.Kind != runtime.KindBadRequest || !strings.Contains(e.Message, "db.password") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNewValueOfProviderRestarts: the topic comes from a file; when that changes, the task goes on with the new one.
func TestNewValueOfProviderRestarts(t *testing.T) {
	path, set := secretsFile(t, "first")
	w := startWorker(t, func(c *runtime.Config) { c.Providers = set })
	system := w.fakes.source("n")
	system.limit.Store(3)
	w.put(map[string]string{"name": "n", "connector.class": "test.NumberSource", "topic": "${file:" + path + ":it}", "tasks.max": "1"})
	w.consume("first", 3)
	eventually(t, "they are committed", func() bool { return system.numbersCommitted() == 3 })
	writeSecret(t, path, "second")
	eventually(t, "the task is restarted", func() bool { return system.starts.Load() > 1 })
	w.await("n", runtime.StateRunning, runtime.StateRunning)
	system.limit.Store(6)
	w.consume("second", 3)
	tasks, err := w.Tasks(t.Context(), "n")
	if err != nil || *tasks[0].Config["topic"] != "${file:"+path+":it}" {
		t.Errorf("tasks %v %v: the reference must be stored", tasks, err)
	}
}

func TestUnreadableProviderFailsTheConnector(t *testing.T) {
	path, set := secretsFile(t, "first")
	w := startWorker(t, func(c *runtime.Config) { c.Providers = set })
	config := map[string]string{"name": "n", "connector.class": "test.NumberSource", "topic": "${file:" + path + ":it}", "tasks.max": "1"}
	w.put(config)
	w.await("n", runtime.StateRunning, runtime.StateRunning)
	w.stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.start()
	st := w.await("n", runtime.StateFailed, runtime.StateFailed)
	want := "org.apache.kafka.common.config.ConfigException: topic: config provider file: Could not read properties from file " + path + ": no such file or directory"
	if st.Connector.Trace != want {
		t.Errorf("trace %s, want %s", st.Connector.Trace, want)
	}
	config["name"] = "new"
	_, _, err := w.PutConfig(t.Context(), "new", connectors.Raw(config))
	var e *runtime.Error
	if !errors.As(err, &e) || e.Kind != runtime.KindInternal {
		t.Errorf("PUT: %v", err)
	}
}

func TestWorkerKeysOfProviders(t *testing.T) {
	path, _ := secretsFile(t, "7000")
	props := map[string]string{
		"key.converter": "JsonConverter", "value.converter": "JsonConverter", "config.providers": "file,unmade", "config.providers.file.class": "FileConfigProvider",
		"offset.flush.interval.ms": "${file:" + path + ":it}", "producer.literal": "${nobody:x:y}",
	}
	cfg, err := runtime.ParseWorkerConfig(runtime.Standalone, props)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.OffsetFlushInterval.Seconds() != 7 || cfg.Properties["producer.literal"] != "${nobody:x:y}" || !cfg.MaskSecrets {
		t.Errorf("%v %v %v", cfg.OffsetFlushInterval, cfg.Properties, cfg.MaskSecrets)
	}
	if !strings.Contains(strings.Join(cfg.Warnings, "\n"), "unmade") {
		t.Errorf("warnings %v", cfg.Warnings)
	}
	props["ssl.key.password"] = "${file:" + path + ":absent}"
	if _, err := runtime.ParseWorkerConfig(runtime.Standalone, props); err == nil || !strings.Contains(err.Error(), "ssl.key.password: config provider file has no value \"absent\"") {
		t.Errorf("got %v", err)
	}
}
