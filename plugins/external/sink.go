package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// sinkTask is a SinkTask in another process. Once the process is gone every call fails: the records that were not flushed come
// again to the task that the runtime makes next.
type sinkTask struct {
	class *class
	task
	sendMu   sync.Mutex
	stream   grpc.BidiStreamingClient[proto.SinkRequest, proto.SinkReply]
	context  connectors.SinkTaskContext
	reporter connectors.ErrantRecordReporter
	encoder  wire.Encoder
	broken   error // what left the stream in a state to stop at

	// current and unflushed are the records that the task may report; only kept if there is a reporter.
	current   []connectors.SinkRecord
	unflushed [][]connectors.SinkRecord
}

var (
	_ connectors.SinkTask          = (*sinkTask)(nil)
	_ connectors.PreCommitter      = (*sinkTask)(nil)
	_ connectors.PartitionListener = (*sinkTask)(nil)
)

// Start implements connectors.SinkTask.
func (t *sinkTask) Start(ctx context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	if err := t.begin(ctx, t.class); err != nil {
		return err
	}
	t.context, t.reporter = tc, tc.ErrantRecordReporter()
	var err error
	if t.stream, err = t.proc.plugin.SinkTask(t.ctx); err != nil {
		err = t.proc.explain(err)
		t.end()
		return err
	}
	start := startMessage(t.class, tc.ConnectorName(), tc.TaskID(), config)
	start.Assignment, start.Report = wire.Partitions(tc.Assignment()), t.reporter != nil
	// The plugin has no call to cancel yet: the stream is broken instead.
	stop := context.AfterFunc(ctx, t.cancel)
	defer stop()
	_, err = t.call(context.WithoutCancel(ctx), "Start", &proto.SinkRequest{Request: &proto.SinkRequest_Start{Start: start}})
	if err != nil {
		t.broken = err
		t.end()
	}
	return err
}

func (t *sinkTask) send(request *proto.SinkRequest) error {
	t.sendMu.Lock()
	defer t.sendMu.Unlock()
	return t.stream.Send(request)
}

// call sends a request and does what the task wishes until it is done. If ctx ends the task is asked to return.
func (t *sinkTask) call(ctx context.Context, what string, request *proto.SinkRequest) (done *proto.SinkReply_Done, err error) {
	if t.broken != nil {
		return nil, t.broken
	}
	stop := context.AfterFunc(ctx, func() {
		// An error here is one of the stream, which the call sees too.
		_ = t.send(&proto.SinkRequest{Request: &proto.SinkRequest_Cancel{Cancel: true}})
	})
	defer stop()
	err = t.proc.within(what, func() error {
		// The error of a stream that has ended is in Recv.
		if err := t.send(request); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for done == nil {
			reply, err := t.stream.Recv()
			if err != nil {
				return err
			}
			if err := t.obey(ctx, reply); err != nil {
				return err
			}
			done = reply.GetDone()
		}
		return nil
	})
	if err != nil {
		t.broken = err
		return nil, err
	}
	return done, wire.FromError(done.GetError())
}

// obey does what a reply other than done asks for.
func (t *sinkTask) obey(ctx context.Context, reply *proto.SinkReply) error {
	switch r := reply.GetReply().(type) {
	case *proto.SinkReply_SetOffsets:
		t.context.SetOffsets(wire.FromTopicOffsets(r.SetOffsets.GetPartitions()))
	case *proto.SinkReply_Pause:
		t.context.Pause(wire.FromPartitions(r.Pause.GetPartitions())...)
	case *proto.SinkReply_Resume:
		t.context.Resume(wire.FromPartitions(r.Resume.GetPartitions())...)
	case *proto.SinkReply_TimeoutMs:
		t.context.SetTimeout(time.Duration(max(r.TimeoutMs, 0)) * time.Millisecond)
	case *proto.SinkReply_RequestCommit:
		t.context.RequestCommit()
	case *proto.SinkReply_Report_:
		answer := &proto.ReportAnswer{Id: r.Report.GetId(), Error: wire.Error(t.report(ctx, r.Report))}
		return t.send(&proto.SinkRequest{Request: &proto.SinkRequest_Report{Report: answer}})
	}
	return nil
}

