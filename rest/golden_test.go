package rest_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/broker/brokertest"
	"millrace/connectors"
	"millrace/connectors/file"
	"millrace/connectors/mirror"
	"millrace/connectors/tools"
	"millrace/plugins"
	"millrace/plugins/converters"
	"millrace/plugins/converters/avro"
	"millrace/plugins/converters/jsonschema"
	"millrace/plugins/converters/protobuf"
	"millrace/plugins/transforms"
	"millrace/rest"
	"millrace/runtime"
	"millrace/runtime/loggers"
	"millrace/runtime/validation"
)

// TestGolden replays what Apache Kafka Connect answered and compares field by field. Departures stand in testdata/exceptions.txt, each
// with its reason; one that is no departure any more is a failure too.
func TestGolden(t *testing.T) {
	known := readExceptions(t)
	byProfile := make(map[string][]*scenario)
	for _, s := range scenarios(t) {
		if s.Mode != "standalone" {
			byProfile[s.Profile] = append(byProfile[s.Profile], s)
		}
	}
	var total totals
	for _, profile := range slices.Sorted(maps.Keys(byProfile)) {
		t.Run("worker"+profile, func(t *testing.T) {
			list := byProfile[profile]
			p := startWorker(t, list[0])
			for i, s := range list {
				t.Run(s.Name, func(t *testing.T) {
					t.Parallel() // they wait most of the time, and run beside each other on purpose
					for _, need := range s.Needs {
						if !p.has(need) {
							t.Skipf("no plugin is called %s", need)
						}
					}
					failures, requests, fields := p.play(t, s, fmt.Sprintf("g%02d%s", i, s.Name[:1]))
					total.add(requests, fields)
					known.compare(t, s.Name, failures)
				})
			}
		})
	}
	t.Logf("golden: %d cases, %d fields, %d exceptions", total.requests, total.fields, known.count())
}

type totals struct {
	sync.Mutex
	requests, fields int
}

func (n *totals) add(requests, fields int) {
	n.Lock()
	defer n.Unlock()
	n.requests += requests
	n.fields += fields
}

// exceptions are the known departures: by scenario and step.
type exceptions map[string]map[int]exception

type exception struct {
	reason string
	// byTiming is set where the answer depends on how fast the worker was.
	byTiming bool
}

// readExceptions reads lines of the form: scenario steps reason, where steps are numbers between commas, with a question mark in front
// if the answer depends on timing.
func readExceptions(t *testing.T) exceptions {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "exceptions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e := make(exceptions)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		steps, reason, ok := strings.Cut(strings.TrimSpace(rest), " ")
		if !ok {
			t.Fatalf("exceptions.txt: %q is not: scenario steps reason", line)
		}
		if e[name] == nil {
			e[name] = make(map[int]exception)
		}
		for s := range strings.SplitSeq(steps, ",") {
			number, byTiming := strings.CutPrefix(s, "?")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("exceptions.txt: %q: %v", line, err)
			}
			e[name][n] = exception{strings.TrimSpace(reason), byTiming}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e exceptions) count() int {
	n := 0
	for _, steps := range e {
		n += len(steps)
	}
	return n
}

func (e exceptions) compare(t *testing.T, name string, failures map[int]string) {
	t.Helper()
	for _, n := range slices.Sorted(maps.Keys(failures)) {
		if e[name][n].reason == "" {
			t.Errorf("%s step %d: %s", name, n, failures[n])
		}
	}
	for n, known := range e[name] {
		if failures[n] == "" && !known.byTiming {
			t.Errorf("%s step %d is as recorded, but testdata/exceptions.txt lists it: %s", name, n, known.reason)
		}
	}
}

// startWorker runs a log, a worker and its REST API in this process until the test ends.
func startWorker(t *testing.T, s *scenario) *player {
	t.Helper()
	dir := t.TempDir()
	inDir := strings.NewReplacer("${dir}", dir)
	for name, text := range s.Worker.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(inDir.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := brokertest.Start(t)
	props := map[string]string{
		"bootstrap.servers":        b.Addr(),
		"key.converter":            "org.apache.kafka.connect.json.JsonConverter",
		"value.converter":          "org.apache.kafka.connect.json.JsonConverter",
		"listeners":                "http://127.0.0.1:8083",
		"config.storage.topic":     "connect-configs",
		"offset.flush.interval.ms": "200",
	}
	for k, v := range s.Worker.Properties {
		props[k] = inDir.Replace(v)
	}
	own := http.Header{"Accept": {"application/json"}}
	if s.Worker.JAAS != "" {
		login := filepath.Join(dir, "login.conf")
		if err := os.WriteFile(login, []byte(inDir.Replace(s.Worker.JAAS)), 0o600); err != nil {
			t.Fatal(err)
		}
		props["java.security.auth.login.config"] = login
		own.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("alice:secret")))
	}
	cfg, err := runtime.ParseWorkerConfig(runtime.Standalone, props)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dialer, cfg.Version, cfg.Commit = b.DialContext, "4.3.1", "0123456789abcdef"
	cfg.OffsetTopic.Partitions = 3
	levels := loggers.New(slog.NewTextHandler(io.Discard, nil), slog.LevelWarn)
	cfg.Log = levels.Named(loggers.Root)
	registry := plugins.New()
	for _, list := range [][]connectors.Plugin{
		file.Plugins(), mirror.Plugins(mirror.Environment{}), tools.Plugins(), transforms.Plugins(),
		converters.Plugins(), avro.Plugins(), jsonschema.Plugins(), protobuf.Plugins(),
	} {
		if err := registry.Add(list...); err != nil {
			t.Fatal(err)
		}
	}
	validator, err := validation.ForWorker(cfg, registry)
	if err != nil {
		t.Fatal(err)
	}
	w, err := runtime.New(cfg, registry, validator, levels)
	if err != nil {
		t.Fatal(err)
	}
	restConfig, err := rest.ParseConfig(props)
	if err != nil {
		t.Fatal(err)
	}
	server, err := rest.New(restConfig, w.Herder(), nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	select {
	case <-w.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the worker is not ready")
	}
	var admin http.Handler
	if restConfig.AdminListeners != nil {
		admin = server.AdminHandler()
	}
	return newPlayer(t, server.Handler(), admin, own)
}
