package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/runtime/internal/killpoint"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/vitals"
)

// chunkRecords is how many records go through the task together at most.
const chunkRecords = 1024

// A chunk is a part of a polled batch on its way into the log.
type chunk struct {
	task *Task
	// polled are the records as the task gave them.
	polled []connectors.SourceRecord
	// slab holds what is produced. from tells which polled record slab[i] is; nil when all are.
	slab []kgo.Record
	from []int32
	// positions are the last offsets of each source partition. Records that were dropped count: unlike with Kafka Connect, they
	// need not be read again because nothing was produced after them.
	positions []position
	bytes     int64
	headers   []kgo.RecordHeader

	// remaining and failures belong to the client's promise goroutine once the chunk is produced.
	remaining int
	failures  []failure
	// open counts what must happen before the chunk's offsets may be committed: its records are answered, which is one, and each
	// of its dead letters is written. lost is set when one is not.
	open    atomic.Int32
	became  vitals.Records
	sending *vitals.Sending
	lost    atomic.Bool

	// done is guarded by the tracker.
	done bool
}

type failure struct {
	record *kgo.Record
	err    error
}

var slabs = sync.Pool{New: func() any { s := make([]kgo.Record, 0, chunkRecords); return &s }}

// prepare transforms and converts polled records. An error ends the task.
func (t *Task) prepare(ctx context.Context, polled []connectors.SourceRecord) (*chunk, error) {
	c := &chunk{task: t, polled: polled, slab: (*slabs.Get().(*[]kgo.Record))[:0]}
	c.open.Store(1)
	now := time.Now()
	t.lastTopic = ""
	var current *position
	for i := range polled {
		sr := &polled[i]
		r := &sr.Record
		if sr.SourcePartition != nil && sr.SourceOffset != nil {
			if current == nil || current.partition != sr.SourcePartition {
				current = c.position(sr.SourcePartition)
			}
			current.offset = sr.SourceOffset
		}
		if t.cfg.Pipeline.HasTransforms() {
			t.scratch = sr.Record // transforms change it; CommitRecords shows the record as it was polled
			r = &t.scratch
			keep, failure := t.cfg.Pipeline.Transform(ctx, r)
			if failure != nil {
				failure.Source = sr
				if err := t.decide(ctx, c, failure, nil); err != nil {
					return nil, err
				}
			}
			if !keep {
				if failure == nil {
					c.became.Filtered++
				}
				c.drop(i)
				continue
			}
		}
		c.slab = append(c.slab, kgo.Record{})
		out := &c.slab[len(c.slab)-1]
		if failure := t.convert(ctx, c, r, out, now); failure != nil {
			c.slab = c.slab[:len(c.slab)-1]
			failure.Source = sr
			if err := t.decide(ctx, c, failure, nil); err != nil {
				return nil, err
			}
			c.drop(i)
			continue
		}
		if err := t.ensureTopic(ctx, r.Topic); err != nil {
			return nil, err
		}
		c.bytes += int64(len(out.Key)+len(out.Value)) + recordOverhead
		if c.from != nil {
			c.from = append(c.from, int32(i))
		}
	}
	c.remaining = len(c.slab)
	return c, nil
}

// recordOverhead is what a record costs beside its key and value.
const recordOverhead = 200

// drop notes that polled record i is not produced.
func (c *chunk) drop(i int) {
	if c.from == nil {
		c.from = make([]int32, len(c.slab), len(c.polled))
		for j := range c.from {
			c.from[j] = int32(j)
		}
	}
	c.task.cfg.Counts.Dropped.Inc()
}

func (c *chunk) position(p *connectors.SourcePartition) *position {
	for i := range c.positions {
		if c.positions[i].partition == p {
			return &c.positions[i]
		}
	}
	c.positions = append(c.positions, position{partition: p})
	return &c.positions[len(c.positions)-1]
}

// convert fills out from r: headers first, then key and value, as Kafka Connect does.
func (t *Task) convert(ctx context.Context, c *chunk, r *connectors.Record, out *kgo.Record, now time.Time) *pipeline.Failure {
	p := t.cfg.Pipeline
	out.Topic, out.Partition, out.Timestamp = r.Topic, r.Partition, now
	if r.Partition < 0 {
		out.Partition = -1
	}
	switch {
	case r.Timestamp >= 0:
		out.Timestamp = time.UnixMilli(r.Timestamp)
	case r.Timestamp != connectors.NoTimestamp:
		return &pipeline.Failure{Stage: pipeline.KafkaProduce, Class: t.class, Err: &connectors.DataError{
			Msg: fmt.Sprintf("Invalid record timestamp %d", r.Timestamp)}}
	}
	if len(r.Headers) > 0 {
		start := len(c.headers)
		for _, h := range r.Headers {
			value, failure := p.WriteHeader(ctx, r.Topic, h)
			if failure != nil {
				return failure
			}
			c.headers = append(c.headers, kgo.RecordHeader{Key: h.Key, Value: value})
			c.bytes += int64(len(h.Key) + len(value))
		}
		out.Headers = c.headers[start:len(c.headers):len(c.headers)]
	}
	var failure *pipeline.Failure
	if out.Key, failure = p.WriteKey(ctx, r); failure != nil {
		return failure
	}
	out.Value, failure = p.WriteValue(ctx, r)
	return failure
}

