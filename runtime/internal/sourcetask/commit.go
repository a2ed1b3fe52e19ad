package sourcetask

import (
	"context"
	"sync"
	"time"

	"millrace/connectors"
	"millrace/offsets"
	"millrace/runtime/internal/killpoint"
	"millrace/runtime/internal/pipeline"
)

// A commitQueue calls CommitRecords, chunk by chunk in the order of acknowledgement, beside Poll. Its length is bounded by the
// task's budget, which a chunk gives back when the call returns.
type commitQueue struct {
	task      *Task
	committer connectors.RecordCommitter

	mu     sync.Mutex
	chunks []*chunk
	filled chan struct{}
}

func newCommitQueue(t *Task, c connectors.RecordCommitter) *commitQueue {
	return &commitQueue{task: t, committer: c, filled: make(chan struct{}, 1)}
}

func (q *commitQueue) add(c *chunk) {
	q.mu.Lock()
	q.chunks = append(q.chunks, c)
	q.mu.Unlock()
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

func (q *commitQueue) take() []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	chunks := q.chunks
	q.chunks = nil
	return chunks
}

// run calls CommitRecords until ctx ends. A failure is logged: the records are in the log, and whether the foreign system
// gives them again is its business. A panic fails the task.
func (q *commitQueue) run(ctx context.Context) {
	for {
		for _, c := range q.take() {
			if ctx.Err() != nil {
				return
			}
			if err := q.commit(ctx, c.committed()); err != nil {
				return
			}
			q.task.release(c)
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
			return
		}
	}
}

func (q *commitQueue) commit(ctx context.Context, records []connectors.CommittedRecord) (err error) {
	defer func() {
		if err != nil {
			q.task.fail(err)
		}
	}()
	defer pipeline.Recover(&err)
	if err := q.committer.CommitRecords(ctx, records); err != nil {
		q.task.cfg.Logger.Error("the task failed to commit records", "records", len(records), "err", err)
	}
	return nil
}

// flushLoop flushes source offsets at intervals until ctx ends; a flush under way then goes on, within life.
func (t *Task) flushLoop(ctx, life context.Context) {
	ticker := time.NewTicker(max(t.cfg.FlushInterval, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.flush(life)
		case <-ctx.Done():
			return
		}
	}
}

// flush commits the source offsets of what the log has. What fails is tried again next time: the task goes on.
func (t *Task) flush(ctx context.Context) {
	t.flushes.Lock()
	defer t.flushes.Unlock()
	list := t.tracker.take()
	start := time.Now()
	if len(list) > 0 {
		putCtx, cancel := context.WithTimeout(ctx, t.cfg.FlushTimeout)
		killpoint.Pass(killpoint.BeforeOffsets)
		err := t.cfg.Offsets.Put(putCtx, t.offsets(list))
		cancel()
		killpoint.Pass(killpoint.AfterOffsets)
		if err != nil {
			t.tracker.restore(list)
			t.cfg.Counts.CommitFailures.Inc()
			if ctx.Err() == nil {
				t.cfg.Logger.Error("offsets were not committed, trying again later", "err", err)
			}
			return
		}
		t.cfg.Counts.CommitSeconds.Observe(time.Since(start).Seconds())
	}
	if err := t.committed(ctx); err != nil {
		t.fail(err)
	}
}

func (t *Task) offsets(list []committable) []offsets.Offset {
	offs := make([]offsets.Offset, len(list))
	for i, c := range list {
		offs[i] = offsets.Offset{Connector: t.cfg.Connector, Partition: c.partition.Map(), Offset: c.offset.Map()}
	}
	return offs
}

func (t *Task) committed(ctx context.Context) (err error) {
	defer pipeline.Recover(&err)
	c, ok := t.cfg.Source.(connectors.OffsetCommitter)
	if !ok {
		return nil
	}
	if err := c.Commit(ctx); err != nil {
		t.cfg.Logger.Error("the task failed to commit", "err", err)
	}
	return nil
}
