package tools_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a standard output.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// lines returns the lines written since the last call.
func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.buf.String()
	o.buf.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// plugin returns the connector whose class has this name.
func plugin(t *testing.T, name string, out io.Writer) connectors.Plugin {
	t.Helper()
	for _, p := range tools.PluginsWritingTo(out) {
		if p.Class == "org.apache.kafka.connect.tools."+name+"Connector" {
			return p
		}
	}
	t.Fatalf("no plugin is called %s", name)
	return connectors.Plugin{}
}

// task starts the first task of a source; the test polls it.
func task(t *testing.T, name string, out io.Writer, config map[string]string) connectors.SourceTask {
	t.Helper()
	p := plugin(t, name, out)
	task := p.NewSource().NewTask()
	if err := task.Start(t.Context(), connectortest.NewSourceContext(t), connectortest.TaskConfigs(t, p, config, 1)[0]); err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := task.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return task
}

func poll(t *testing.T, task connectors.SourceTask) []connectors.SourceRecord {
	t.Helper()
	records, err := task.Poll(t.Context())
	if err != nil {
		t.Fatalf("poll: %v", err)
	}
	return records
}

func TestPlugins(t *testing.T) {
	want := []string{
		"source MockSource", "sink MockSink", "source SchemaSource", "source VerifiableSource", "sink VerifiableSink",
	}
	var got []string
	for _, p := range tools.Plugins() {
		name := strings.TrimPrefix(p.Class, "org.apache.kafka.connect.tools.")
		name, ok := strings.CutSuffix(name, "Connector")
		got = append(got, string(p.Kind)+" "+name)
		if !ok || p.TaskClass != "org.apache.kafka.connect.tools."+name+"Task" || p.Version == "" {
			t.Errorf("class %s, task class %s, version %q", p.Class, p.TaskClass, p.Version)
		}
		if n := len(p.Config.Keys()); n != 0 {
			t.Errorf("%s declares %d keys; Kafka's declares none", name, n)
		}
		if (p.NewSource != nil) != (p.Kind == connectors.KindSource) || (p.NewSink != nil) != (p.Kind == connectors.KindSink) {
			t.Errorf("the constructor of %s does not belong to a %s", name, p.Kind)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plugins (-want +got):\n%s", diff)
	}
}

func TestTasksAreNumbered(t *testing.T) {
	for _, name := range []string{"VerifiableSource", "VerifiableSink", "SchemaSource"} {
		got := connectortest.TaskConfigs(t, plugin(t, name, io.Discard), map[string]string{"name": "c", "id": "user's"}, 3)
		want := []map[string]string{{"name": "c", "id": "0"}, {"name": "c", "id": "1"}, {"name": "c", "id": "2"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTaskRefusesConfiguration(t *testing.T) {
	source := map[string]string{"id": "0", "topic": "t", "throughput": "1", "num.messages": "1"}
	tests := []struct {
		name, key, value string // without a value the key is absent
		want             string
	}{
		{"VerifiableSource", "throughput", "", `Invalid VerifiableSourceTask configuration: Missing required configuration "throughput" which has no default value.`},
		{"VerifiableSource", "throughput", "x", "Invalid VerifiableSourceTask configuration: Invalid value x for configuration throughput: Not a number of type LONG"},
		{"VerifiableSource", "topic", "", `Invalid VerifiableSourceTask configuration: Missing required configuration "topic" which has no default value.`},
		{"VerifiableSource", "id", "9999999999", "Invalid VerifiableSourceTask configuration: Invalid value 9999999999 for configuration id: Not a number of type INT"},
		{"SchemaSource", "num.messages", "many", "Invalid SchemaSourceTask configuration: Invalid value many for configuration num.messages: Not a number of type LONG"},
		{"SchemaSource", "partition.count", "0", "Invalid SchemaSourceTask configuration: Invalid value 0 for configuration partition.count: Value must be at least 1"},
		{"VerifiableSink", "id", "", `Invalid VerifiableSinkTask configuration: Missing required configuration "id" which has no default value.`},
	}
	for _, tt := range tests {
		t.Run(tt.name+"_"+tt.key+"_"+tt.value, func(t *testing.T) {
			config := make(map[string]string)
			for k, v := range source {
				config[k] = v
			}
			if config[tt.key] = tt.value; tt.value == "" {
				delete(config, tt.key)
			}
			p := plugin(t, tt.name, io.Discard)
			var err error
			if p.NewSource != nil {
				err = p.NewSource().NewTask().Start(t.Context(), connectortest.NewSourceContext(t), config)
			} else {
				err = p.NewSink().NewTask().Start(t.Context(), new(connectortest.SinkContext), config)
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error  %v\nwant error %s", err, tt.want)
			}
			var c *connectors.ConfigError
			if !errors.As(err, &c) {
				t.Errorf("%T is no configuration error", err)
			}
		})
	}
}

// broken is an output that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestLostLinesFailTheTask(t *testing.T) {
	for _, name := range []string{"VerifiableSource", "SchemaSource"} {
		source := task(t, name, broken{}, map[string]string{"topic": "t", "throughput": "-1", "num.messages": "1"})
		if _, err := source.Poll(t.Context()); err == nil || err.Error() != "write to standard output: no space left" {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	sink := connectortest.StartSink(t, plugin(t, "VerifiableSink", broken{}), nil)
	if err := sink.TryPut(t.Context(), connectortest.Records("t", 0, "v")...); err == nil || connectors.Retriable(err) {
		t.Errorf("sink: got error %v", err)
	}
}
