package sinktask

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/runtime/internal/killpoint"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/vitals"
)

// A batch is what was read and not put yet.
type batch struct {
	records []connectors.SinkRecord
	raw     []*kgo.Record // raw[i] is where records[i] comes from
	// next are the offsets after the batch, records that were skipped included.
	next map[connectors.TopicPartition]int64
	// became counts records of the batch that the task reported as errant.
	became vitals.Records
	// again is when to put it again after a retriable error, zero if there was none.
	again time.Time
	pause time.Duration
}

func (b *batch) waiting() bool { return !b.again.IsZero() }

const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// loop runs until the task stops or fails. Failures of its own, the task's and panics come back as errors.
func (t *Task) loop(life context.Context) (err error) {
	defer pipeline.Recover(&err)
	work, end := context.WithCancel(life)
	defer end()
	t.nextCommit = time.Now().Add(t.cfg.CommitInterval)
	reported := State("")
	for {
		paused, stop, err := t.status(work)
		if err != nil || stop {
			return err
		}
		if want := state(paused); want != reported {
			t.cfg.Report(want)
			reported = want
			if paused {
				t.nextCommit = time.Now() // what was put so far is committed now
			}
		}
		t.commitIfDue(work)
		t.rewind()
		switch {
		case t.batch.waiting():
			if !time.Now().Before(t.batch.again) && !paused {
				err = t.put(work)
			} else {
				t.wait(work, paused)
			}
		case paused:
			t.wait(work, paused)
		default:
			err = t.step(work)
		}
		if err != nil {
			return err
		}
	}
}

func state(paused bool) State {
	if paused {
		return Paused
	}
	return Running
}

// status serves what was asked for from outside and returns what the loop must do.
func (t *Task) status(ctx context.Context) (paused, stop bool, err error) {
	for {
		t.mu.Lock()
		if len(t.requests) == 0 || t.err != nil {
			break
		}
		r := t.requests[0]
		t.requests = t.requests[1:]
		t.mu.Unlock()
		err := t.serve(ctx, r)
		close(r.served)
		if err != nil {
			return false, false, err
		}
	}
	defer t.mu.Unlock()
	for _, c := range t.finished {
		t.committed(c)
	}
	t.finished = nil
	if t.commitNow {
		t.commitNow = false
		t.nextCommit = time.Now()
	}
	return t.paused, t.stopped || ctx.Err() != nil, t.err
}

// wait waits until something changes, a commit is due or the batch may be put again.
func (t *Task) wait(ctx context.Context, paused bool) {
	until := t.nextCommit
	if t.batch.waiting() && !paused && t.batch.again.Before(until) {
		until = t.batch.again
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.changed:
	case <-ctx.Done():
	}
}

// step polls, converts and puts.
func (t *Task) step(ctx context.Context) error {
	patience := time.Until(t.nextCommit)
	if t.timeout > 0 {
		patience = min(patience, t.timeout)
		t.timeout = 0
	}
	pollCtx, cancel := t.interruptible(ctx)
	if t.hasChanged() {
		cancel()
		return nil
	}
	pollCtx, cancelTimeout := context.WithTimeout(pollCtx, patience)
	fetches := t.consumer.PollRecords(pollCtx, t.cfg.MaxPoll)
	interrupted := pollCtx.Err() != nil && time.Now().Before(t.nextCommit)
	cancelTimeout()
	cancel()
	if err := t.check(ctx, fetches); err != nil {
		return err
	}
	if err := t.convert(ctx, fetches); err != nil {
		return err
	}
	if len(t.batch.next) == 0 && interrupted {
		return nil
	}
	return t.put(ctx)
}

func (t *Task) hasChanged() bool {
	select {
	case <-t.changed:
		return true
	default:
		return false
	}
}

// check logs what the consumer reports; what cannot pass fails the task.
func (t *Task) check(ctx context.Context, fetches kgo.Fetches) (err error) {
	if fetches.IsClientClosed() {
		return errors.New("the consumer is closed")
	}
	fetches.EachError(func(topic string, p int32, ferr error) {
		switch {
		case errors.Is(ferr, context.Canceled) || errors.Is(ferr, context.DeadlineExceeded) || ctx.Err() != nil:
		default:
			t.cfg.Logger.Warn("the consumer reports an error and goes on", "topic", topic, "partition", p, "err", ferr)
			t.pauseBriefly(ctx)
		}
	})
	return err
}

