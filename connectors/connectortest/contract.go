package connectortest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
)

// A SourceCase is a source under contract.
type SourceCase struct {
	Plugin connectors.Plugin
	// Setup makes an empty foreign system. It returns the connector's configuration and a function that adds
	// messages with these texts to it, in order.
	Setup func(t *testing.T) (config map[string]string, feed func(values ...string))
	// NoReplay says that the system does not keep what was read, so that nothing comes again.
	NoReplay bool
	// AnyOrder says that what comes again may come in another order.
	AnyOrder bool
}

// TestSource checks what the runtime relies on in every source.
func TestSource(t *testing.T, c SourceCase) {
	describe(t, c.Plugin, connectors.KindSource)

	t.Run("delivers_in_order", func(t *testing.T) {
		config, feed := c.Setup(t)
		s := StartSource(t, c.Plugin, config, nil)
		want := values("order", 500)
		feed(want...)
		if diff := cmp.Diff(want, texts(s.Wait(len(want)))); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
		for _, r := range s.Wait(0) {
			if r.Topic == "" {
				t.Fatalf("a record has no topic: %+v", r)
			}
		}
		s.CommitAll()
	})

	t.Run("poll_returns_while_idle_and_when_cancelled", func(t *testing.T) {
		config, _ := c.Setup(t)
		task := c.Plugin.NewSource().NewTask()
		tc := &sourceContext{offsets: new(Offsets), log: Logger(t)}
		if err := task.Start(t.Context(), tc, TaskConfigs(t, c.Plugin, config, 1)[0]); err != nil {
			t.Fatalf("start: %v", err)
		}
		begin := time.Now()
		if records, err := task.Poll(t.Context()); err != nil || len(records) > 0 {
			t.Errorf("idle poll returned %d records, %v", len(records), err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("an idle poll took %v; about a second is the limit", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin = time.Now()
		if _, err := task.Poll(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("cancelled poll: %v", err)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("a cancelled poll took %v", d)
		}
		if err := task.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})

	t.Run("goes_on_after_the_last_commit", func(t *testing.T) {
		config, feed := c.Setup(t)
		offsets := new(Offsets)
		s := StartSource(t, c.Plugin, config, offsets)
		want := values("commit", 60)
		feed(want[:40]...)
		s.Wait(40)
		s.Commit(30)
		s.Stop()

		s = StartSource(t, c.Plugin, config, offsets)
		feed(want[40:]...)
		if c.NoReplay {
			want = want[10:]
		}
		got := texts(s.Wait(len(want) - 30))
		if c.AnyOrder {
			slices.Sort(got)
		}
		if diff := cmp.Diff(want[30:], got); diff != "" {
			t.Errorf("after a restart (-want +got):\n%s", diff)
		}
		s.CommitAll()
	})
}

// A SinkCase is a sink under contract.
type SinkCase struct {
	Plugin connectors.Plugin
	// Setup makes an empty foreign system. It returns the connector's configuration, and a function that waits
	// for n messages and returns the texts of all messages there, in order.
	Setup func(t *testing.T) (config map[string]string, received func(n int) []string)
}

// TestSink checks what the runtime relies on in every sink.
func TestSink(t *testing.T, c SinkCase) {
	describe(t, c.Plugin, connectors.KindSink)

	t.Run("delivers_in_order_what_was_flushed", func(t *testing.T) {
		config, received := c.Setup(t)
		s := StartSink(t, c.Plugin, config)
		s.Put()
		s.Flush()
		want := values("flushed", 500)
		s.Put(Records("topic", 0, want[:300]...)...)
		s.Put(Records("topic", 300, want[300:]...)...)
		safe := s.Flush()
		if got := safe[connectors.TopicPartition{Topic: "topic"}]; got != 500 {
			t.Errorf("offset %d is safe, want 500", got)
		}
		if diff := cmp.Diff(want, received(len(want))); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
	})

	t.Run("goes_on_after_a_restart", func(t *testing.T) {
		config, received := c.Setup(t)
		want := values("restart", 20)
		for i, part := range [][]string{want[:10], want[10:]} {
			s := StartSink(t, c.Plugin, config)
			s.Put(Records("topic", int64(10*i), part...)...)
			s.Flush()
			s.Stop()
		}
		if diff := cmp.Diff(want, received(len(want))); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
	})
}

// describe checks the descriptor, and that configurations which cannot work are refused rather than fatal.
func describe(t *testing.T, p connectors.Plugin, kind connectors.Kind) {
	t.Run("descriptor", func(t *testing.T) {
		if p.Kind != kind || p.Class == "" || p.Config == nil || p.TaskClass == "" {
			t.Errorf("incomplete descriptor: %+v", p)
		}
		if (p.NewSource != nil) != (kind == connectors.KindSource) || (p.NewSink != nil) != (kind == connectors.KindSink) {
			t.Errorf("the constructor does not belong to a %s", kind)
		}
		for _, k := range p.Config.Keys() {
			if k.Doc == "" {
				t.Errorf("key %s has no documentation", k.Name)
			}
		}
	})
	t.Run("refuses_a_configuration_without_required_keys", func(t *testing.T) {
		required := false
		for _, k := range p.Config.Keys() {
			required = required || k.Required
		}
		if !required {
			t.Skip("no key is required")
		}
		if _, err := p.Config.Parse(nil); err == nil {
			t.Error("an empty configuration parses")
		}
		var err error
		if kind == connectors.KindSource {
			err = p.NewSource().Start(NewConnectorContext(t), map[string]string{})
		} else {
			err = p.NewSink().Start(NewConnectorContext(t), map[string]string{})
		}
		if err == nil {
			t.Error("the connector starts on an empty configuration")
		}
	})
}

func values(prefix string, n int) []string {
	v := make([]string, n)
	for i := range v {
		v[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return v
}

// texts returns the values of records as text.
func texts(records []*connectors.SourceRecord) []string {
	t := make([]string, len(records))
	for i, r := range records {
		switch v := r.Value.(type) {
		case string:
			t[i] = v
		case []byte:
			t[i] = string(v)
		default:
			t[i] = fmt.Sprint(v)
		}
	}
	return t
}
