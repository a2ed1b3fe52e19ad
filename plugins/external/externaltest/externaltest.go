// Package externaltest installs plugin programs in temporary folders, for tests.
package externaltest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"millrace/connectors"
	"millrace/plugins/external"
)

// Marker is set in the environment of a plugin program that is the test's own binary: its TestMain then serves.
const Marker = "MILLRACE_TEST_PLUGIN"

// Install copies program, the running test if it is empty, into a new folder beside a manifest with the given members, which replace
// those that it would have. It returns the folder and the manifest.
func Install(t testing.TB, program string, members map[string]any) (folder, file string) {
	t.Helper()
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	folder = t.TempDir()
	from, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }() // it was only read
	to, err := os.OpenFile(filepath.Join(folder, "program"), os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, h), from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	manifest := map[string]any{
		"command": []string{"program"}, "protocol": 1, "sha256": hex.EncodeToString(h.Sum(nil)),
		"env": map[string]string{Marker: "1", "GORACE": "atexit_sleep_ms=0"}, "call_timeout_ms": 20000,
	}
	for k, v := range members {
		manifest[k] = v
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(folder, "test"+external.Suffix)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, file
}

// Discover finds the plugins in folders, by class, and closes the supervisor at the end of the test. A problem fails the test.
func Discover(t testing.TB, folders ...string) map[string]connectors.Plugin {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	plugins, supervisor, problems := external.Discover(t.Context(), folders, log)
	t.Cleanup(func() {
		if err := supervisor.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, p := range problems {
		t.Fatal(p)
	}
	found := make(map[string]connectors.Plugin)
	for _, p := range plugins {
		found[p.Class] = p
	}
	return found
}
