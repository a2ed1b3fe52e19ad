package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/connectors/connectortest"
	"millrace/plugins/external/externaltest"
)

// TestMain lets the test's binary be the plugin program too.
func TestMain(m *testing.M) {
	if os.Getenv(externaltest.Marker) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func install(t *testing.T) string {
	folder, _ := externaltest.Install(t, "", map[string]any{"classes": []string{"example.LineSource", "example.LineSink"}})
	return folder
}

func TestSource(t *testing.T) {
	connectortest.TestSource(t, connectortest.SourceCase{
		Plugin: externaltest.Discover(t, install(t))["example.LineSource"],
		Setup: func(t *testing.T) (map[string]string, func(...string)) {
			file := filepath.Join(t.TempDir(), "in")
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() }) // its writes were checked
			return map[string]string{"file": file, "topic": "lines"}, func(values ...string) {
				if _, err := f.WriteString(strings.Join(values, "\n") + "\n"); err != nil {
					t.Error(err)
				}
			}
		},
	})
}

func TestSink(t *testing.T) {
	connectortest.TestSink(t, connectortest.SinkCase{
		Plugin: externaltest.Discover(t, install(t))["example.LineSink"],
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
