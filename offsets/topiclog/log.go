package topiclog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Log is an open compacted topic. Its methods are safe for concurrent use.
type Log struct {
	cfg    Config
	log    *slog.Logger
	client *kgo.Client
	admin  *kadm.Client

	mu sync.Mutex
	// positions are the offsets up to which each partition was applied.
	positions []int64
	// moved is closed and replaced when positions change.
	moved chan struct{}
	// round is the ReadToEnd that has not asked for the end offsets yet: later callers share it.
	round *round
}

type round struct {
	start sync.Once
	done  chan struct{}
	err   error
}

// Open prepares the topic and reads it to its end. Close must be called, also when Run never was.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("internal topic %q: %w", cfg.Topic, err)
	}
	l := &Log{cfg: cfg, log: cfg.Log, moved: make(chan struct{})}
	if l.log == nil {
		l.log = slog.Default()
	}
	if err := l.open(ctx); err != nil {
		l.Close()
		return nil, fmt.Errorf("internal topic %s: %w", cfg.Topic, err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) (err error) {
	opts := append([]kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.KeepControlRecords(), // so that positions pass the markers of transactions
	}, l.cfg.Client...)
	opts = append(opts, kgo.MaxBufferedRecords(math.MaxInt32)) // writers bound themselves
	if l.client, err = kgo.NewClient(opts...); err != nil {
		return err
	}
	l.admin = kadm.NewClient(l.client)
	n, err := l.prepare(ctx)
	if err != nil {
		return err
	}
	if n > 1 && l.cfg.SinglePartition {
		return fmt.Errorf("must have 1 partition, has %d", n)
	}
	l.positions = make([]int64, n)
	ends, err := l.firstSpans(ctx)
	if err != nil {
		return err
	}
	// Exact offsets, so that all partitions are in the first fetch: one that joins later waits for a long poll to end.
	from := make(map[int32]kgo.Offset, n)
	for p, s := range ends {
		l.positions[p] = s.start
		from[int32(p)] = kgo.NewOffset().At(s.start)
	}
	l.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.cfg.Topic: from})
	for !l.reached(ends) {
		if err := l.poll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Run tails the topic until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := l.poll(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("internal topic %s: %w", l.cfg.Topic, err)
		}
	}
	return nil
}

// poll applies what has come. Errors that pass are logged.
func (l *Log) poll(ctx context.Context) error {
	fetches := l.client.PollFetches(ctx)
	if fetches.IsClientClosed() {
		return errors.New("the client is closed")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fetches.EachError(func(_ string, p int32, err error) {
		l.log.Warn("internal topic cannot be read, trying again", "topic", l.cfg.Topic, "partition", p, "err", err)
	})
	fetches.EachRecord(func(r *kgo.Record) {
		if !r.Attrs.IsControl() {
			l.cfg.Apply(Record{Key: r.Key, Value: r.Value, Partition: r.Partition, Offset: r.Offset})
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			l.positions[p.Partition] = p.Records[n-1].Offset + 1
		}
	})
	close(l.moved)
	l.moved = make(chan struct{})
	return nil
}

func (l *Log) reached(ends []span) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reachedLocked(ends)
}

func (l *Log) reachedLocked(ends []span) bool {
	for p, s := range ends {
		// A partition whose records were all deleted has nothing to wait for.
		if s.start < s.end && l.positions[p] < s.end {
			return false
		}
	}
	return true
}

func (l *Log) await(ctx context.Context, ends []span) error {
	for {
		l.mu.Lock()
		done, moved := l.reachedLocked(ends), l.moved
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ReadToEnd returns when everything that was in the topic at the time of the call has been applied. Callers that come together
// share one request. Run must be running.
func (l *Log) ReadToEnd(ctx context.Context) error {
	l.mu.Lock()
	if l.round == nil {
		l.round = &round{done: make(chan struct{})}
	}
	r := l.round
	l.mu.Unlock()
	r.start.Do(func() {
		defer close(r.done)
		l.mu.Lock()
		l.round = nil // whoever comes now may have written after the question
		l.mu.Unlock()
		ends, err := l.spans(ctx)
		if err == nil {
			err = l.await(ctx, ends)
		}
		r.err = err
	})
	select {
	case <-r.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.err != nil {
		return fmt.Errorf("read internal topic %s to its end: %w", l.cfg.Topic, r.err)
	}
	return nil
}

// Append writes records, Key and Value only, and returns when the log has them and they were applied. Run must be running.
// When ctx ends first, they may still be written.
func (l *Log) Append(ctx context.Context, records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	ends := make([]span, len(l.positions))
	var failed error
	waiting := len(records)
	written := make(chan struct{})
	for _, r := range records {
		// No context that ends: the client gives up a whole batch with its first record, and others may be in it.
		l.client.Produce(context.Background(), &kgo.Record{Topic: l.cfg.Topic, Key: r.Key, Value: r.Value}, func(r *kgo.Record, err error) {
			if err != nil {
				failed = err
			} else {
				ends[r.Partition].end = max(ends[r.Partition].end, r.Offset+1)
			}
			if waiting--; waiting == 0 { // promises are called one after the other
				close(written)
			}
		})
	}
	select {
	case <-written:
	case <-ctx.Done():
		return fmt.Errorf("write to internal topic %s: %w", l.cfg.Topic, context.Cause(ctx))
	}
	if failed != nil {
		return fmt.Errorf("write to internal topic %s: %w", l.cfg.Topic, failed)
	}
	return l.await(ctx, ends)
}

// AppendAsync writes one record; done hears how it went, with Partition and Offset set. It neither blocks for the log nor
// for done, which must not block.
func (l *Log) AppendAsync(r Record, done func(Record, error)) {
	l.client.Produce(context.Background(), &kgo.Record{Topic: l.cfg.Topic, Key: r.Key, Value: r.Value},
		func(k *kgo.Record, err error) {
			done(Record{Key: k.Key, Value: k.Value, Partition: k.Partition, Offset: k.Offset}, err)
		})
}

// Close gives records under way a moment and closes the client.
func (l *Log) Close() {
	if l.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := l.client.Flush(ctx); err != nil {
		l.log.Warn("records to the internal topic were given up", "topic", l.cfg.Topic, "err", err)
	}
	l.client.Close()
}

const flushTimeout = 2 * time.Second
