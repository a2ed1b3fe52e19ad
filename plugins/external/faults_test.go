package external_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/plugins/external"
	"millrace/plugins/external/externaltest"
)

var classes = []string{"test.Source", "test.Sink"}

// plugin installs the faulty program and returns one of its classes.
func plugin(t testing.TB, class string, members map[string]any) connectors.Plugin {
	t.Helper()
	all := map[string]any{"classes": classes}
	for k, v := range members {
		all[k] = v
	}
	folder, _ := externaltest.Install(t, "", all)
	return externaltest.Discover(t, folder)[class]
}

func config(fault string) map[string]string { return map[string]string{"fault": fault} }

func TestKilledSource(t *testing.T) {
	for _, isolation := range []string{"task", "program"} {
		t.Run(isolation, func(t *testing.T) {
			p := plugin(t, "test.Source", map[string]any{"isolation": isolation})
			offsets := new(connectortest.Offsets)
			s := connectortest.StartSource(t, p, config(""), offsets)
			records := s.Wait(100)
			s.Commit(50)
			kill(t, records[0])
			if err := s.Failure(); !strings.Contains(err.Error(), "ended with signal: killed") || !strings.Contains(err.Error(), external.Suffix) {
				t.Errorf("error %q does not say that the process was killed, or which", err)
			}
			s.Stop()

			s = connectortest.StartSource(t, p, config(""), offsets)
			again := s.Wait(100)
			for i, r := range again {
				if want := int64(50 + i); r.Key != want {
					t.Fatalf("record %d after the restart is number %v, want %d", i, r.Key, want)
				}
			}
			if records[0].Value == again[0].Value {
				t.Error("the same process goes on")
			}
		})
	}
}

// kill ends the process that a counter's record names.
func kill(t *testing.T, r *connectors.SourceRecord) {
	t.Helper()
	pid, err := strconv.Atoi(fmt.Sprint(r.Value))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestKillTakesNobodyAlong(t *testing.T) {
	p := plugin(t, "test.Source", nil)
	one, two := connectortest.StartSource(t, p, config(""), nil), connectortest.StartSource(t, p, config(""), nil)
	two.Wait(10)
	kill(t, one.Wait(10)[0])
	if err := one.Failure(); err == nil {
		t.Error("the killed task goes on")
	}
	polled, _ := two.Count()
	two.Wait(polled + 100)
}

func TestFaultySource(t *testing.T) {
	tests := []struct {
		fault   string
		members map[string]any
		want    string
	}{
		{"hang in Poll", map[string]any{"call_timeout_ms": 2000}, "did not answer Poll within 2s and was killed"},
		{"exit", nil, "ended with exit status 3"},
		{"panic", nil, "panic: no such thing"},
		{"leak", map[string]any{"memory_limit_mb": 128}, "of memory, its limit is 128, and was killed"},
	}
	for _, test := range tests {
		t.Run(strings.ReplaceAll(test.fault, " ", "_"), func(t *testing.T) {
			s := connectortest.StartSource(t, plugin(t, "test.Source", test.members), config(test.fault), nil)
			if err := s.Failure(); !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %q, want one with %q", err, test.want)
			}
		})
	}
}

func TestSourceThatHangsInStart(t *testing.T) {
	p := plugin(t, "test.Source", map[string]any{"call_timeout_ms": 2000})
	task := p.NewSource().NewTask()
	err := task.Start(t.Context(), connectortest.NewSourceContext(t), config("hang in Start"))
	if err == nil || !strings.Contains(err.Error(), "did not answer Start within 2s and was killed") {
		t.Errorf("got error %v", err)
	}
	if err := task.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	task = p.NewSource().NewTask()
	if err := task.Start(ctx, connectortest.NewSourceContext(t), config("hang in Start")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start with a deadline: %v", err)
	}
}

func TestSourceThatHangsInStop(t *testing.T) {
	p := plugin(t, "test.Source", map[string]any{"call_timeout_ms": 2000})
	task := p.NewSource().NewTask()
	if err := task.Start(t.Context(), connectortest.NewSourceContext(t), config("hang in Stop")); err != nil {
		t.Fatal(err)
	}
	if err := task.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "did not answer Stop within 2s") {
		t.Errorf("got error %v", err)
	}
}

