package connectortest

import (
	"context"
	"sync"
	"testing"
	"time"

	"millrace/connectors"
)

// A Source is a running source task. Its records are kept until the test commits them: it plays the log.
type Source struct {
	t       testing.TB
	task    connectors.SourceTask
	offsets *Offsets
	cancel  context.CancelFunc
	done    chan struct{}

	mu        sync.Mutex
	records   []*connectors.SourceRecord
	committed int
	err       error
	polls     int
	changed   chan struct{} // closed and replaced at every change
}

// TaskConfigs starts a source connector on config and returns what it asks tasks to run with.
func TaskConfigs(t testing.TB, p connectors.Plugin, config map[string]string, maxTasks int) []map[string]string {
	t.Helper()
	var c interface {
		Start(connectors.ConnectorContext, map[string]string) error
		TaskConfigs(int) ([]map[string]string, error)
		Stop() error
	}
	if p.NewSource != nil {
		c = p.NewSource()
	} else {
		c = p.NewSink()
	}
	if err := c.Start(NewConnectorContext(t), config); err != nil {
		t.Fatalf("start connector: %v", err)
	}
	configs, err := c.TaskConfigs(maxTasks)
	if err != nil {
		t.Fatalf("task configs: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Fatalf("stop connector: %v", err)
	}
	return configs
}

// StartSource starts the first task of a source on config and polls it until Stop or the end of the test.
func StartSource(t testing.TB, p connectors.Plugin, config map[string]string, offsets *Offsets) *Source {
	t.Helper()
	configs := TaskConfigs(t, p, config, 1)
	if len(configs) != 1 {
		t.Fatalf("one task at most gives %d task configs", len(configs))
	}
	return StartSourceTask(t, p, configs[0], 0, offsets)
}

// StartSourceTask starts one task of a source on its task configuration.
func StartSourceTask(t testing.TB, p connectors.Plugin, config map[string]string, id int, offsets *Offsets) *Source {
	t.Helper()
	if offsets == nil {
		offsets = new(Offsets)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{t: t, task: p.NewSource().NewTask(), offsets: offsets, cancel: cancel,
		done: make(chan struct{}), changed: make(chan struct{})}
	tc := &sourceContext{offsets: offsets, task: id, log: Logger(t)}
	if err := s.task.Start(ctx, tc, config); err != nil {
		cancel()
		if err := s.task.Stop(context.Background()); err != nil {
			t.Errorf("stop after a failed start: %v", err)
		}
		t.Fatalf("start task: %v", err)
	}
	go s.run(ctx)
	t.Cleanup(s.Stop)
	return s
}

func (s *Source) run(ctx context.Context) {
	defer close(s.done)
	for ctx.Err() == nil {
		records, err := s.task.Poll(ctx)
		s.mu.Lock()
		s.polls++
		for i := range records {
			s.records = append(s.records, &records[i])
		}
		if err != nil && !connectors.Retriable(err) && ctx.Err() == nil {
			s.err = err
		}
		failed := s.err != nil
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if failed {
			return
		}
	}
}

// Wait returns the records polled so far, once there are n.
func (s *Source) Wait(n int) []*connectors.SourceRecord {
	s.t.Helper()
	s.await(func() bool { return len(s.records) >= n }, func() {
		s.t.Fatalf("got %d of %d records; task error: %v", len(s.records), n, s.err)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[:len(s.records):len(s.records)]
}

// Failure waits for the task to fail and returns its error.
func (s *Source) Failure() error {
	s.t.Helper()
	s.await(func() bool { return s.err != nil }, func() { s.t.Fatalf("the task did not fail") })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// AwaitPolls waits until n more polls have returned.
func (s *Source) AwaitPolls(n int) {
	s.t.Helper()
	s.mu.Lock()
	n += s.polls
	s.mu.Unlock()
	s.await(func() bool { return s.polls >= n }, func() { s.t.Fatalf("no more polls; task error: %v", s.err) })
}

// Count returns how many records were polled and how many of them are committed.
func (s *Source) Count() (polled, committed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records), s.committed
}

// await waits for done, which is called with mu held; at the deadline or after a failure it calls fail instead.
func (s *Source) await(done func() bool, fail func()) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		ok, stop, changed := done(), s.err != nil, s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		if !stop {
			select {
			case <-changed:
				continue
			case <-deadline.C:
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		fail()
		return
	}
}

// Commit tells the task that the log has the next n records, remembers their offsets and flushes them. It is called by
// one goroutine at a time.
func (s *Source) Commit(n int) {
	s.t.Helper()
	s.mu.Lock()
	records := s.records[s.committed : s.committed+n]
	first := s.committed
	s.committed += n
	s.mu.Unlock()
	acked := make([]connectors.CommittedRecord, n)
	for i, r := range records {
		acked[i] = connectors.CommittedRecord{Record: r, Topic: r.Topic, Partition: 0, Offset: int64(first + i)}
		if r.SourcePartition != nil && r.SourceOffset != nil {
			s.offsets.Set(r.SourcePartition.Map(), r.SourceOffset.Map())
		}
	}
	if c, ok := s.task.(connectors.RecordCommitter); ok {
		if err := c.CommitRecords(context.Background(), acked); err != nil {
			s.t.Errorf("commit records: %v", err)
		}
	}
	if c, ok := s.task.(connectors.OffsetCommitter); ok {
		if err := c.Commit(context.Background()); err != nil {
			s.t.Errorf("commit: %v", err)
		}
	}
}

// CommitOnly tells the task that the log has the records with these indexes, and not those between. Their offsets are not remembered;
// Commit is not called after it.
func (s *Source) CommitOnly(indexes ...int) {
	s.t.Helper()
	s.mu.Lock()
	acked := make([]connectors.CommittedRecord, len(indexes))
	for i, index := range indexes {
		acked[i] = connectors.CommittedRecord{Record: s.records[index], Topic: s.records[index].Topic, Offset: int64(index)}
	}
	s.mu.Unlock()
	if c, ok := s.task.(connectors.RecordCommitter); ok {
		if err := c.CommitRecords(context.Background(), acked); err != nil {
			s.t.Errorf("commit records: %v", err)
		}
	}
}

// CommitAll commits what was polled so far and returns the number of records committed in all.
func (s *Source) CommitAll() int {
	s.t.Helper()
	polled, committed := s.Count()
	if polled > committed {
		s.Commit(polled - committed)
	}
	return polled
}

// Stop ends polling and stops the task. Calling it again does nothing.
func (s *Source) Stop() {
	s.t.Helper()
	s.mu.Lock()
	cancel := s.cancel
	s.cancel = nil
	s.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Errorf("poll did not return after its context ended")
		return
	}
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	if err := s.task.Stop(ctx); err != nil {
		s.t.Errorf("stop task: %v", err)
	}
}
