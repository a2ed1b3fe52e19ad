package validation_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/plugins/converters"
	"millrace/runtime/validation"
)

// noop is a connector that defines no keys: the recordings are of the framework's definitions alone.
type noop struct{}

func (noop) Start(connectors.ConnectorContext, map[string]string) error { return nil }
func (noop) TaskConfigs(int) ([]map[string]string, error)               { return nil, nil }
func (noop) Stop() error                                                { return nil }

type source struct{ noop }

func (source) NewTask() connectors.SourceTask { return nil }

// ExactlyOnceSupport says yes: the recorded definitions ask no connector.
func (source) ExactlyOnceSupport(map[string]string) (connectors.ExactlyOnceSupport, error) {
	return connectors.ExactlyOnceSupported, nil
}

type sink struct{ noop }

func (sink) NewTask() connectors.SinkTask { return nil }

func newValidator(t testing.TB, c validation.Config) *validation.Validator {
	t.Helper()
	registry := plugins.New()
	err := registry.Add(
		connectors.Plugin{Kind: connectors.KindSource, Class: "test.NoopSource", Config: connectors.NewConfigDef(), NewSource: func() connectors.Source { return source{} }},
		connectors.Plugin{Kind: connectors.KindSink, Class: "test.NoopSink", Config: connectors.NewConfigDef(), NewSink: func() connectors.Sink { return sink{} }},
	)
	if err == nil {
		err = registry.Add(converters.Plugins()...)
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := validation.New(c, registry)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

type golden struct {
	Name       string
	Definition string
	Props      connectors.RawConfig
	Errors     []struct {
		Name   string
		Errors []string
	}
}

// TestGolden checks the errors of the framework's keys against those of Apache Kafka 4.3.1. The class is ours; what the recordings say
// of a missing class is an error of the whole request here. A null gets its own error from the REST API, which the recordings did not pass.
func TestGolden(t *testing.T) {
	files := []string{filepath.Join("testdata", "connector.json")}
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		files = append(files, filepath.Join(dir, "configdef", "connector.json"))
	}
	v := newValidator(t, validation.Config{})
	count := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var cases []golden
		if err := json.Unmarshal(b, &cases); err != nil {
			t.Fatal(err)
		}
		for _, g := range cases {
			t.Run(g.Name, func(t *testing.T) { replay(t, v, g) })
			count++
		}
	}
	t.Logf("golden: %d cases", count)
}

func replay(t *testing.T, v *validation.Validator, g golden) {
	class := map[string]string{"source": "test.NoopSource", "sink": "test.NoopSink"}[g.Definition]
	props := connectors.RawConfig{}
	var nulls []string
	for k, value := range g.Props {
		props[k] = value
		if value == nil {
			nulls = append(nulls, k)
		}
	}
	props["connector.class"] = &class
	infos, err := v.ValidateConfig(context.Background(), "", props)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string][]string{}, map[string][]string{}
	for _, e := range g.Errors {
		if e.Name != "connector.class" {
			want[e.Name] = plain(e.Errors)
		}
	}
	for _, c := range infos.Configs {
		errs := c.Value.Errors
		if slices.Contains(nulls, c.Value.Name) {
			errs = slices.DeleteFunc(errs, func(e string) bool { return e == "Null value can not be supplied as the configuration value." })
		}
		if len(errs) > 0 && !unrecorded(c.Value.Name) {
			got[c.Value.Name] = plain(errs)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors of %v (-want +got):\n%s", g.Props, diff)
	}
}

// aliasKey matches keys that depend on aliases: they were recorded elsewhere.
var aliasKey = regexp.MustCompile(`^(transforms|predicates|topic\.creation)\.[^.]*\.`)

func unrecorded(name string) bool {
	return aliasKey.MatchString(name) && name != "topic.creation.groups"
}

var regexReason = regexp.MustCompile(`(?s)(Invalid regex: ).*`)

// plain drops what Java's regex compiler says.
func plain(errs []string) []string {
	out := make([]string, len(errs))
	for i, e := range errs {
		out[i] = regexReason.ReplaceAllString(e, "${1}...")
	}
	return out
}
