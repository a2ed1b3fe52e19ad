package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/proc"
	"millrace/connectors"
)

const stringConverter = "org.apache.kafka.connect.storage.StringConverter"

// millrace runs the binary to its end and returns its exit code and what it said.
func millrace(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Stdin = strings.NewReader(stdin)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls what another process writes.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startTimeout)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s", what, startTimeout)
		}
	}
}

func holds(t *testing.T, path, text string) func() bool {
	return func() bool {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data) == text
	}
}

// filePair creates a file source and a file sink and returns their files.
func filePair(t *testing.T, w *proc.Worker) (in, out string) {
	t.Helper()
	dir := t.TempDir()
	in, out = put(t, filepath.Join(dir, "in.txt"), "one\ntwo\n"), filepath.Join(dir, "out.txt")
	for name, config := range map[string]map[string]string{
		"source": {"connector.class": "FileStreamSource", "file": in, "topic": "lines", "value.converter": stringConverter},
		"sink":   {"connector.class": "FileStreamSink", "file": out, "topics": "lines", "value.converter": stringConverter},
	} {
		if err := w.Create(t.Context(), name, config); err != nil {
			t.Fatal(err)
		}
	}
	return in, out
}

func TestFileToTopicToFileSurvivesRestarts(t *testing.T) {
	w := start(t)
	in, out := filePair(t, w)
	t.Cleanup(func() {
		if data, err := os.ReadFile(out); t.Failed() {
			t.Logf("the sink's file holds %q, %v", data, err)
		}
	})
	eventually(t, "the first lines", holds(t, out, "one\ntwo\n"))
	code, read, _ := millrace(t, "", "consume", "lines", "-b", w.Kafka, "--from-beginning", "--until-end")
	if code != 0 || read != "one\ntwo\n" {
		t.Errorf("exit code %d, the topic holds %q", code, read)
	}
	took, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if w.ExitCode() != 0 || took > 5*time.Second {
		t.Errorf("SIGTERM: exit code %d after %s", w.ExitCode(), took)
	}
	again(t, w)
	appendTo(t, in, "three\n")
	eventually(t, "the line after a clean stop", holds(t, out, "one\ntwo\nthree\n"))
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	again(t, w)
	appendTo(t, in, "four\n")
	eventually(t, "the line after a kill", func() bool {
		data, err := os.ReadFile(out)
		return err == nil && strings.HasSuffix(string(data), "four\n") && strings.Contains(string(data), "three\n")
	})
}

func TestWhatToolsReadFirst(t *testing.T) {
	w := start(t)
	filePair(t, w)
	body, err := w.Do(t.Context(), http.MethodGet, "/", nil)
	var root struct{ Version, Commit string }
	if err = errors.Join(err, json.Unmarshal(body, &root)); err != nil {
		t.Fatal(err)
	}
	if root.Version != connectors.KafkaVersion || !strings.HasPrefix(root.Commit, "dev+") {
		t.Errorf("GET / answers %s", body)
	}
	var status struct {
		Connector struct {
			Worker string `json:"worker_id"`
		}
	}
	body, err = w.Do(t.Context(), http.MethodGet, "/connectors/source/status", nil)
	if err = errors.Join(err, json.Unmarshal(body, &status)); err != nil {
		t.Fatal(err)
	}
	if status.Connector.Worker != w.REST {
		t.Errorf("worker_id is %s, REST answers at %s", status.Connector.Worker, w.REST)
	}
	eventually(t, "the 8 partitions of __consumer_offsets", func() bool { // the sink's group makes them
		partitions, err := filepath.Glob(filepath.Join(w.Dir, "__consumer_offsets-*"))
		return err == nil && len(partitions) == 8
	})
}

func TestConnectorFilesOfTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	in := put(t, filepath.Join(dir, "in.txt"), "hello\n")
	out := filepath.Join(dir, "out.txt")
	worker := put(t, filepath.Join(dir, "worker.properties"), "key.converter="+stringConverter+"\nvalue.converter="+stringConverter+"\n")
	source := put(t, filepath.Join(dir, "source.properties"), "name=source\nconnector.class=FileStreamSource\nfile="+in+"\ntopic=lines\n")
	sink := put(t, filepath.Join(dir, "sink.json"), fmt.Sprintf(`{"name":"sink","config":{"connector.class":"FileStreamSink","topics":"lines","file":%q}}`, out))
	start(t, worker, source, sink)
	eventually(t, "the line", holds(t, out, "hello\n"))

	bad := put(t, filepath.Join(dir, "bad.properties"), "name=bad\nconnector.class=NoSuchThing\n")
	code, _, errs := millrace(t, "", "standalone", worker, bad, "--set", "broker.log.dirs="+filepath.Join(dir, "data"),
		"--set", "broker.listeners=PLAINTEXT://127.0.0.1:0", "--set", "listeners=http://127.0.0.1:0")
	if code != 3 || !strings.Contains(errs, "bad.properties") || !strings.Contains(errs, "NoSuchThing") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	w := start(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // it only takes the port
	mistakes := put(t, filepath.Join(dir, "bad.properties"),
		"key.converter="+stringConverter+"\nvalue.converter="+stringConverter+"\n\noffset.flush.interval.ms=soon\nbroker.num.partitions=0\nlisteners=tcp://x\nbroker.log.dris=x\nofset.flush.timeout.ms=1\n")
	elsewhere := []string{"--set", "broker.log.dirs=" + filepath.Join(dir, "data"), "--set", "broker.listeners=PLAINTEXT://127.0.0.1:0", "--set", "listeners=http://127.0.0.1:0"}
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"all mistakes with file and line", []string{"standalone", mistakes}, 2,
			[]string{"bad.properties:4: ", "offset.flush.interval.ms", "bad.properties:6: ", "listeners", "bad.properties:7: ", "log.dris: unknown key",
				"bad.properties:8: ofset.flush.timeout.ms: no worker configuration has this name"}},
		{"a converter that there is not", append([]string{"standalone", put(t, filepath.Join(dir, "class.properties"), "key.converter="+stringConverter+"\nvalue.converter=com.acme.None\n")}, elsewhere...), 2,
			[]string{"class.properties:2: ", "com.acme.None"}},
		{"a REST port in use", append([]string{"standalone"}, append(elsewhere, "--set", "listeners=http://"+taken.Addr().String())...), 3,
			[]string{"address already in use", "fix: "}},
		{"a Kafka port in use", append([]string{"standalone"}, append(elsewhere, "--set", "broker.listeners=PLAINTEXT://"+taken.Addr().String())...), 3,
			[]string{"address already in use", "set listeners to a free port", "fix: here the key is broker.listeners"}},
		{"a data directory in use", append([]string{"standalone"}, append(elsewhere, "--set", "broker.log.dirs="+w.Dir)...), 3, []string{w.Dir, "fix: here the key is broker.log.dirs"}},
		{"nobody at a loopback address", []string{"standalone", "--set", "bootstrap.servers=127.0.0.1:1", "--set", "listeners=http://127.0.0.1:0"}, 3,
			[]string{"no Kafka at 127.0.0.1:1", "fix: add --set bootstrap.servers= to use the integrated log"}},
		{"another cluster beside broker keys", append([]string{"standalone", "--set", "bootstrap.servers=kafka:9092"}, elsewhere...), 2,
			[]string{"--set bootstrap.servers: ", "kafka:9092 is not a listener of the integrated log"}},
		{"a bad server.properties", []string{"broker", put(t, filepath.Join(dir, "server.properties"), "broker.id=x\nnum.partitions=many\n")}, 2,
			[]string{"server.properties:1: ", "server.properties:2: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, errs := millrace(t, "", tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(errs, want) {
					t.Errorf("%q is not in\n%s", want, errs)
				}
			}
		})
	}
}
