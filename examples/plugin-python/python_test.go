package pluginpython

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/plugins/external/externaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// install installs the program as README.md says, with the Python of .cache/python, which has the packages.
func install(t *testing.T) map[string]connectors.Plugin {
	t.Helper()
	bin, err := filepath.Abs("../../.cache/python/bin")
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(bin, "python")
	if _, err := os.Stat(python); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Python with grpcio: run .ci/install-peers: %v", err)
		}
		t.Skip("SKIPPED: no Python with grpcio in .cache/python; run make peers")
	}
	folder, _ := externaltest.Install(t, "counter.py", map[string]any{
		"classes": []string{"example.CounterSource", "example.PrintSink"}, "env": map[string]string{"PATH": bin + ":/usr/bin:/bin"},
	})
	generate := exec.CommandContext(t.Context(), python, "-m", "grpc_tools.protoc", "-I", "../../plugins/external/proto",
		"--python_out="+folder, "--grpc_python_out="+folder, "plugin.proto")
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	return externaltest.Discover(t, folder)
}

func TestPython(t *testing.T) {
	plugins := install(t)

	t.Run("source_goes_on_after_the_last_commit", func(t *testing.T) {
		offsets := new(connectortest.Offsets)
		config := map[string]string{"topic": "numbers", "count": "1000"}
		s := connectortest.StartSource(t, plugins["example.CounterSource"], config, offsets)
		s.Wait(1000)
		s.Commit(700)
		s.Stop()
		s = connectortest.StartSource(t, plugins["example.CounterSource"], config, offsets)
		for i, r := range s.Wait(300) {
			if r.Value != int64(700+i) || r.ValueSchema != connectors.Int64Schema || r.Topic != "numbers" {
				t.Fatalf("record %d is %+v", i, r.Record)
			}
		}
	})

	t.Run("required_key", func(t *testing.T) {
		err := plugins["example.CounterSource"].NewSource().Start(connectortest.NewConnectorContext(t), nil)
		if err == nil || !strings.Contains(err.Error(), `Missing required configuration "topic"`) {
			t.Errorf("start: %v", err)
		}
	})

	connectortest.TestSink(t, connectortest.SinkCase{
		Plugin: plugins["example.PrintSink"],
		Setup: func(t *testing.T) (map[string]string, func(int) []string) {
			file := filepath.Join(t.TempDir(), "out")
			return map[string]string{"file": file}, func(n int) []string {
				deadline := time.Now().Add(10 * time.Second)
				for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
					text, err := os.ReadFile(file)
					lines := strings.Fields(string(text))
					if err == nil && len(lines) >= n || time.Now().After(deadline) {
						tick.Stop()
						return lines
					}
				}
			}
		},
	})
}