func (t *sinkTask) report(ctx context.Context, r *proto.SinkReply_Report) error {
	if t.reporter == nil {
		return errors.New("there is no errant record reporter")
	}
	at := connectors.TopicPartition{Topic: r.GetTopic(), Partition: r.GetPartition()}
	is := func(c connectors.SinkRecord) bool { return c.Offset == r.GetOffset() && c.Original == at }
	for _, records := range append(slices.Clone(t.unflushed), t.current) {
		if i := slices.IndexFunc(records, is); i >= 0 {
			return t.reporter.Report(ctx, &records[i], wire.FromError(r.GetError()))
		}
	}
	return fmt.Errorf("the reported record, offset %d of %s-%d, is none that was put since the last flush", r.GetOffset(), at.Topic, at.Partition)
}

// Put implements connectors.SinkTask. A big batch crosses in pieces.
func (t *sinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	if t.broken != nil {
		return t.broken
	}
	if t.reporter != nil {
		t.current = records
		defer func() { t.current = nil }()
	}
	rest := records
	for {
		data, n, err := t.encoder.Sinks(rest)
		if err != nil {
			t.broken = err
			return err
		}
		rest = rest[n:]
		put := &proto.SinkRequest_Put{Records: data, More: len(rest) > 0}
		request := &proto.SinkRequest{Request: &proto.SinkRequest_Put_{Put: put}}
		if put.More {
			err = t.proc.within("Put", func() error {
				if err := t.send(request); err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				return nil
			})
			if err != nil {
				t.broken = err
				return err
			}
			continue
		}
		if _, err = t.call(ctx, "Put", request); err != nil {
			return err
		}
		break
	}
	if t.reporter != nil && len(records) > 0 {
		t.unflushed = append(t.unflushed, records)
	}
	return nil
}

// PreCommit implements connectors.PreCommitter; a task that has only Flush is flushed.
func (t *sinkTask) PreCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	p := &proto.SinkRequest_Partitions{Partitions: wire.TopicOffsets(offsets)}
	done, err := t.call(ctx, "PreCommit", &proto.SinkRequest{Request: &proto.SinkRequest_PreCommit{PreCommit: p}})
	if err != nil {
		return nil, err
	}
	safe := wire.FromTopicOffsets(done.GetOffsets())
	t.unflushed = slices.DeleteFunc(t.unflushed, func(records []connectors.SinkRecord) bool {
		return !slices.ContainsFunc(records, func(r connectors.SinkRecord) bool { return r.Offset >= safe[r.Original] })
	})
	return safe, nil
}

// Flush implements connectors.SinkTask.
func (t *sinkTask) Flush(ctx context.Context, offsets map[connectors.TopicPartition]int64) error {
	_, err := t.PreCommit(ctx, offsets)
	return err
}

// OpenPartitions implements connectors.PartitionListener.
func (t *sinkTask) OpenPartitions(ctx context.Context, partitions []connectors.TopicPartition) error {
	p := &proto.SinkRequest_Partitions{Partitions: wire.Partitions(partitions)}
	_, err := t.call(ctx, "OpenPartitions", &proto.SinkRequest{Request: &proto.SinkRequest_Open{Open: p}})
	return err
}

// ClosePartitions implements connectors.PartitionListener.
func (t *sinkTask) ClosePartitions(ctx context.Context, partitions []connectors.TopicPartition) error {
	p := &proto.SinkRequest_Partitions{Partitions: wire.Partitions(partitions)}
	_, err := t.call(ctx, "ClosePartitions", &proto.SinkRequest{Request: &proto.SinkRequest_Close{Close: p}})
	return err
}

// Stop implements connectors.SinkTask. A task whose process or stream is gone is stopped.
func (t *sinkTask) Stop(ctx context.Context) (err error) {
	if t.stream != nil && t.broken == nil && t.proc.alive() {
		_, err = t.call(ctx, "Stop", &proto.SinkRequest{Request: &proto.SinkRequest_Stop{Stop: true}})
	}
	t.end()
	return err
}
