package sinktask

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
	"millrace/runtime/internal/killpoint"
)

// A commit is one request to the group's coordinator.
type commit struct {
	seq     int
	started time.Time
	offsets map[connectors.TopicPartition]int64
	err     error
}

// commitIfDue starts a commit when its time has come. One at a time: one that does not end counts as failed after its time-out.
func (t *Task) commitIfDue(ctx context.Context) {
	now := time.Now()
	if now.Before(t.nextCommit) {
		return
	}
	t.nextCommit = now.Add(max(t.cfg.CommitInterval, time.Millisecond))
	if c := t.committing; c != nil {
		if now.Sub(c.started) < t.cfg.CommitTimeout {
			return
		}
		t.cfg.Logger.Warn("commit of offsets timed out", "after", now.Sub(c.started))
		t.cfg.Counts.CommitFailures.Inc()
		t.committing = nil
	}
	offsets := t.safe(ctx, nil)
	if len(offsets) == 0 {
		return
	}
	t.seq++
	c := &commit{seq: t.seq, started: now, offsets: offsets}
	t.committing = c
	killpoint.Pass(killpoint.BeforeSinkCommit)
	t.consumer.CommitOffsets(ctx, toKafka(offsets), func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		killpoint.Pass(killpoint.AfterSinkCommit)
		c.err = commitError(resp, err)
		t.change(func() { t.finished = append(t.finished, c) })
	})
}

// commitNowSync commits parts and waits.
func (t *Task) commitNowSync(ctx context.Context, parts []connectors.TopicPartition) {
	if t.cfg.DeadLetters != nil {
		t.cfg.DeadLetters.await(ctx, parts, t.cfg.CommitTimeout)
	}
	offsets := t.safe(ctx, parts)
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.CommitTimeout)
	defer cancel()
	c := &commit{started: time.Now(), offsets: offsets}
	t.seq++
	c.seq = t.seq
	t.committing = c
	t.consumer.CommitOffsetsSync(ctx, toKafka(offsets), func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		c.err = commitError(resp, err)
	})
	t.committed(c)
}

// committed takes a commit's end. One that was given up, or overtaken, changes nothing.
func (t *Task) committed(c *commit) {
	if t.committing != c {
		return
	}
	t.committing = nil
	if c.err != nil {
		t.cfg.Logger.Error("commit of offsets failed, trying again later", "err", c.err)
		t.cfg.Counts.CommitFailures.Inc()
		return
	}
	t.cfg.Counts.CommitSeconds.Observe(time.Since(c.started).Seconds())
	for tp, offset := range c.offsets {
		if part := t.parts[tp]; part != nil {
			part.committed = offset
		}
	}
}

// safe asks the task which offsets of parts (all when nil) are safe and returns those that are new. When the task fails, nothing is
// committed and everything since the last commit is read again.
func (t *Task) safe(ctx context.Context, parts []connectors.TopicPartition) map[connectors.TopicPartition]int64 {
	delivered := make(map[connectors.TopicPartition]int64, len(t.parts))
	for tp, part := range t.parts {
		if part.delivered >= 0 {
			delivered[tp] = part.delivered
		}
	}
	if len(delivered) == 0 {
		return nil
	}
	offsets, err := t.preCommit(ctx, delivered)
	if err != nil {
		if ctx.Err() == nil {
			t.cfg.Logger.Error("offsets cannot be committed; reading again from the last commit", "err", err)
			t.cfg.Counts.CommitFailures.Inc()
			t.backToCommitted()
		}
		return nil
	}
	wanted := make(map[connectors.TopicPartition]bool, len(parts))
	for _, tp := range parts {
		wanted[tp] = true
	}
	safe := make(map[connectors.TopicPartition]int64)
	for tp, offset := range offsets {
		part := t.parts[tp]
		if part == nil || parts != nil && !wanted[tp] {
			continue
		}
		if offset > part.delivered {
			t.cfg.Logger.Warn("the task wants to commit more than it was given", "topic", tp.Topic, "partition", tp.Partition,
				"offset", offset, "given", part.delivered)
			continue
		}
		if t.cfg.DeadLetters != nil {
			offset = t.cfg.DeadLetters.limit(tp, offset)
		}
		if offset != part.committed && offset >= 0 {
			safe[tp] = offset
		}
	}
	return safe
}

func (t *Task) preCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	killpoint.Pass(killpoint.PreCommit)
	if p, ok := t.cfg.Sink.(connectors.PreCommitter); ok {
		return p.PreCommit(ctx, offsets)
	}
	return offsets, t.cfg.Sink.Flush(ctx, offsets)
}

// backToCommitted reads everything again that was not committed.
func (t *Task) backToCommitted() {
	back := make(map[connectors.TopicPartition]int64)
	for tp, part := range t.parts {
		from := part.committed
		if from < 0 {
			from = part.first
		}
		if from >= 0 {
			back[tp] = from
			part.delivered = from
		}
	}
	t.account.GiveBack(len(t.batch.records))
	t.batch = batch{}
	t.keepPace(false)
	t.seek(back)
}

func toKafka(offsets map[connectors.TopicPartition]int64) map[string]map[int32]kgo.EpochOffset {
	m := make(map[string]map[int32]kgo.EpochOffset)
	for tp, offset := range offsets {
		if m[tp.Topic] == nil {
			m[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		m[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	return m
}

func commitError(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil || resp == nil {
		return err
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("topic %s partition %d: %w", topic.Topic, p.Partition, err)
			}
		}
	}
	return nil
}