func TestSourceThatGoesOn(t *testing.T) {
	for _, fault := range []string{"retriable", "print", "big"} {
		t.Run(fault, func(t *testing.T) {
			s := connectortest.StartSource(t, plugin(t, "test.Source", nil), config(fault), nil)
			want := 200
			if fault == "big" {
				want = 25_000
			}
			for i, r := range s.Wait(want) {
				if r.Key != int64(i) {
					t.Fatalf("record %d is number %v", i, r.Key)
				}
			}
			s.CommitAll()
		})
	}
}

func TestFaultySink(t *testing.T) {
	t.Run("hang_in_Put", func(t *testing.T) {
		s := connectortest.StartSink(t, plugin(t, "test.Sink", map[string]any{"call_timeout_ms": 2000}), config("hang in Put"))
		err := s.TryPut(t.Context(), connectortest.Records("topic", 0, "a")...)
		if err == nil || !strings.Contains(err.Error(), "did not answer Put within 2s and was killed") {
			t.Errorf("put: %v", err)
		}
		if _, err := s.TryFlush(t.Context()); err == nil {
			t.Error("what was never written is safe")
		}
	})
	t.Run("wait_for_cancel", func(t *testing.T) {
		s := connectortest.StartSink(t, plugin(t, "test.Sink", nil), config("wait for cancel"))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := s.TryPut(ctx, connectortest.Records("topic", 0, "a")...); err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Errorf("put: %v", err)
		}
		s.Flush() // the task is well
	})
	t.Run("retriable", func(t *testing.T) {
		s := connectortest.StartSink(t, plugin(t, "test.Sink", nil), config("retriable"))
		if err := s.TryPut(t.Context(), connectortest.Records("topic", 0, "a")...); !connectors.Retriable(err) {
			t.Errorf("put: %v", err)
		}
		s.Put(connectortest.Records("topic", 0, "a")...)
	})
}

func TestSinkWishes(t *testing.T) {
	s := connectortest.StartSinkContext(t, plugin(t, "test.Sink", nil), config("wishes"), func(c *connectortest.SinkContext) { c.Tolerant = true })
	s.Put(connectortest.Records("topic", 5, "a", "b")...)
	topic := connectors.TopicPartition{Topic: "topic"}
	if got := s.Context.Timeout(); got != 5*time.Second {
		t.Errorf("timeout %v", got)
	}
	if !s.Context.Paused(topic) || s.Context.Offsets()[topic] != 7 {
		t.Errorf("paused %v, offsets %v", s.Context.Paused(topic), s.Context.Offsets())
	}
	reported := s.Context.Reported()
	if len(reported) != 2 || reported[1].Record.Value != "b" || reported[1].Record.Offset != 6 || reported[1].Err.Error() != "bad b" {
		t.Errorf("reported %+v", reported)
	}
	if _, ok := errors.AsType[*connectors.DataError](reported[0].Err); !ok {
		t.Errorf("the error is a %T", reported[0].Err)
	}
}

