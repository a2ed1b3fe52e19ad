package external

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

const (
	// window is how many batches a source may be ahead of Poll.
	window = 2
	// pollPatience is how long Poll waits for a batch.
	pollPatience = time.Second
)

// sourceTask is a SourceTask in another process. Once the process is gone every call fails: the runtime makes a new task.
type sourceTask struct {
	class *class
	task
	stream grpc.BidiStreamingClient[proto.SourceRequest, proto.SourceReply]

	// Set by Start.
	wantsCommitted, wantsCommit bool
	started                     chan *proto.SourceReply_Started
	batches                     chan sourceBatch
	ended                       chan struct{} // closed when receive has ended
	failure                     error         // set before ended is closed

	// Of Poll.
	owed    uint32 // credits not sent yet
	next    uint64 // number of the next record
	waiting time.Time

	sendMu sync.Mutex
	// dones are those who wait for done or stopped, in order.
	doneMu sync.Mutex
	dones  []chan error
	gone   bool
}

type sourceBatch struct {
	records []connectors.SourceRecord
	err     error
}

var (
	_ connectors.SourceTask      = (*sourceTask)(nil)
	_ connectors.RecordCommitter = (*sourceTask)(nil)
	_ connectors.OffsetCommitter = (*sourceTask)(nil)
)

// Start implements connectors.SourceTask.
func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	if err := t.begin(ctx, t.class); err != nil {
		return err
	}
	var err error
	if t.stream, err = t.proc.plugin.SourceTask(t.ctx); err != nil {
		err = t.proc.explain(err)
		t.end()
		return err
	}
	t.started, t.batches, t.ended = make(chan *proto.SourceReply_Started, 1), make(chan sourceBatch, window), make(chan struct{})
	go t.receive(tc) // Stop waits for ended
	start := startMessage(t.class, tc.ConnectorName(), tc.TaskID(), config)
	err = t.proc.within("Start", func() error {
		if err := t.send(&proto.SourceRequest{Request: &proto.SourceRequest_Start{Start: start}}); err != nil {
			return err
		}
		select {
		case started := <-t.started:
			t.wantsCommitted, t.wantsCommit = started.GetWantsCommitted(), started.GetWantsCommit()
			if started.GetError() != nil {
				return &answered{wire.FromError(started.GetError())}
			}
			return nil
		case <-t.ended:
			return t.failure
		case <-ctx.Done():
			return &answered{ctx.Err()}
		}
	})
	if err != nil {
		t.cancel()
		<-t.ended
		t.end()
		t.stream = nil
	}
	t.owed = window
	return err
}

func (t *sourceTask) send(request *proto.SourceRequest) error {
	t.sendMu.Lock()
	defer t.sendMu.Unlock()
	return t.stream.Send(request)
}

// receive hands on what the plugin sends until the stream ends.
func (t *sourceTask) receive(tc connectors.SourceTaskContext) {
	defer close(t.ended)
	t.failure = t.receiveAll(tc)
	t.doneMu.Lock()
	defer t.doneMu.Unlock()
	t.gone = true
	for _, done := range t.dones {
		close(done)
	}
	t.dones = nil
}

func (t *sourceTask) receiveAll(tc connectors.SourceTaskContext) error {
	var decoder wire.Decoder
	for {
		reply, err := t.stream.Recv()
		if err != nil {
			return err
		}
		switch r := reply.GetReply().(type) {
		case *proto.SourceReply_Started_:
			select {
			case t.started <- r.Started:
			default:
				return errors.New("it started twice")
			}
		case *proto.SourceReply_Batch_:
			b := sourceBatch{err: wire.FromError(r.Batch.GetError())}
			if b.err == nil {
				if b.records, err = decoder.Sources(r.Batch.GetRecords()); err != nil {
					return fmt.Errorf("it sent a batch that cannot be read: %w", err)
				}
			}
			select {
			case t.batches <- b:
			default:
				return errors.New("it sent a batch without a credit")
			}
		case *proto.SourceReply_Done_:
			t.answer(r.Done)
		case *proto.SourceReply_Stopped:
			t.answer(r.Stopped)
		case *proto.SourceReply_Offsets:
			answer := &proto.OffsetsAnswer{Id: r.Offsets.GetId()}
			if err := t.findOffsets(tc, r.Offsets, answer); err != nil {
				answer.Error = wire.Error(err)
			}
			if err := t.send(&proto.SourceRequest{Request: &proto.SourceRequest_Offsets{Offsets: answer}}); err != nil {
				return err
			}
		}
	}
}

func (t *sourceTask) findOffsets(tc connectors.SourceTaskContext, q *proto.OffsetsQuestion, answer *proto.OffsetsAnswer) error {
	partitions := make([]*connectors.SourcePartition, len(q.GetPartitions()))
	for i, p := range q.GetPartitions() {
		m, err := wire.FromMap(p)
		if err != nil {
			return err
		}
		partitions[i] = connectors.NewSourcePartition(m)
	}
	offsets, err := tc.Offsets(t.ctx, partitions)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		v, err := wire.Map(o)
		if err != nil {
			return err
		}
		answer.Offsets = append(answer.Offsets, v)
	}
	return nil
}

