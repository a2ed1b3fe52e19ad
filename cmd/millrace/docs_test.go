package main

import (
	"flag"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"millrace/broker"
	"millrace/cmd/internal/docs"
	"millrace/connectors"
	"millrace/rest"
	"millrace/runtime"
	"millrace/runtime/validation"
)

var writeDocs = flag.Bool("docs", false, "write the pages of cmd/docs (make docs)")

// byHand are the pages that nobody generates.
var byHand = []string{"from-kafka-connect.md"}

// TestDocs says when a page is not what the definitions make of it.
func TestDocs(t *testing.T) {
	const dir = "../docs"
	pages, err := docs.Pages(definitions(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(pages)) {
		file := filepath.Join(dir, path)
		if *writeDocs {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(pages[path]), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != pages[path] {
			t.Errorf("%s is not up to date; write it with: make docs (%v)", file, err)
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil && pages[name] == "" && !slices.Contains(byHand, name) {
			t.Errorf("%s is no page any more; remove it", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func definitions(t *testing.T) docs.Definitions {
	t.Helper()
	props := map[string]string{"key.converter": jsonConverter, "value.converter": jsonConverter, "group.id": "g",
		"config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s"}
	cfg, err := runtime.ParseWorkerConfig(runtime.Distributed, props) // so that keys of groups show
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	registry, err := builtIn(cfg)
	if err != nil {
		t.Fatal(err)
	}
	validator, err := validation.ForWorker(cfg, registry)
	if err != nil {
		t.Fatal(err)
	}
	framework := func(kind connectors.Kind) []*connectors.ConfigKey {
		p := registry.List(kind)[0]
		infos, err := validator.PluginConfig(t.Context(), p.Class, "latest")
		if err != nil {
			t.Fatal(err)
		}
		return docs.Keys(infos, p.Config)
	}
	return docs.Definitions{
		Plugins:     registry.List(),
		Source:      framework(connectors.KindSource),
		Sink:        framework(connectors.KindSink),
		Standalone:  runtime.WorkerKeys(runtime.Standalone).Keys(),
		Distributed: runtime.WorkerKeys(runtime.Distributed).Keys(),
		Broker:      broker.DocumentedKeys(),
		API:         rest.OpenAPI(version),
	}
}
