package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// execute runs a command line in this process.
func execute(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(stdin), &o, &e})
	return code, o.String(), e.String()
}

func TestEveryCommandHasTwoExamplesAndAHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "help" || c.Name() == "completion" {
			return
		}
		examples := strings.Split(c.Example, "\n")
		if len(examples) != 2 {
			t.Errorf("%s has %d examples, want 2", c.CommandPath(), len(examples))
		}
		for _, e := range examples {
			if !strings.HasPrefix(e, "  millrace ") && c.HasParent() {
				t.Errorf("%s: example %q does not begin with the command", c.CommandPath(), e)
			}
		}
		if c.Short == "" {
			t.Errorf("%s says nothing about itself", c.CommandPath())
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(newRoot())
}

func TestHelpLeadsWithExamples(t *testing.T) {
	code, out, _ := execute(t, "", "topics", "create", "--help")
	first := strings.Index(out, "Examples:")
	if code != exitOK || first < 0 || first > strings.Index(out, "Usage:") || strings.Count(out, "Examples:") != 1 {
		t.Errorf("exit code %d, help:\n%s", code, out)
	}
}

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"topic"}, "did you mean topics?"},
		{[]string{"topics", "lst"}, "did you mean list?"},
		{[]string{"topics", "create"}, "missing argument: TOPIC"},
		{[]string{"topics", "create", "a", "--config", "x"}, `--config "x": want key=value`},
		{[]string{"topics", "list", "-o", "xml"}, "want table or json"},
		{[]string{"topics", "list", "extra"}, `unexpected argument "extra"`},
		{[]string{"topics", "alter", "a"}, "nothing to alter"},
		{[]string{"produce", "t", "--acks", "2"}, "--acks 2: want all, 1 or 0"},
		{[]string{"produce", "t", "-z", "zip"}, "--compression zip"},
		{[]string{"consume", "t", "--offset", "x"}, "--offset x: want a whole number"},
		{[]string{"consume", "t", "--from", "noon"}, "--from noon: want a time like"},
		{[]string{"consume", "t", "--from-beginning", "--offset", "1"}, "--from-beginning and --offset exclude each other"},
		{[]string{"groups", "reset", "g"}, "give --topic and --to"},
		{[]string{"connectors", "create"}, "no connector: give -f FILE"},
		{[]string{"connectors", "validate", "x", "tasks.max=1"}, "connector.class is missing"},
		{[]string{"broker", "a", "b"}, `unexpected argument "b"`},
		{[]string{"broker", "--set", "log.dirs"}, `--set "log.dirs": want key=value`},
		{[]string{"broker", "--set", "log.dris=x"}, "--set log.dris: log.dris: unknown key"},
		{[]string{"broker", "--log-level", "loud"}, "--log-level loud"},
		{[]string{"broker", "/does/not/exist"}, "no such file"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, out, errs := execute(t, "", tt.args...)
			if code != exitUsage || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("exit code %d, want %d; stdout %q; stderr:\n%s\nwant %q", code, exitUsage, out, errs, tt.want)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	for _, args := range [][]string{
		{"topics", "list", "-b", "127.0.0.1:1"},
		{"produce", "t", "v", "-b", "127.0.0.1:1"},
		{"connectors", "list", "-u", "http://127.0.0.1:1"},
	} {
		code, _, errs := execute(t, "", args...)
		if code != exitEnvironment || !strings.Contains(errs, "127.0.0.1:1") || !strings.Contains(errs, "fix: start one with: millrace standalone") {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
}

func TestAnswersOfTheWorkerBecomeExitCodes(t *testing.T) {
	for status, want := range map[int]int{400: exitUsage, 404: exitNotFound, 409: exitConflict, 500: exitFailed, 502: exitFailed} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error_code":1,"message":"Connector x not found"}`)) // the test shows if it fails
		}))
		code, _, errs := execute(t, "", "connectors", "get", "x", "-u", server.URL)
		server.Close()
		if code != want || errs != "error: Connector x not found\n" {
			t.Errorf("status %d: exit code %d, want %d; stderr %q", status, code, want, errs)
		}
	}
}

func TestListSaysNameAndState(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"b":{"status":{"name":"b","type":"sink","connector":{"state":"PAUSED","worker_id":"w"},"tasks":[]}},
			"a":{"status":{"name":"a","type":"source","connector":{"state":"RUNNING","worker_id":"w"},
				"tasks":[{"id":0,"state":"RUNNING"},{"id":1,"state":"FAILED"}]}}}`)) // the test shows if it fails
	}))
	defer server.Close()
	code, out, errs := execute(t, "", "connectors", "list", "-o", "json", "-u", server.URL)
	var got []map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	want := []map[string]any{
		{"name": "a", "type": "source", "state": "RUNNING", "tasks": 2.0, "running_tasks": 1.0, "worker_id": "w"},
		{"name": "b", "type": "sink", "state": "PAUSED", "tasks": 0.0, "running_tasks": 0.0, "worker_id": "w"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCreateSendsWhatTheFileSays(t *testing.T) {
	var got bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := got.ReadFrom(r.Body); err != nil {
			t.Error(err)
		}
		got.WriteString(" " + r.Method + " " + r.URL.EscapedPath())
		_, _ = w.Write([]byte(`{}`)) // the test shows if it fails
	}))
	defer server.Close()
	code, _, errs := execute(t, `{"name":"a b","config":{"tasks.max":2}}`, "connectors", "create", "-f", "-", "topic=t", "-u", server.URL)
	if want := `{"config":{"name":"a b","tasks.max":"2","topic":"t"},"name":"a b"} POST /connectors`; code != exitOK || got.String() != want {
		t.Errorf("exit code %d, sent %s, want %s; %s", code, &got, want, errs)
	}
	got.Reset()
	file := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(file, []byte(`{"name":"c","config":{"topic":"t"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs = execute(t, "", "connectors", "create", file, "tasks.max=3", "-u", server.URL)
	if want := `{"config":{"name":"c","tasks.max":"3","topic":"t"},"name":"c"} POST /connectors`; code != exitOK || got.String() != want {
		t.Errorf("exit code %d, sent %s, want %s; %s", code, &got, want, errs)
	}
	got.Reset()
	code, _, _ = execute(t, "", "connectors", "apply", "a/b", "topic=t", "-u", server.URL)
	if want := `{"name":"a/b","topic":"t"} PUT /connectors/a%2Fb/config`; code != exitOK || got.String() != want {
		t.Errorf("exit code %d, sent %s, want %s", code, &got, want)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := execute(t, "", "completion", shell); code != exitOK || len(out) < 500 {
			t.Errorf("completion %s: exit code %d, %d bytes", shell, code, len(out))
		}
	}
	code, out, _ := execute(t, "", "__complete", "produce", "t", "--acks", "")
	if code != exitOK || !strings.HasPrefix(out, "all\n1\n0\n") {
		t.Errorf("exit code %d, completions %q", code, out)
	}
}

func TestVersion(t *testing.T) {
	code, out, _ := execute(t, "", "version")
	if code != exitOK || !strings.HasPrefix(out, "millrace dev (commit ") {
		t.Errorf("exit code %d, %q", code, out)
	}
	if code, flag, errs := execute(t, "", "--version"); code != exitOK || flag != out {
		t.Errorf("--version: exit code %d, %q, want %q; %s", code, flag, out, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{"version", "-o", "json"}, streams{nil, &bytes.Buffer{}, &bytes.Buffer{}}); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
