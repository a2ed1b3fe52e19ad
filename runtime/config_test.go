package runtime_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/runtime"
)

// departures are configurations that Kafka Connect refuses and we accept: the integrated log needs no address, and a standalone
// worker keeps offsets in a topic when no file is named. Converter classes are looked up by New, which has the registry.
var departures = []string{
	`Missing required configuration "bootstrap.servers"`,
	`Configuration 'bootstrap.servers' must not be empty`,
	`Missing required configuration "offset.storage.file.filename"`,
	`could not be found.`,
}

func TestParseWorkerConfig_golden(t *testing.T) {
	files := []string{"testdata/worker.json"}
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		if more := filepath.Join(dir, "configdef", "worker.json"); exists(more) {
			files = append(files, more)
		}
	}
	n := 0
	for _, file := range files {
		var cases []struct {
			Name, Worker string
			Props        map[string]string
			Output       *struct{ Message string }
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			n++
			t.Run(c.Name, func(t *testing.T) {
				_, err := runtime.ParseWorkerConfig(runtime.Mode(c.Worker), c.Props)
				switch {
				case c.Output == nil && err != nil:
					t.Errorf("refused: %v", err)
				case c.Output != nil && err == nil && !isDeparture(c.Output.Message):
					t.Errorf("accepted, want %s", c.Output.Message)
				case c.Output != nil && err != nil && !strings.Contains(err.Error(), c.Output.Message) && !isDeparture(c.Output.Message):
					t.Errorf("error %q, want %q", err, c.Output.Message)
				}
			})
		}
	}
	t.Logf("golden: %d cases", n)
}

func isDeparture(message string) bool {
	for _, d := range departures {
		if strings.Contains(message, d) {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestParseWorkerConfig_names_all_mistakes(t *testing.T) {
	_, err := runtime.ParseWorkerConfig(runtime.Standalone, map[string]string{
		"key.converter": "x", "offset.flush.interval.ms": "soon", "topic.creation.enable": "yes", "listeners": ""})
	for _, want := range []string{
		`Missing required configuration "value.converter" which has no default value.`,
		"Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
		"Invalid value yes for configuration topic.creation.enable: Expected value to be either true or false",
		"Invalid value for listeners, at least one URL is expected",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

func TestParseWorkerConfig_warns_of_unknown_keys(t *testing.T) {
	c, err := runtime.ParseWorkerConfig(runtime.Standalone, map[string]string{
		"key.converter": "x", "value.converter": "x", "offset.flush.intervall.ms": "1", "producer.linger.ms": "5"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "offset.flush.intervall.ms: ") {
		t.Errorf("warnings = %q", c.Warnings)
	}
	c, err = runtime.ParseWorkerConfig(runtime.Standalone, map[string]string{"offset.flush.intervall.ms": "1"})
	if err == nil || len(c.Warnings) != 1 {
		t.Errorf("beside the error %v, warnings = %q, want one", err, c.Warnings)
	}
}

func TestParseWorkerConfig_worker_id_is_where_rest_answers(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ listeners, host, port, scheme, want string }{
		{"", "", "", "", "127.0.0.1:8083"},
		{"http://127.0.0.2:1", "", "", "", "127.0.0.2:1"},
		{"https://a:1,http://b:2", "", "", "", "b:2"},
		{"http://a:1,https://b:2", "", "", "HTTPS", "b:2"},
		{"https://a:1", "", "", "", "a:1"},
		{"https://a:1,http://b:2", "", "", "ftp", "b:2"},
		{"http://:8083", "", "", "", host + ":8083"},
		{"http://0.0.0.0:1", "c", "", "", "c:1"},
		{"http://[::1]:1", "", "9", "", "[::1]:9"},
	}
	for _, tt := range tests {
		props := map[string]string{"key.converter": "x", "value.converter": "x"}
		for k, v := range map[string]string{"listeners": tt.listeners, "rest.advertised.host.name": tt.host, "rest.advertised.port": tt.port,
			"rest.advertised.listener": tt.scheme} {
			if v != "" {
				props[k] = v
			}
		}
		c, err := runtime.ParseWorkerConfig(runtime.Standalone, props)
		if err != nil || c.WorkerID != tt.want {
			t.Errorf("%+v: %s, %v", tt, c.WorkerID, err)
		}
	}
}

func TestParseWorkerConfig_internal_topics_of_standalone(t *testing.T) {
	props := map[string]string{"key.converter": "x", "value.converter": "x", "bootstrap.servers": "a:1",
		"offset.storage.partitions": "3", "offset.storage.replication.factor": "2", "offset.storage.segment.bytes": "1048576"}
	c, err := runtime.ParseWorkerConfig(runtime.Standalone, props)
	if o := c.OffsetTopic; err != nil || c.StateInTopics || o.Partitions != 25 || o.ReplicationFactor != 3 || !o.ReplicationFactorAtMost {
		t.Errorf("without topics of its own: %+v, %v", c, err)
	}
	props["config.storage.topic"] = "configs"
	c, err = runtime.ParseWorkerConfig(runtime.Standalone, props)
	o := c.OffsetTopic
	if err != nil || !c.StateInTopics || c.ConfigTopic.Name != "configs" || o.Partitions != 3 || o.ReplicationFactor != 2 || o.ReplicationFactorAtMost ||
		o.Configs["segment.bytes"] != "1048576" {
		t.Errorf("with: %+v, %v", c, err)
	}
}

func TestDefaultConfig(t *testing.T) {
	c := runtime.DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if !c.StateInTopics || c.OffsetFile != "" || c.ConfigTopic.Name != "connect-configs" {
		t.Errorf("default config = %+v", c)
	}
}
