package serve

import (
	"context"
	"errors"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// poll polls once for each credit and sends what comes; a batch too big for a message waits for further credits. It returns
// when ctx ends, when the task has failed, or with the error of the stream.
func (t *sourceTask) poll(ctx context.Context) error {
	for t.credit(ctx) {
		var records []connectors.SourceRecord
		err := guard(func() (err error) {
			records, err = t.task.Poll(ctx)
			return err
		})
		for first := true; first || len(records) > 0; first = false {
			if !first && !t.credit(ctx) {
				return nil
			}
			batch := new(proto.SourceReply_Batch)
			var n int
			if err == nil {
				batch.Records, n, err = t.encode(records)
			}
			if err != nil {
				batch.Error, records = wire.Error(err), nil
			} else {
				records = records[n:]
			}
			// Send has serialized the message when it returns: the encoder's buffer is free again.
			if err := t.send(&proto.SourceReply{Reply: &proto.SourceReply_Batch_{Batch: batch}}); err != nil {
				return err
			}
		}
		if err != nil && !connectors.Retriable(err) {
			return nil
		}
	}
	return nil
}

func (t *sourceTask) credit(ctx context.Context) bool {
	select {
	case <-t.credits:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *sourceTask) encode(records []connectors.SourceRecord) (data []byte, n int, err error) {
	if len(records) == 0 {
		return nil, 0, nil
	}
	if data, n, err = t.encoder.Sources(records); err != nil {
		return nil, 0, err
	}
	if t.committer != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.pending == nil {
			t.pending = make(map[uint64]*connectors.SourceRecord)
		}
		for i := range n {
			t.pending[t.sent+uint64(i)] = &records[i]
		}
		t.sent += uint64(n)
	}
	return data, n, nil
}

// commit answers committed and commit, one after the other. Requests that come before the stop are all answered.
func (t *sourceTask) commit(ctx context.Context) {
	for request := range t.commits {
		err := guard(func() error {
			if request.GetCommit() {
				if t.offsets == nil {
					return nil
				}
				return t.offsets.Commit(context.WithoutCancel(ctx))
			}
			return t.committed(context.WithoutCancel(ctx), request.GetCommitted())
		})
		done := &proto.SourceReply_Done{Error: wire.Error(err)}
		if err := t.send(&proto.SourceReply{Reply: &proto.SourceReply_Done_{Done: done}}); err != nil {
			t.log.Debug("worker is gone", "err", err)
		}
	}
}

func (t *sourceTask) committed(ctx context.Context, c *proto.Committed) error {
	n := len(c.GetRecords())
	if len(c.GetTopic()) != n || len(c.GetPartition()) != n || len(c.GetOffset()) != n {
		return errors.New("committed: the lists differ in length")
	}
	if t.committer == nil {
		return nil
	}
	list := make([]connectors.CommittedRecord, 0, n)
	t.mu.Lock()
	for i, number := range c.GetRecords() {
		r, topic := t.pending[number], c.GetTopic()[i]
		if r == nil || int(topic) >= len(c.GetTopics()) {
			t.mu.Unlock()
			return errors.New("committed: unknown record or topic")
		}
		delete(t.pending, number)
		list = append(list, connectors.CommittedRecord{
			Record: r, Topic: c.GetTopics()[topic], Partition: c.GetPartition()[i], Offset: c.GetOffset()[i],
		})
	}
	t.mu.Unlock()
	return t.committer.CommitRecords(ctx, list)
}
