package sourcetask_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/broker/brokertest"
	"millrace/connectors"
	"millrace/offsets"
	"millrace/plugins"
	"millrace/plugins/clients"
	"millrace/plugins/converters"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/sourcetask"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryStore keeps offsets in memory; fail makes the next puts fail.
type memoryStore struct {
	offsets.Store
	index offsets.Index

	mu   sync.Mutex
	fail error
}

func (s *memoryStore) Get(_ context.Context, c string, ps []map[string]any) ([]map[string]any, error) {
	return s.index.Get(c, ps)
}

func (s *memoryStore) Put(_ context.Context, offs []offsets.Offset) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	pairs, err := s.index.Encode(offs)
	for _, p := range pairs {
		err = errors.Join(err, s.index.Apply(p))
	}
	return err
}

// counter gives the numbers from its offset on, in batches, spread over topics.
type counter struct {
	limit  int64
	topics []string
	next   int64
	part   *connectors.SourcePartition
	// acked and stopped tell the test.
	acked   chan []connectors.CommittedRecord
	drained func()
}

type position int64

func (p position) Map() map[string]any { return map[string]any{"next": int64(p)} }

func (c *counter) Start(ctx context.Context, tc connectors.SourceTaskContext, _ map[string]string) error {
	c.part = connectors.NewSourcePartition(map[string]any{"numbers": "all"})
	o, err := tc.Offset(ctx, c.part)
	if o != nil {
		c.next = o["next"].(int64)
	}
	return err
}

func (c *counter) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	n := min(c.limit-c.next, 1+rand.Int64N(3000))
	if n == 0 {
		if c.drained != nil {
			c.drained()
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	records := make([]connectors.SourceRecord, n)
	for i := range records {
		topic := c.topics[int(c.next)%len(c.topics)]
		c.next++
		records[i] = connectors.SourceRecord{
			Record:          connectors.Record{Topic: topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp, Value: fmt.Sprint(c.next - 1)},
			SourcePartition: c.part, SourceOffset: position(c.next),
		}
	}
	return records, nil
}

func (c *counter) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	if c.acked != nil {
		c.acked <- records
	}
	return nil
}

func (c *counter) Stop(context.Context) error { return nil }

type bench struct {
	t        *testing.T
	broker   *brokertest.Cluster
	producer *kgo.Client
	store    *memoryStore
	registry *plugins.Registry
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, broker: brokertest.Start(t), store: &memoryStore{}, registry: plugins.New()}
	if err := b.registry.Add(converters.Plugins()...); err != nil {
		t.Fatal(err)
	}
	var err error
	b.producer, err = clients.Config{Bootstrap: []string{b.broker.Addr()}, Dialer: b.broker.DialContext, Log: slog.Default()}.Producer("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.producer.Close)
	return b
}

func (b *bench) task(source connectors.SourceTask, config map[string]string) *sourcetask.Task {
	b.t.Helper()
	text := pipeline.Converter{Class: "StringConverter"}
	p, err := pipeline.New(pipeline.Config{Connector: "c", Config: config, Registry: b.registry, Key: text, Value: text,
		Header: pipeline.Converter{Class: "SimpleHeaderConverter"}, Logger: slog.Default()})
	if err != nil {
		b.t.Fatal(err)
	}
	counter := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "n"}) }
	return sourcetask.New(sourcetask.Config{
		Connector: "c", Source: source, Pipeline: p, Producer: b.producer, Offsets: b.store,
		Report: func(sourcetask.State) {}, FlushInterval: time.Millisecond, FlushTimeout: 5 * time.Second,
		MaxRecords: 8000, MaxBytes: 4 << 20, Logger: slog.New(slog.DiscardHandler),
		Counts: sourcetask.Counts{Polled: counter(), Written: counter(), Dropped: counter(), CommitFailures: counter(),
			CommitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "s"})},
	}, false)
}

