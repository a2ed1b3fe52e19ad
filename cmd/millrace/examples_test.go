package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const examples = "../../examples"

// TestTour runs the curl script as it is written.
func TestTour(t *testing.T) {
	w := start(t)
	script := plainTool(t, "sh")
	need(t, "curl", installed("curl"))
	out := script.run(t, "", filepath.Join(examples, "tour.sh"), "http://"+w.REST)
	if !strings.HasSuffix(out, "every route answered as expected\n") {
		t.Errorf("the tour ended with:\n%s", out)
	}
}

// TestPostman runs the collection with newman.
func TestPostman(t *testing.T) {
	newman := nodeTool(t, cached(t, "npm", "node_modules", "newman", "bin", "newman.js"))
	w := start(t)
	file := filepath.Join(t.TempDir(), "lines.txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newman.run(t, "", "run", filepath.Join(examples, "millrace.postman_collection.json"), "--bail", "--color", "off",
		"--env-var", "baseUrl=http://"+w.REST, "--env-var", "file="+file)
}