func (t *sourceTask) answer(d *proto.SourceReply_Done) {
	t.doneMu.Lock()
	defer t.doneMu.Unlock()
	if len(t.dones) > 0 {
		t.dones[0] <- wire.FromError(d.GetError())
		t.dones = t.dones[1:]
	}
}

// Poll implements connectors.SourceTask. The plugin polls ahead, by window batches.
func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.waiting.IsZero() {
		t.waiting = time.Now()
	}
	if t.owed > 0 {
		credits := t.owed
		t.owed = 0
		err := t.proc.within("Poll", func() error {
			return t.send(&proto.SourceRequest{Request: &proto.SourceRequest_Credits{Credits: credits}})
		})
		if err != nil {
			return nil, err
		}
	}
	timer := time.NewTimer(min(pollPatience, t.class.program.timeout))
	defer timer.Stop()
	select {
	case b := <-t.batches:
		t.owed++
		t.waiting = time.Time{}
		t.number(b.records)
		return b.records, b.err
	case <-t.ended:
		return nil, t.proc.explain(t.failure)
	case <-ctx.Done():
		return nil, nil
	case <-timer.C:
	}
	if time.Since(t.waiting) > t.class.program.timeout {
		t.proc.hung("Poll")
		<-t.ended
		return nil, t.proc.explain(t.failure)
	}
	return nil, nil
}

// number gives records the handles by which CommitRecords knows them.
func (t *sourceTask) number(records []connectors.SourceRecord) {
	if !t.wantsCommitted || len(records) == 0 {
		return
	}
	numbers := make([]uint64, len(records))
	for i := range records {
		numbers[i] = t.next
		records[i].Handle = &numbers[i]
		t.next++
	}
}

// CommitRecords implements connectors.RecordCommitter.
func (t *sourceTask) CommitRecords(ctx context.Context, records []connectors.CommittedRecord) error {
	if !t.wantsCommitted || len(records) == 0 {
		return nil
	}
	c := &proto.Committed{
		Records: make([]uint64, len(records)), Topic: make([]uint32, len(records)),
		Partition: make([]int32, len(records)), Offset: make([]int64, len(records)),
	}
	topics := make(map[string]uint32)
	for i := range records {
		r := &records[i]
		number, ok := r.Record.Handle.(*uint64)
		if !ok {
			return fmt.Errorf("plugin %s: a committed record is not one of the task's", t.class.program.file)
		}
		topic, ok := topics[r.Topic]
		if !ok {
			topic = uint32(len(c.Topics))
			topics[r.Topic] = topic
			c.Topics = append(c.Topics, r.Topic)
		}
		c.Records[i], c.Topic[i], c.Partition[i], c.Offset[i] = *number, topic, r.Partition, r.Offset
	}
	return t.call(ctx, "CommitRecords", &proto.SourceRequest{Request: &proto.SourceRequest_Committed{Committed: c}})
}

// Commit implements connectors.OffsetCommitter.
func (t *sourceTask) Commit(ctx context.Context) error {
	if !t.wantsCommit {
		return nil
	}
	return t.call(ctx, "Commit", &proto.SourceRequest{Request: &proto.SourceRequest_Commit{Commit: true}})
}

// call sends a request and waits for its done.
func (t *sourceTask) call(ctx context.Context, what string, request *proto.SourceRequest) error {
	done := make(chan error, 1)
	err := t.proc.within(what, func() error {
		if err := t.queue(done, request); err != nil {
			return err
		}
		select {
		case err, ok := <-done:
			if !ok {
				<-t.ended
				return t.failure
			}
			if err != nil {
				return &answered{err}
			}
			return nil
		case <-ctx.Done():
			return &answered{ctx.Err()}
		}
	})
	return err
}

// queue sends a request and enters done among those that wait, in the same order.
func (t *sourceTask) queue(done chan error, request *proto.SourceRequest) error {
	t.sendMu.Lock()
	defer t.sendMu.Unlock()
	t.doneMu.Lock()
	if t.gone {
		t.doneMu.Unlock()
		<-t.ended
		return t.failure
	}
	t.dones = append(t.dones, done)
	t.doneMu.Unlock()
	return t.stream.Send(request)
}

// Stop implements connectors.SourceTask. A task whose process is gone is stopped.
func (t *sourceTask) Stop(ctx context.Context) error {
	if t.stream == nil {
		t.end()
		return nil
	}
	var err error
	if t.proc.alive() {
		err = t.call(ctx, "Stop", &proto.SourceRequest{Request: &proto.SourceRequest_Stop{Stop: true}})
	}
	t.cancel()
	<-t.ended
	t.end()
	return err
}
