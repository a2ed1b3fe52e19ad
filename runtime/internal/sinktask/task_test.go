package sinktask_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/connectors"
	"millrace/plugins"
	"millrace/plugins/clients"
	"millrace/plugins/converters"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/sinktask"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// sink is a SinkTask made of functions; puts tells of each value put.
type sink struct {
	tc    connectors.SinkTaskContext
	puts  chan string
	put   func(r *connectors.SinkRecord) error
	flush func(offsets map[connectors.TopicPartition]int64) error

	mu     sync.Mutex
	events []string
}

func (s *sink) event(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf(format, args...))
}

func (s *sink) heard(event string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.events, event)
}

func (s *sink) Start(_ context.Context, tc connectors.SinkTaskContext, _ map[string]string) error {
	s.tc = tc
	s.event("start")
	return nil
}

func (s *sink) Put(ctx context.Context, records []connectors.SinkRecord) error {
	for i := range records {
		if s.put != nil {
			if err := s.put(&records[i]); err != nil {
				return err
			}
		}
		select {
		case s.puts <- fmt.Sprint(records[i].Value):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *sink) Flush(_ context.Context, offsets map[connectors.TopicPartition]int64) error {
	if s.flush != nil {
		return s.flush(offsets)
	}
	return nil
}

func (s *sink) OpenPartitions(_ context.Context, parts []connectors.TopicPartition) error {
	s.event("open %v", parts)
	return nil
}

func (s *sink) ClosePartitions(_ context.Context, parts []connectors.TopicPartition) error {
	s.event("close %v", parts)
	return nil
}

func (s *sink) Stop(context.Context) error {
	s.event("stop")
	return nil
}

// keeper is a sink that says itself what is safe.
type keeper struct {
	*sink
	safe func(offsets map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64
}

func (k *keeper) PreCommit(_ context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	return k.safe(offsets), nil
}

type bench struct {
	t      *testing.T
	broker *brokertest.Cluster
	cfg    clients.Config
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, broker: brokertest.Start(t, func(c *broker.Config) { c.Groups = broker.EmbeddedConfig().Groups })}
	b.cfg = clients.Config{Bootstrap: []string{b.broker.Addr()}, Dialer: b.broker.DialContext, Log: slog.New(slog.DiscardHandler)}
	b.broker.CreateTopic("t", 1)
	return b
}

func (b *bench) produce(values ...string) {
	b.t.Helper()
	client := b.broker.Client()
	defer client.Close()
	for _, v := range values {
		if err := client.ProduceSync(b.t.Context(), &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// run starts a task; the function it returns waits for its end.
func (b *bench) run(ctx context.Context, s connectors.SinkTask, interval time.Duration) (*sinktask.Task, func() error) {
	b.t.Helper()
	reg := plugins.New()
	if err := reg.Add(converters.Plugins()...); err != nil {
		b.t.Fatal(err)
	}
	text := pipeline.Converter{Class: "StringConverter"}
	p, err := pipeline.New(pipeline.Config{Connector: "c", Registry: reg, Key: text, Value: text,
		Header: pipeline.Converter{Class: "SimpleHeaderConverter"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	consumer, err := b.cfg.Consumer("c", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	counter := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "n"}) }
	task := sinktask.New(sinktask.Config{
		Connector: "c", Sink: s, Pipeline: p, Consumer: consumer, Group: "connect-c", Topics: []string{"t"}, MaxPoll: 500,
		Report: func(sinktask.State) {}, CommitInterval: interval, CommitTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Counts: sinktask.Counts{Read: counter(), Put: counter(), CommitFailures: counter(),
			CommitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "s"})},
	}, false)
	ended := make(chan error, 1)
	go func() { ended <- task.Run(ctx) }()
	return task, func() error {
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			b.t.Fatal("the task does not end")
			return nil
		}
	}
}

func (b *bench) want(s *sink, values ...string) {
	b.t.Helper()
	for _, want := range values {
		select {
		case got := <-s.puts:
			if got != want {
				b.t.Fatalf("put %q, want %q", got, want)
			}
		case <-time.After(patience):
			b.t.Fatalf("%q was not put", want)
		}
	}
}

// committed is the group's offset, -1 if there is none.
func (b *bench) committed() int64 {
	b.t.Helper()
	admin := kadm.NewClient(b.broker.Client())
	offsets, err := admin.FetchOffsets(b.t.Context(), "connect-c")
	if err != nil {
		b.t.Fatal(err)
	}
	if o, ok := offsets.Lookup("t", 0); ok {
		return o.At
	}
	return -1
}

func (b *bench) stop(task *sinktask.Task, ended func() error) {
	b.t.Helper()
	task.Stop()
	if err := ended(); err != nil {
		b.t.Fatal(err)
	}
}

func TestLifeOfATask(t *testing.T) {
	b := newBench(t)
	b.produce("1", "2")
	s := &sink{puts: make(chan string)}
	task, ended := b.run(t.Context(), s, time.Hour)
	b.want(s, "1", "2")
	b.stop(task, ended)
	if got := strings.Join(s.events, ", "); got != "start, open [{t 0}], close [{t 0}], stop" {
		t.Errorf("events: %s", got)
	}
	if got := b.committed(); got != 2 {
		t.Errorf("committed %d, want 2", got)
	}
}

func TestKill_commits_nothing(t *testing.T) {
	b := newBench(t)
	b.produce("1", "2")
	s := &sink{puts: make(chan string)}
	ctx, kill := context.WithCancel(t.Context())
	_, ended := b.run(ctx, s, time.Hour)
	b.want(s, "1", "2")
	kill()
	if err := ended(); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := b.committed(); got != -1 {
		t.Errorf("committed %d", got)
	}
	s = &sink{puts: make(chan string)}
	task, ended := b.run(t.Context(), s, time.Hour)
	b.want(s, "1", "2")
	b.stop(task, ended)
}

func TestRewind(t *testing.T) {
	b := newBench(t)
	b.produce("1", "2", "3")
	s := &sink{puts: make(chan string)}
	once := true
	s.put = func(r *connectors.SinkRecord) error {
		if r.Offset == 2 && once {
			once = false
			s.tc.SetOffsets(map[connectors.TopicPartition]int64{{Topic: "t"}: 1})
		}
		return nil
	}
	task, ended := b.run(t.Context(), s, time.Hour)
	b.want(s, "1", "2", "3", "2", "3")
	b.stop(task, ended)
}

func TestFlush_that_fails_reads_again(t *testing.T) {
	b := newBench(t)
	b.produce("1", "2")
	s := &sink{puts: make(chan string)}
	failed := false
	s.flush = func(map[connectors.TopicPartition]int64) error {
		if !failed {
			failed = true
			return errors.New("away")
		}
		return nil
	}
	task, ended := b.run(t.Context(), s, time.Hour)
	b.want(s, "1", "2")
	s.tc.RequestCommit()
	b.want(s, "1", "2")
	b.stop(task, ended)
	if got := b.committed(); got != 2 {
		t.Errorf("committed %d, want 2", got)
	}
}

func TestPreCommit_says_what_is_safe(t *testing.T) {
	b := newBench(t)
	b.produce("1", "2", "3")
	k := &keeper{sink: &sink{puts: make(chan string)}}
	k.safe = func(offsets map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 {
		return map[connectors.TopicPartition]int64{
			{Topic: "t"}:                offsets[connectors.TopicPartition{Topic: "t"}] - 1,
			{Topic: "t", Partition: 17}: 4, // not ours
		}
	}
	task, ended := b.run(t.Context(), k, time.Hour)
	b.want(k.sink, "1", "2", "3")
	b.stop(task, ended)
	if got := b.committed(); got != 2 {
		t.Errorf("committed %d, want 2", got)
	}
}

func TestRevoked_partitions_are_committed_first(t *testing.T) {
	b := newBench(t)
	b.broker.CreateTopic("u", 1)
	b.produce("1", "2")
	first := &sink{puts: make(chan string)}
	task1, ended1 := b.run(t.Context(), first, time.Hour)
	b.want(first, "1", "2")
	second := &sink{puts: make(chan string)}
	task2, ended2 := b.run(t.Context(), second, time.Hour)
	// The eager protocol takes the partition from the first; whoever gets it then goes on after what was put.
	deadline := time.After(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !first.heard("close [{t 0}]") {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("the partition was not revoked")
		}
	}
	if got := b.committed(); got != 2 {
		t.Errorf("committed %d at the revocation, want 2", got)
	}
	b.produce("3")
	select {
	case got := <-first.puts:
		if got != "3" {
			t.Errorf("the first got %s", got)
		}
	case got := <-second.puts:
		if got != "3" {
			t.Errorf("the second got %s", got)
		}
	case <-time.After(patience):
		t.Error("3 was not put")
	}
	b.stop(task1, ended1)
	b.stop(task2, ended2)
}

func TestPanic_ends_the_task(t *testing.T) {
	b := newBench(t)
	b.produce("1")
	s := &sink{puts: make(chan string)}
	s.put = func(*connectors.SinkRecord) error { panic("told to") }
	_, ended := b.run(t.Context(), s, time.Hour)
	var p *pipeline.PanicError
	if err := ended(); !errors.As(err, &p) || p.Value != "told to" {
		t.Errorf("Run = %v", err)
	}
	if !s.heard("stop") {
		t.Error("the task was not stopped")
	}
}