// pauseBriefly keeps errors that come at once from filling the log.
func (t *Task) pauseBriefly(ctx context.Context) {
	timer := time.NewTimer(errorPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

const errorPause = 200 * time.Millisecond

// convert fills the batch from what was fetched.
func (t *Task) convert(ctx context.Context, fetches kgo.Fetches) error {
	n := fetches.NumRecords()
	if n == 0 {
		return nil
	}
	b := &t.batch
	b.records = make([]connectors.SinkRecord, 0, n) // the task may keep the records until they are flushed
	b.raw = make([]*kgo.Record, 0, n)
	if b.next == nil {
		b.next = make(map[connectors.TopicPartition]int64)
	}
	var headers connectors.Headers
	var failed error
	var became vitals.Records
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 || failed != nil {
			return
		}
		tp := connectors.TopicPartition{Topic: f.Topic, Partition: f.Partition}
		part := t.parts[tp]
		if part == nil {
			return // revoked meanwhile: its next owner reads them
		}
		part.sawFirst(f.Records[0].Offset)
		if t.cfg.Used != nil {
			t.cfg.Used(f.Topic)
		}
		t.account.Take(len(f.Records))
		for _, in := range f.Records {
			if headers, failed = t.convertRecord(ctx, in, headers, &became); failed != nil {
				return
			}
		}
		b.next[tp] = f.Records[len(f.Records)-1].Offset + 1
		part.end = f.HighWatermark
		t.cfg.Counts.Read.Add(float64(len(f.Records)))
	})
	t.account.Settle(nil, became, int(became.Filtered+became.Skipped+became.DeadLettered))
	t.keepPace(false)
	return failed
}

// convertRecord adds one record to the batch unless it is dropped or skipped; then became counts it.
func (t *Task) convertRecord(ctx context.Context, in *kgo.Record, headers connectors.Headers, became *vitals.Records) (connectors.Headers, error) {
	b := &t.batch
	b.records = append(b.records, connectors.SinkRecord{})
	r := &b.records[len(b.records)-1]
	headers, failure := t.cfg.Pipeline.Read(ctx, in, r, headers)
	keep := failure == nil
	if keep {
		keep, failure = t.cfg.Pipeline.TransformSink(ctx, r)
	}
	if !keep {
		b.records = b.records[:len(b.records)-1]
	} else {
		b.raw = append(b.raw, in)
	}
	switch {
	case failure != nil:
		failure.Consumed = in
		return headers, t.decide(ctx, failure, became)
	case !keep:
		became.Filtered++
	}
	return headers, nil
}

// decide asks the policy about a record that failed and counts what became of it.
func (t *Task) decide(ctx context.Context, f *pipeline.Failure, became *vitals.Records) error {
	err := t.cfg.Pipeline.Errors.Decide(ctx, f)
	switch {
	case err != nil:
	case t.cfg.DeadLetters != nil:
		became.DeadLettered++
	default:
		became.Skipped++
	}
	return err
}

// put hands the batch to the task. After a retriable error it stays.
func (t *Task) put(ctx context.Context) error {
	b := &t.batch
	b.became = vitals.Records{}
	err := t.cfg.Sink.Put(ctx, b.records)
	killpoint.Pass(killpoint.AfterPut)
	switch {
	case err == nil:
		t.cfg.Counts.Put.Add(float64(len(b.records)))
		b.became.Written += int64(len(b.records)) // records reported as errant stand as -1
		t.account.Settle(nil, b.became, len(b.records))
		for tp, next := range b.next {
			if part := t.parts[tp]; part != nil {
				part.delivered = next
			}
		}
		clear(b.next)
		*b = batch{next: b.next}
		t.keepPace(true)
		return nil
	case ctx.Err() != nil:
		return nil // stopping: the records come again
	case !connectors.Retriable(err):
		return &pipeline.FatalError{Msg: "Exiting WorkerSinkTask due to unrecoverable exception.", Cause: err}
	}
	if b.pause == 0 {
		b.pause = firstPause
	}
	wait := min(b.pause, lastPause)
	if t.timeout > 0 {
		wait, t.timeout = t.timeout, 0
	}
	b.pause *= 2
	b.again = time.Now().Add(wait)
	t.cfg.Logger.Warn("put failed, trying again", "records", len(b.records), "wait", wait, "err", err)
	return nil
}