// produce hands the chunk to the client. It waits for the task's budget, never for the client.
//
// The records have no context that ends: the client gives up a whole batch when the context of its first record ends, and
// the batch may hold records of other tasks.
func (t *Task) produce(ctx context.Context, c *chunk) error {
	if err := t.budget.take(ctx, len(c.polled), c.bytes); err != nil {
		return err
	}
	t.tracker.add(c)
	c.sending = t.account.Send()
	if c.remaining == 0 {
		t.finished(c)
		return nil
	}
	promise := c.acknowledged
	for i := range c.slab {
		t.cfg.Producer.TryProduce(context.Background(), &c.slab[i], promise)
	}
	killpoint.Pass(killpoint.AfterProduce)
	return nil
}

// acknowledged is called by the client, for one record at a time.
func (c *chunk) acknowledged(r *kgo.Record, err error) {
	if err != nil {
		c.failures = append(c.failures, failure{r, err})
	}
	if c.remaining--; c.remaining == 0 {
		c.task.finished(c)
	}
}

// finished takes a chunk whose records all have an answer.
func (t *Task) finished(c *chunk) {
	for _, f := range c.failures {
		if err := t.produceFailed(c, f); err != nil {
			// Nothing of the chunk nor of what follows it may be committed.
			t.fail(err)
			t.budget.give(len(c.polled), c.bytes)
			return
		}
		f.record.Offset = -1
	}
	c.became.Written = int64(len(c.slab) - len(c.failures))
	t.cfg.Counts.Written.Add(float64(c.became.Written))
	t.settle(c)
}

// settle notes that one of the things that c is open for has happened.
func (t *Task) settle(c *chunk) {
	if c.open.Add(-1) > 0 {
		return
	}
	if c.lost.Load() { // the task has failed, and nothing of the chunk may be committed
		t.budget.give(len(c.polled), c.bytes)
		return
	}
	killpoint.Pass(killpoint.AfterAck)
	t.account.Settle(c.sending, c.became, len(c.polled))
	t.tracker.done(c)
	if t.commits != nil {
		t.commits.add(c)
		return
	}
	t.release(c)
}

// release gives back what a chunk holds.
func (t *Task) release(c *chunk) {
	t.budget.give(len(c.polled), c.bytes)
	slab := c.slab
	clear(slab)
	c.slab = nil
	slabs.Put(&slab)
}

// produceFailed returns nil if the policy lets the record go.
func (t *Task) produceFailed(c *chunk, f failure) error {
	if t.cfg.Pipeline.Errors.TolerateAll() && !errors.Is(f.err, kgo.ErrClientClosed) {
		failed := &pipeline.Failure{Stage: pipeline.KafkaProduce, Class: t.class, Err: f.err, Source: c.source(f.record)}
		if err := t.decide(context.Background(), c, failed, f.record); err == nil {
			return nil
		}
	}
	return &pipeline.FatalError{Msg: pipeline.SendFailed,
		Cause: fmt.Errorf("write to topic %s: %w", f.record.Topic, f.err)}
}

// source finds what the task gave for a produced record.
func (c *chunk) source(r *kgo.Record) *connectors.SourceRecord {
	for j := range c.slab {
		switch {
		case &c.slab[j] != r:
		case c.from != nil:
			return &c.polled[c.from[j]]
		default:
			return &c.polled[j]
		}
	}
	return nil
}

// committed lists the chunk's records for CommitRecords.
func (c *chunk) committed() []connectors.CommittedRecord {
	list := make([]connectors.CommittedRecord, len(c.polled))
	for i := range list {
		r := &c.polled[i]
		list[i] = connectors.CommittedRecord{Record: r, Topic: r.Topic, Partition: -1, Offset: -1}
	}
	for j := range c.slab {
		i := j
		if c.from != nil {
			i = int(c.from[j])
		}
		if r := &c.slab[j]; r.Offset >= 0 {
			list[i].Topic, list[i].Partition, list[i].Offset = r.Topic, r.Partition, r.Offset
		}
	}
	return list
}