// consumed counts each number in the topics.
func (b *bench) consumed(limit int64, topics ...string) map[string]int {
	b.t.Helper()
	client := b.broker.Client(kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	seen := make(map[string]int)
	for int64(len(seen)) < limit {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
		if ctx.Err() != nil {
			b.t.Fatalf("%d of %d numbers arrived", len(seen), limit)
		}
	}
	return seen
}

// TestKill ends the task at random moments without a commit: nothing is lost.
func TestKill(t *testing.T) {
	b := newBench(t)
	const limit = 60000
	topics := []string{"a", "b"}
	kills := 0
	for done := false; !done; kills++ {
		ctx, kill := context.WithCancel(t.Context())
		acks := make(chan []connectors.CommittedRecord)
		source := &counter{limit: limit, topics: topics, acked: acks, drained: func() { done = true; kill() }}
		ended := make(chan error, 1)
		go func() { ended <- b.task(source, nil).Run(ctx) }()
		for n := rand.IntN(12); ; n-- {
			select {
			case <-acks:
				if n == 0 && kills < 30 {
					kill()
				}
				continue
			case <-ended:
			}
			break
		}
		kill()
	}
	// The last run was killed too: what it had under way may be missing, so one more runs to its end.
	stopped := make(chan struct{})
	var once sync.Once
	last := b.task(&counter{limit: limit, topics: topics, drained: func() { once.Do(func() { close(stopped) }) }}, nil)
	go func() { <-stopped; last.Stop() }()
	if err := last.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := b.consumed(limit, topics...)
	again := 0
	for _, n := range seen {
		again += n - 1
	}
	t.Logf("%d kills, %d records came again", kills, again)
}

func TestStop_commits_what_was_written(t *testing.T) {
	b := newBench(t)
	var task *sourcetask.Task
	task = b.task(&counter{limit: 5000, topics: []string{"a"}, drained: func() { task.Stop() }}, nil)
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := b.store.Get(t.Context(), "c", []map[string]any{{"numbers": "all"}})
	if err != nil || got[0]["next"] != int64(5000) {
		t.Errorf("offset = %v, %v, want 5000", got, err)
	}
	for v, n := range b.consumed(5000, "a") {
		if n != 1 {
			t.Errorf("%s is there %d times", v, n)
		}
	}
}

func TestFlush_that_fails_is_tried_again(t *testing.T) {
	b := newBench(t)
	b.store.fail = errors.New("away")
	var task *sourcetask.Task
	task = b.task(&counter{limit: 100, topics: []string{"a"}, drained: func() {
		b.store.mu.Lock()
		b.store.fail = nil
		b.store.mu.Unlock()
		task.Stop()
	}}, nil)
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := b.store.Get(t.Context(), "c", []map[string]any{{"numbers": "all"}}); err != nil || got[0]["next"] != int64(100) {
		t.Errorf("offset = %v, %v, want 100", got, err)
	}
}

func TestProduce_that_fails_ends_the_task(t *testing.T) {
	for tolerance, fails := range map[string]bool{"none": true, "all": false} {
		t.Run(tolerance, func(t *testing.T) {
			b := newBench(t)
			var task *sourcetask.Task
			source := &counter{limit: 10, topics: []string{"not a topic"}, drained: func() { task.Stop() }}
			task = b.task(source, map[string]string{"errors.tolerance": tolerance})
			err := task.Run(t.Context())
			if fails != (err != nil) {
				t.Errorf("Run = %v", err)
			}
			got, gerr := b.store.Get(t.Context(), "c", []map[string]any{{"numbers": "all"}})
			if gerr != nil || fails != (got[0] == nil) {
				t.Errorf("offset = %v, %v", got, gerr)
			}
		})
	}
}

// noSevens refuses values with a 7.
type noSevens struct{}

func (noSevens) Configure(map[string]string, bool) error { return nil }
func (noSevens) Close() error                            { return nil }

func (noSevens) FromConnect(_ string, _ connectors.Headers, _ *connectors.Schema, v any) ([]byte, error) {
	if strings.Contains(v.(string), "7") {
		return nil, &connectors.DataError{Msg: "a 7 in " + v.(string)}
	}
	return []byte(v.(string)), nil
}

func (noSevens) ToConnect(string, connectors.Headers, []byte) (connectors.SchemaAndValue, error) {
	return connectors.SchemaAndValue{}, nil
}

func TestCommitRecords_tells_where_each_record_is(t *testing.T) {
	b := newBench(t)
	if err := b.registry.Add(connectors.Plugin{Kind: connectors.KindConverter, Class: "test.NoSevens", Config: connectors.NewConfigDef(),
		NewConverter: func() connectors.Converter { return noSevens{} }}); err != nil {
		t.Fatal(err)
	}
	const limit = 2500
	acks := make(chan []connectors.CommittedRecord)
	task := b.task(&counter{limit: limit, topics: []string{"a"}, acked: acks},
		map[string]string{"errors.tolerance": "all", "value.converter": "test.NoSevens"})
	ended := make(chan error, 1)
	go func() { ended <- task.Run(t.Context()) }()
	next, offset := 0, int64(0)
	for next < limit {
		for _, r := range <-acks {
			value := fmt.Sprint(next)
			next++
			want := connectors.CommittedRecord{Record: r.Record, Topic: "a", Offset: offset}
			if strings.Contains(value, "7") {
				want.Partition, want.Offset = -1, -1
			} else {
				offset++
			}
			if r != want || r.Record.Value != value {
				t.Fatalf("record %s: %+v, want %+v", value, r, want)
			}
		}
	}
	task.Stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got, err := b.store.Get(t.Context(), "c", []map[string]any{{"numbers": "all"}}); err != nil || got[0]["next"] != int64(limit) {
		t.Errorf("offset = %v, %v, want %d", got, err, limit)
	}
}
