package loggers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/runtime"
	"millrace/runtime/loggers"
)

func TestSetLogger(t *testing.T) {
	type set struct {
		name, level string
		changed     []string
	}
	steps := []set{
		{"a.log", "DEBUG", []string{"a.log"}},
		{"a.log", "debug", []string{}},
		{"a.log.child", " warn ", []string{"a.log.child"}},
		{"a.log", "Error", []string{"a.log", "a.log.child"}},
		{"a.logs", "ERROR", []string{"a.logs"}},
		{"a", "OFF", []string{"a", "a.log", "a.log.child", "a.logs"}},
		{"ROOT", "trace", []string{"a", "a.log", "a.log.child", "a.logs", "root"}},
	}
	r := loggers.New(slog.DiscardHandler, slog.LevelWarn)
	for _, s := range steps {
		got, err := r.SetLogger(context.Background(), s.name, s.level)
		if err != nil {
			t.Fatalf("SetLogger(%s, %s): %v", s.name, s.level, err)
		}
		if diff := cmp.Diff(s.changed, got); diff != "" {
			t.Errorf("SetLogger(%s, %s): %s", s.name, s.level, diff)
		}
	}
}

func TestLoggersLeavesOutThoseThatAreOff(t *testing.T) {
	r := loggers.New(slog.DiscardHandler, slog.LevelWarn)
	for _, name := range []string{"a", "b"} {
		if _, err := r.SetLogger(context.Background(), name, "OFF"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.SetLogger(context.Background(), "b", "FATAL"); err != nil {
		t.Fatal(err)
	}
	all, err := r.Loggers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all["root"].Level != "WARN" || all["root"].LastModified != nil || all["b"].Level != "FATAL" || all["b"].LastModified == nil {
		t.Errorf("Loggers() = %+v, want root at WARN and b at FATAL", all)
	}
}

func TestErrors(t *testing.T) {
	r := loggers.New(slog.DiscardHandler, slog.LevelWarn)
	_, unknown := r.Logger(context.Background(), "nobody")
	_, loud := r.SetLogger(context.Background(), "nobody", "LOUD")
	for _, test := range []struct {
		err  error
		want string
	}{
		{unknown, "Logger nobody not found."},
		{loud, "invalid log level 'LOUD'."},
	} {
		var e *runtime.Error
		if !errors.As(test.err, &e) || e.Kind != runtime.KindNotFound || e.Message != test.want {
			t.Errorf("got %v, want a not found: %s", test.err, test.want)
		}
	}
}

func TestNamedFollowsItsLevel(t *testing.T) {
	var out bytes.Buffer
	r := loggers.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}), slog.LevelInfo)
	log := r.Named("millrace.rest").With("k", "v")
	log.Debug("one")
	if _, err := r.SetLogger(context.Background(), "millrace", "DEBUG"); err != nil {
		t.Fatal(err)
	}
	log.Debug("two")
	if _, err := r.SetLogger(context.Background(), "root", "OFF"); err != nil {
		t.Fatal(err)
	}
	log.Error("three")
	lines := slices.Collect(strings.Lines(out.String()))
	if len(lines) != 1 || !strings.Contains(lines[0], "msg=two logger=millrace.rest k=v") {
		t.Errorf("logged %q, want only two", lines)
	}
}
