package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeTour types the README's tour as it is written, but for the ports.
func TestReadmeTour(t *testing.T) {
	sh := plainTool(t, "sh")
	need(t, "curl", installed("curl"))
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, tour, ok := strings.Cut(string(readme), "<!-- tour -->")
	tour, _, end := strings.Cut(tour, "<!-- end of the tour -->")
	if !ok || !end {
		t.Fatal("README.md has no tour")
	}
	w := start(t)
	dir := t.TempDir()
	script := []string{"set -eu", "cd ../.."}
	for line := range strings.Lines(tour) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			script = append(script, strings.NewReplacer("127.0.0.1:8083", w.REST, "bin/millrace", binary, "curl -s", "curl -sS --fail-with-body").Replace(strings.TrimSpace(command)))
		}
	}
	sh.env = []string{"MILLRACE_URL=http://" + w.REST, "MILLRACE_BOOTSTRAP_SERVER=" + w.Kafka}
	out := sh.run(t, "", put(t, filepath.Join(dir, "tour.sh"), strings.Join(script, "\n")))
	for _, want := range []string{"1\n2\n3\n4\n5\n", `"state":"`, "iot-data-kafka-mqtt-sink"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in what the tour printed:\n%s", want, out)
		}
	}
}
