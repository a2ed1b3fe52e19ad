package serve

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// SinkTask is the life of a sink task: one goroutine receives, this one makes the calls.
func (s *server) SinkTask(stream grpc.BidiStreamingServer[proto.SinkRequest, proto.SinkReply]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	start := request.GetStart()
	p, err := s.lookup(start.GetClass(), connectors.KindSink)
	if err != nil {
		return err
	}
	t := &sinkTask{task: p.NewSink().NewTask(), calls: make(chan *proto.SinkRequest)}
	t.context = &sinkContext{
		stream: stream, start: start, log: s.logger(start, true), assignment: wire.FromPartitions(start.GetAssignment()),
		reports: make(map[uint64]chan error),
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go t.receive(ctx, cancel)
	return t.run(ctx)
}

type sinkTask struct {
	task    connectors.SinkTask
	context *sinkContext
	calls   chan *proto.SinkRequest
	decoder wire.Decoder
	// records are the put that has not fully come yet.
	records []connectors.SinkRecord

	mu     sync.Mutex
	cancel context.CancelFunc // of the running call, or the last one
}

// receive hands on the host's calls, and its answers to reports while a call is running.
func (t *sinkTask) receive(ctx context.Context, cancel context.CancelFunc) {
	defer cancel()
	for {
		request, err := t.context.stream.Recv()
		if err != nil {
			return
		}
		if r := request.GetReport(); r != nil {
			t.context.answer(r)
			continue
		}
		if request.GetCancel() {
			t.cancelCall()
			continue
		}
		select {
		case t.calls <- request:
		case <-ctx.Done():
			return
		}
	}
}

func (t *sinkTask) run(ctx context.Context) error {
	err := guard(func() error { return t.task.Start(ctx, t.context, t.context.start.GetConfig()) })
	if err := t.context.done(err, nil); err != nil {
		return errors.Join(err, guard(func() error { return t.task.Stop(ctx) }))
	}
	for {
		select {
		case <-ctx.Done(): // the worker is gone
			return errors.Join(ctx.Err(), guard(func() error { return t.task.Stop(ctx) }))
		case request := <-t.calls:
			if request.GetStop() {
				return t.context.done(guard(func() error { return t.task.Stop(ctx) }), nil)
			}
			if put := request.GetPut(); put != nil && put.GetMore() {
				if err := t.collect(put); err != nil {
					return err
				}
				continue
			}
			var safe []*proto.TopicOffset
			callCtx, end := t.beginCall(ctx)
			err := guard(func() (err error) {
				safe, err = t.call(callCtx, request)
				return err
			})
			end()
			if err := t.context.done(err, safe); err != nil {
				return errors.Join(err, guard(func() error { return t.task.Stop(ctx) }))
			}
		}
	}
}

// beginCall returns the context of a call that cancelCall ends. A cancel may be overtaken by the end of its call: the next
// call begins with the next request, which the host sends after it has the answer.
func (t *sinkTask) beginCall(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	return ctx, cancel
}

func (t *sinkTask) cancelCall() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		t.cancel()
	}
}

func (t *sinkTask) collect(put *proto.SinkRequest_Put) error {
	records, err := t.decoder.Sinks(put.GetRecords())
	if err != nil {
		return err
	}
	if t.records == nil {
		t.records = records
	} else {
		t.records = append(t.records, records...)
	}
	return nil
}

func (t *sinkTask) call(ctx context.Context, request *proto.SinkRequest) ([]*proto.TopicOffset, error) {
	switch r := request.GetRequest().(type) {
	case *proto.SinkRequest_Put_:
		if err := t.collect(r.Put); err != nil {
			return nil, err
		}
		records := t.records
		t.records = nil
		return nil, t.task.Put(ctx, records)
	case *proto.SinkRequest_PreCommit:
		offsets := wire.FromTopicOffsets(r.PreCommit.GetPartitions())
		if p, ok := t.task.(connectors.PreCommitter); ok {
			safe, err := p.PreCommit(ctx, offsets)
			if err != nil {
				return nil, err
			}
			return wire.TopicOffsets(safe), nil
		}
		if err := t.task.Flush(ctx, offsets); err != nil {
			return nil, err
		}
		return r.PreCommit.GetPartitions(), nil
	case *proto.SinkRequest_Open:
		partitions := wire.FromPartitions(r.Open.GetPartitions())
		t.context.opened(partitions)
		if l, ok := t.task.(connectors.PartitionListener); ok {
			return nil, l.OpenPartitions(ctx, partitions)
		}
	case *proto.SinkRequest_Close:
		partitions := wire.FromPartitions(r.Close.GetPartitions())
		defer t.context.closed(partitions)
		if l, ok := t.task.(connectors.PartitionListener); ok {
			return nil, l.ClosePartitions(ctx, partitions)
		}
	}
	return nil, nil
}
