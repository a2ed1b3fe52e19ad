package sinktask

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/vitals"
)

// taskContext is what the task is given. All methods but RequestCommit run on Run's goroutine.
type taskContext struct{ t *Task }

var _ connectors.SinkTaskContext = taskContext{}

func (c taskContext) SetOffsets(offsets map[connectors.TopicPartition]int64) {
	if c.t.rewinds == nil {
		c.t.rewinds = make(map[connectors.TopicPartition]int64)
	}
	for tp, offset := range offsets {
		c.t.rewinds[tp] = offset
	}
}

func (c taskContext) SetTimeout(d time.Duration) { c.t.timeout = d }

func (c taskContext) Assignment() []connectors.TopicPartition {
	parts := make([]connectors.TopicPartition, 0, len(c.t.parts))
	for tp := range c.t.parts {
		parts = append(parts, tp)
	}
	sortPartitions(parts)
	return parts
}

func (c taskContext) Pause(parts ...connectors.TopicPartition) {
	if len(parts) > 0 {
		c.t.consumer.PauseFetchPartitions(byTopic(parts))
	}
}

func (c taskContext) Resume(parts ...connectors.TopicPartition) {
	if len(parts) > 0 {
		c.t.consumer.ResumeFetchPartitions(byTopic(parts))
	}
}

func byTopic(parts []connectors.TopicPartition) map[string][]int32 {
	m := make(map[string][]int32)
	for _, tp := range parts {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}

func (c taskContext) RequestCommit() { c.t.change(func() { c.t.commitNow = true }) }

func (c taskContext) ErrantRecordReporter() connectors.ErrantRecordReporter {
	if !c.t.cfg.Pipeline.Errors.Reports() {
		return nil
	}
	return errantReporter(c)
}

func (c taskContext) ConnectorName() string     { return c.t.cfg.Connector }
func (c taskContext) TaskID() int               { return c.t.cfg.ID }
func (c taskContext) Logger() connectors.Logger { return c.t.cfg.Logger }

// errantReporter takes records that the task could not write.
type errantReporter struct{ t *Task }

const sinkTaskClass = "org.apache.kafka.connect.sink.SinkTask"

func (e errantReporter) Report(ctx context.Context, r *connectors.SinkRecord, err error) error {
	in, putting, cerr := e.consumed(ctx, r)
	if cerr != nil {
		return cerr
	}
	became := vitals.Records{Written: -1} // the record counts as written when its batch is, or did already
	derr := e.t.decide(ctx, &pipeline.Failure{
		Stage: pipeline.TaskPut, Class: sinkTaskClass, Err: err, Consumed: in}, &became)
	switch {
	case derr != nil:
	case putting:
		b := &e.t.batch.became
		b.Written += became.Written
		b.Skipped += became.Skipped
		b.DeadLettered += became.DeadLettered
	default:
		e.t.account.Settle(nil, became, 0)
	}
	if derr != nil {
		e.t.Fail(derr)
	}
	return derr
}

// consumed returns the record as it was read: the very one while its batch is being put, else one converted back.
func (e errantReporter) consumed(ctx context.Context, r *connectors.SinkRecord) (_ *kgo.Record, putting bool, _ error) {
	for i := range e.t.batch.records {
		b := &e.t.batch.records[i]
		if b == r || b.Offset == r.Offset && b.Original == r.Original {
			return e.t.batch.raw[i], true, nil
		}
	}
	p := e.t.cfg.Pipeline
	key, failure := p.WriteKey(ctx, &r.Record)
	if failure != nil {
		return nil, false, failure.Err
	}
	value, failure := p.WriteValue(ctx, &r.Record)
	if failure != nil {
		return nil, false, failure.Err
	}
	in := &kgo.Record{Topic: r.Original.Topic, Partition: r.Original.Partition, Offset: r.Offset, Key: key, Value: value}
	if r.Timestamp >= 0 {
		in.Timestamp = time.UnixMilli(r.Timestamp)
	}
	for _, h := range r.Headers {
		data, failure := p.WriteHeader(ctx, r.Topic, h)
		if failure != nil {
			return nil, false, failure.Err
		}
		in.Headers = append(in.Headers, kgo.RecordHeader{Key: h.Key, Value: data})
	}
	return in, false, nil
}
