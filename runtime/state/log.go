package state

import (
	"context"
	"sync"

	"millrace/offsets/topiclog"
)

// A Log is what a store writes to; what is written comes back through the function it was opened with. *topiclog.Log is one.
type Log interface {
	// Append returns when the records are stored and were applied.
	Append(ctx context.Context, records ...topiclog.Record) error
	// AppendAsync does not wait; done hears of the offset or the error.
	AppendAsync(r topiclog.Record, done func(topiclog.Record, error))
	// ReadToEnd returns when everything stored before was applied.
	ReadToEnd(ctx context.Context) error
	// Run tails until ctx ends.
	Run(ctx context.Context) error
	Close()
}

var _ Log = (*topiclog.Log)(nil)

// An Opener opens a log whose records go to apply, which has heard of all old records when Open returns.
type Opener func(ctx context.Context, apply func(topiclog.Record)) (Log, error)

// InTopic opens a compacted topic.
func InTopic(cfg topiclog.Config) Opener {
	return func(ctx context.Context, apply func(topiclog.Record)) (Log, error) {
		cfg.Apply = apply
		log, err := topiclog.Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return log, nil
	}
}

// InMemory opens a log that forgets everything with the process.
func InMemory() Opener {
	return func(_ context.Context, apply func(topiclog.Record)) (Log, error) { return &memory{apply: apply}, nil }
}

type memory struct {
	mu    sync.Mutex // orders apply
	next  int64
	apply func(topiclog.Record)
}

func (m *memory) Append(_ context.Context, records ...topiclog.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		r.Offset = m.next
		m.next++
		m.apply(r)
	}
	return nil
}

func (m *memory) AppendAsync(r topiclog.Record, done func(topiclog.Record, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Offset = m.next
	m.next++
	done(r, nil)
	m.apply(r)
}

func (m *memory) ReadToEnd(context.Context) error { return nil }

func (m *memory) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (m *memory) Close() {}