func TestConnector(t *testing.T) {
	p := plugin(t, "test.Source", nil)
	ctx := connectortest.NewConnectorContext(t)
	c := p.NewSource()
	if err := c.Start(ctx, config("raise")); err != nil {
		t.Fatal(err)
	}
	if configs, err := c.TaskConfigs(3); err != nil || len(configs) != 1 || configs[0]["fault"] != "raise" {
		t.Errorf("task configs %v, %v", configs, err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if ctx.Reconfigurations() != 1 || ctx.Err() == nil || ctx.Err().Error() != "raised" {
		t.Errorf("%d reconfigurations, error %v", ctx.Reconfigurations(), ctx.Err())
	}
	err := c.Start(ctx, config("refuse"))
	if _, ok := errors.AsType[*connectors.ConfigError](err); !ok || err.Error() != "fault: refused" {
		t.Errorf("start: %T %v", err, err)
	}
	if d := p.Config.Lookup("list").DefaultText(); d == nil || *d != "a,b" {
		t.Errorf("default of list: %v", d)
	}
	values := p.Config.Validate(connectors.Raw(config("nonsense")))
	c.(connectors.ConfigValidator).ValidateConfig(config("nonsense"), values)
	if got := values[0].Errors; len(got) != 1 || !strings.Contains(got[0], "that is nonsense") {
		t.Errorf("errors %q", got)
	}
}

func TestProblems(t *testing.T) {
	digits := strings.Repeat("0", 64)
	tests := []struct {
		name    string
		members map[string]any
		want    string
	}{
		{"checksum", map[string]any{"sha256": digits}, "the manifest says " + digits},
		{"protocol", map[string]any{"protocol": 2}, "protocol: version 2 is not spoken here, only 1"},
		{"class", map[string]any{"classes": []string{"test.Other"}}, "classes: test.Other is none of the program's classes; it has [test.Source, test.Sink]"},
		{"outside", map[string]any{"command": []string{"../program"}}, "must be a path inside the manifest's folder"},
		{"member", map[string]any{"comand": "x"}, `unknown field "comand"`},
		{"timeout", map[string]any{"call_timeout_ms": 5}, "call_timeout_ms: must be from 100 to 3600000, got 5"},
		{"memory", map[string]any{"memory_limit_mb": 5}, "memory_limit_mb: must be at least 16"},
		{"no program", map[string]any{"command": []string{"nothing"}}, "no such file"},
		{"garbage", map[string]any{"env": map[string]string{externaltest.Marker: "1", "MODE": "garbage"}}, "garbage garbage"},
		{"long garbage", map[string]any{"env": map[string]string{externaltest.Marker: "1", "MODE": "long garbage"}}, "Unrecognized remote plugin message"},
		{"exit", map[string]any{"env": map[string]string{externaltest.Marker: "1", "MODE": "exit"}}, "start:"},
		{"silent", map[string]any{"env": map[string]string{externaltest.Marker: "1", "MODE": "silent"}, "call_timeout_ms": 1000}, "timeout while waiting for plugin to start"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			members := map[string]any{"classes": classes}
			for k, v := range test.members {
				members[k] = v
			}
			folder, file := externaltest.Install(t, "", members)
			plugins, supervisor, problems := external.Discover(t.Context(), []string{folder}, nil)
			defer func() {
				if err := supervisor.Close(); err != nil {
					t.Error(err)
				}
			}()
			if len(plugins) > 0 || len(problems) != 1 {
				t.Fatalf("%d plugins, problems %v", len(plugins), problems)
			}
			if p := problems[0]; p.File != file || !strings.Contains(p.Error(), test.want) {
				t.Errorf("got %q, want it to name %s and have %q", p, file, test.want)
			}
		})
	}
}

func TestVersionsAndOtherFiles(t *testing.T) {
	path := t.TempDir()
	for _, version := range []string{"1.0", "2.0"} {
		folder, _ := externaltest.Install(t, "", map[string]any{"classes": classes, "version": version})
		if err := os.Rename(folder, filepath.Join(path, version)); err != nil {
			t.Fatal(err)
		}
	}
	// A file of another world, which must not be run.
	ran := filepath.Join(path, "ran")
	if err := os.WriteFile(filepath.Join(path, "connect.jar"), []byte("#!/bin/sh\ntouch "+ran), 0o700); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(path, "missing")
	plugins, supervisor, problems := external.Discover(t.Context(), []string{path, missing}, nil)
	if err := supervisor.Close(); err != nil {
		t.Error(err)
	}
	if len(problems) != 1 || problems[0].File != missing {
		t.Errorf("problems %v", problems)
	}
	var got []string
	for _, p := range plugins {
		got = append(got, p.Class+" "+p.Version)
	}
	if want := "test.Source 1.0,test.Sink 1.0,test.Source 2.0,test.Sink 2.0"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the jar was run")
	}
}
