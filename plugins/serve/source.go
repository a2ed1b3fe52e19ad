package serve

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// SourceTask is the life of a source task: one goroutine receives, one polls (this one), one commits.
func (s *server) SourceTask(stream grpc.BidiStreamingServer[proto.SourceRequest, proto.SourceReply]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	start := request.GetStart()
	p, err := s.lookup(start.GetClass(), connectors.KindSource)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	t := &sourceTask{
		stream: stream, task: p.NewSource().NewTask(), start: start, log: s.logger(start, true),
		cancel: cancel, credits: make(chan struct{}, maxCredits), commits: make(chan *proto.SourceRequest, maxCommits),
		questions: make(map[uint64]chan *proto.OffsetsAnswer),
	}
	t.committer, _ = t.task.(connectors.RecordCommitter)
	t.offsets, _ = t.task.(connectors.OffsetCommitter)
	return t.run(ctx)
}

// The host sends no more than this ahead; more ends the stream.
const (
	maxCredits = 64
	maxCommits = 1024
)

type sourceTask struct {
	task      connectors.SourceTask
	committer connectors.RecordCommitter // nil if the task is none
	offsets   connectors.OffsetCommitter
	start     *proto.Start
	log       *slog.Logger
	cancel    context.CancelFunc
	credits   chan struct{}
	commits   chan *proto.SourceRequest
	encoder   wire.Encoder

	sendMu sync.Mutex
	stream grpc.BidiStreamingServer[proto.SourceRequest, proto.SourceReply]

	mu        sync.Mutex
	questions map[uint64]chan *proto.OffsetsAnswer
	asked     uint64
	// pending are the records sent and not yet committed, by number; only kept for a RecordCommitter.
	pending map[uint64]*connectors.SourceRecord
	sent    uint64
}

func (t *sourceTask) run(ctx context.Context) error {
	// It ends with the stream: the host ends its side after stopped, and gRPC ends it when this handler returns.
	go func() {
		defer t.cancel()
		t.receive(ctx)
	}()
	err := guard(func() error { return t.task.Start(ctx, t, t.start.GetConfig()) })
	started := &proto.SourceReply_Started{Error: wire.Error(err), WantsCommitted: t.committer != nil, WantsCommit: t.offsets != nil}
	sendErr := t.send(&proto.SourceReply{Reply: &proto.SourceReply_Started_{Started: started}})
	if err == nil && sendErr == nil {
		var committing sync.WaitGroup
		committing.Go(func() { t.commit(ctx) })
		sendErr = t.poll(ctx)
		<-ctx.Done()
		committing.Wait()
	} else {
		<-ctx.Done()
	}
	// ctx has ended, the stop has the host's deadline all the same: the process is killed when it passes.
	err = guard(func() error { return t.task.Stop(context.WithoutCancel(ctx)) })
	stopped := &proto.SourceReply_Done{Error: wire.Error(err)}
	return errors.Join(sendErr, t.send(&proto.SourceReply{Reply: &proto.SourceReply_Stopped{Stopped: stopped}}))
}

func (t *sourceTask) send(reply *proto.SourceReply) error {
	t.sendMu.Lock()
	defer t.sendMu.Unlock()
	return t.stream.Send(reply)
}

// receive hands requests to those who wait for them, until the host says stop or is gone.
func (t *sourceTask) receive(ctx context.Context) {
	defer close(t.commits)
	for {
		request, err := t.stream.Recv()
		if err != nil {
			return
		}
		switch r := request.GetRequest().(type) {
		case *proto.SourceRequest_Credits:
			for range min(r.Credits, maxCredits) {
				select {
				case t.credits <- struct{}{}:
				default:
				}
			}
		case *proto.SourceRequest_Committed, *proto.SourceRequest_Commit:
			select {
			case t.commits <- request:
			case <-ctx.Done():
				return
			}
		case *proto.SourceRequest_Offsets:
			t.mu.Lock()
			answer := t.questions[r.Offsets.GetId()]
			delete(t.questions, r.Offsets.GetId())
			t.mu.Unlock()
			if answer != nil {
				answer <- r.Offsets
			}
		case *proto.SourceRequest_Stop:
			return
		}
	}
}

// Offset implements connectors.SourceTaskContext.
func (t *sourceTask) Offset(ctx context.Context, p *connectors.SourcePartition) (map[string]any, error) {
	found, err := t.Offsets(ctx, []*connectors.SourcePartition{p})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Offsets implements connectors.SourceTaskContext.
func (t *sourceTask) Offsets(ctx context.Context, ps []*connectors.SourcePartition) ([]map[string]any, error) {
	question := new(proto.OffsetsQuestion)
	for _, p := range ps {
		v, err := wire.Map(p.Map())
		if err != nil {
			return nil, err
		}
		question.Partitions = append(question.Partitions, v)
	}
	answered := make(chan *proto.OffsetsAnswer, 1)
	t.mu.Lock()
	t.asked++
	question.Id = t.asked
	t.questions[question.Id] = answered
	t.mu.Unlock()
	if err := t.send(&proto.SourceReply{Reply: &proto.SourceReply_Offsets{Offsets: question}}); err != nil {
		return nil, err
	}
	var answer *proto.OffsetsAnswer
	select {
	case answer = <-answered:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.stream.Context().Done():
		return nil, t.stream.Context().Err()
	}
	if answer.GetError() != nil {
		return nil, wire.FromError(answer.GetError())
	}
	if len(answer.GetOffsets()) != len(ps) {
		return nil, errors.New("the worker answered for another number of partitions")
	}
	found := make([]map[string]any, len(ps))
	for i, v := range answer.GetOffsets() {
		var err error
		if found[i], err = wire.FromMap(v); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ConnectorName implements connectors.SourceTaskContext.
func (t *sourceTask) ConnectorName() string { return t.start.GetConnector() }

// TaskID implements connectors.SourceTaskContext.
func (t *sourceTask) TaskID() int { return int(t.start.GetTask()) }

// Logger implements connectors.SourceTaskContext.
func (t *sourceTask) Logger() connectors.Logger { return t.log }
