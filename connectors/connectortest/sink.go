package connectortest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"millrace/connectors"
)

// A Sink is a started sink task. The test is the consumer that hands it records.
type Sink struct {
	t       testing.TB
	task    connectors.SinkTask
	Context *SinkContext
	next    map[connectors.TopicPartition]int64
	stopped bool
}

// StartSink starts the first task of a sink on config; it is stopped at the end of the test.
func StartSink(t testing.TB, p connectors.Plugin, config map[string]string) *Sink {
	t.Helper()
	return StartSinkContext(t, p, config, func(*SinkContext) {})
}

// StartSinkContext is StartSink with a context that prepare has changed before the task gets it.
func StartSinkContext(t testing.TB, p connectors.Plugin, config map[string]string, prepare func(*SinkContext)) *Sink {
	t.Helper()
	configs := TaskConfigs(t, p, config, 1)
	if len(configs) != 1 {
		t.Fatalf("one task at most gives %d task configs", len(configs))
	}
	s := &Sink{t: t, task: p.NewSink().NewTask(), Context: &SinkContext{log: Logger(t)},
		next: make(map[connectors.TopicPartition]int64)}
	prepare(s.Context)
	if err := s.task.Start(context.Background(), s.Context, configs[0]); err != nil {
		if err := s.task.Stop(context.Background()); err != nil {
			t.Errorf("stop after a failed start: %v", err)
		}
		t.Fatalf("start task: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

// TryPut hands records over once and returns the task's error.
func (s *Sink) TryPut(ctx context.Context, records ...connectors.SinkRecord) error {
	err := s.task.Put(ctx, records)
	if err == nil {
		for _, r := range records {
			s.next[r.Original] = r.Offset + 1
		}
	}
	return err
}

// Put hands records over; like the runtime it tries again while the error is retriable.
func (s *Sink) Put(records ...connectors.SinkRecord) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := s.TryPut(context.Background(), records...)
		if err == nil {
			return
		}
		if !connectors.Retriable(err) || time.Now().After(deadline) {
			s.t.Fatalf("put: %v", err)
		}
	}
}

// Flush does what the runtime does before it commits offsets, and returns the offsets that are safe to commit.
func (s *Sink) Flush() map[connectors.TopicPartition]int64 {
	s.t.Helper()
	safe, err := s.TryFlush(context.Background())
	if err != nil {
		s.t.Fatalf("flush: %v", err)
	}
	return safe
}

// TryFlush is Flush with the task's error.
func (s *Sink) TryFlush(ctx context.Context) (map[connectors.TopicPartition]int64, error) {
	if p, ok := s.task.(connectors.PreCommitter); ok {
		return p.PreCommit(ctx, s.next)
	}
	return s.next, s.task.Flush(ctx, s.next)
}

// Stop stops the task. Calling it again does nothing.
func (s *Sink) Stop() {
	s.t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	if err := s.task.Stop(ctx); err != nil {
		s.t.Errorf("stop task: %v", err)
	}
}

// Records returns records of partition 0 of topic with text values, at offsets from first.
func Records(topic string, first int64, values ...string) []connectors.SinkRecord {
	records := make([]connectors.SinkRecord, len(values))
	for i, v := range values {
		records[i] = Record(topic, first+int64(i), connectors.StringSchema, v)
	}
	return records
}

// Record returns a record of partition 0 of topic.
func Record(topic string, offset int64, schema *connectors.Schema, value any) connectors.SinkRecord {
	return connectors.SinkRecord{
		Record:        connectors.Record{Topic: topic, ValueSchema: schema, Value: value, Timestamp: 1700000000000 + offset},
		Offset:        offset,
		TimestampType: connectors.CreateTime,
		Original:      connectors.TopicPartition{Topic: topic},
	}
}

// A SinkContext records what a sink task asks for.
type SinkContext struct {
	log *slog.Logger
	// Tolerant makes ErrantRecordReporter accept records, as errors.tolerance=all with a dead letter queue does.
	Tolerant bool
	// Partitions is what Assignment returns.
	Partitions []connectors.TopicPartition

	mu       sync.Mutex
	reported []Errant
	offsets  map[connectors.TopicPartition]int64
	timeout  time.Duration
	paused   map[connectors.TopicPartition]bool
	commits  int
}

// An Errant is a record that a task reported.
type Errant struct {
	Record connectors.SinkRecord
	Err    error
}

var _ connectors.SinkTaskContext = (*SinkContext)(nil)

// SetOffsets keeps offsets.
func (c *SinkContext) SetOffsets(offsets map[connectors.TopicPartition]int64) { c.offsets = offsets }

// Offsets returns what SetOffsets was last given.
func (c *SinkContext) Offsets() map[connectors.TopicPartition]int64 { return c.offsets }

// SetTimeout keeps d.
func (c *SinkContext) SetTimeout(d time.Duration) { c.timeout = d }

// Timeout returns what SetTimeout was last given.
func (c *SinkContext) Timeout() time.Duration { return c.timeout }

// Assignment returns Partitions.
func (c *SinkContext) Assignment() []connectors.TopicPartition { return c.Partitions }

// Pause remembers partitions as paused.
func (c *SinkContext) Pause(partitions ...connectors.TopicPartition) {
	if c.paused == nil {
		c.paused = make(map[connectors.TopicPartition]bool)
	}
	for _, p := range partitions {
		c.paused[p] = true
	}
}

// Resume forgets that partitions are paused.
func (c *SinkContext) Resume(partitions ...connectors.TopicPartition) {
	for _, p := range partitions {
		delete(c.paused, p)
	}
}

// Paused reports whether p is paused.
func (c *SinkContext) Paused(p connectors.TopicPartition) bool { return c.paused[p] }

// RequestCommit counts.
func (c *SinkContext) RequestCommit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
}

// ErrantRecordReporter returns c itself if Tolerant.
func (c *SinkContext) ErrantRecordReporter() connectors.ErrantRecordReporter {
	if !c.Tolerant {
		return nil
	}
	return c
}

// Report keeps the record.
func (c *SinkContext) Report(_ context.Context, r *connectors.SinkRecord, err error) error {
	if r == nil || err == nil {
		return fmt.Errorf("a report needs a record and an error")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reported = append(c.reported, Errant{*r, err})
	return nil
}

// Reported returns the records reported so far.
func (c *SinkContext) Reported() []Errant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reported
}

// ConnectorName returns Name.
func (c *SinkContext) ConnectorName() string { return Name }

// TaskID returns 0.
func (c *SinkContext) TaskID() int { return 0 }

// Logger returns the test's logger; that of a zero SinkContext discards.
func (c *SinkContext) Logger() connectors.Logger {
	if c.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.log
}
