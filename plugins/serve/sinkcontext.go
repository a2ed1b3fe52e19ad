package serve

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// sinkContext sends a task's wishes to the worker.
type sinkContext struct {
	start *proto.Start
	log   *slog.Logger

	sendMu sync.Mutex
	stream grpc.BidiStreamingServer[proto.SinkRequest, proto.SinkReply]

	mu         sync.Mutex
	assignment []connectors.TopicPartition
	reports    map[uint64]chan error
	reported   uint64
}

var (
	_ connectors.SinkTaskContext      = (*sinkContext)(nil)
	_ connectors.ErrantRecordReporter = (*sinkContext)(nil)
)

func (c *sinkContext) send(reply *proto.SinkReply) error {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	return c.stream.Send(reply)
}

// tell sends what has no error to return: if the worker is gone the task ends soon.
func (c *sinkContext) tell(reply *proto.SinkReply) {
	if err := c.send(reply); err != nil {
		c.log.Debug("worker is gone", "err", err)
	}
}

func (c *sinkContext) done(err error, offsets []*proto.TopicOffset) error {
	done := &proto.SinkReply_Done{Error: wire.Error(err), Offsets: offsets}
	return c.send(&proto.SinkReply{Reply: &proto.SinkReply_Done_{Done: done}})
}

// SetOffsets implements connectors.SinkTaskContext.
func (c *sinkContext) SetOffsets(offsets map[connectors.TopicPartition]int64) {
	p := &proto.SinkReply_Partitions{Partitions: wire.TopicOffsets(offsets)}
	c.tell(&proto.SinkReply{Reply: &proto.SinkReply_SetOffsets{SetOffsets: p}})
}

// SetTimeout implements connectors.SinkTaskContext.
func (c *sinkContext) SetTimeout(d time.Duration) {
	c.tell(&proto.SinkReply{Reply: &proto.SinkReply_TimeoutMs{TimeoutMs: d.Milliseconds()}})
}

// Assignment implements connectors.SinkTaskContext.
func (c *sinkContext) Assignment() []connectors.TopicPartition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.assignment)
}

// Pause implements connectors.SinkTaskContext.
func (c *sinkContext) Pause(partitions ...connectors.TopicPartition) {
	p := &proto.SinkReply_Partitions{Partitions: wire.Partitions(partitions)}
	c.tell(&proto.SinkReply{Reply: &proto.SinkReply_Pause{Pause: p}})
}

// Resume implements connectors.SinkTaskContext.
func (c *sinkContext) Resume(partitions ...connectors.TopicPartition) {
	p := &proto.SinkReply_Partitions{Partitions: wire.Partitions(partitions)}
	c.tell(&proto.SinkReply{Reply: &proto.SinkReply_Resume{Resume: p}})
}

// RequestCommit implements connectors.SinkTaskContext.
func (c *sinkContext) RequestCommit() {
	c.tell(&proto.SinkReply{Reply: &proto.SinkReply_RequestCommit{RequestCommit: true}})
}

// ErrantRecordReporter implements connectors.SinkTaskContext.
func (c *sinkContext) ErrantRecordReporter() connectors.ErrantRecordReporter {
	if !c.start.GetReport() {
		return nil
	}
	return c
}

// Report implements connectors.ErrantRecordReporter.
func (c *sinkContext) Report(ctx context.Context, r *connectors.SinkRecord, err error) error {
	answered := make(chan error, 1)
	c.mu.Lock()
	c.reported++
	id := c.reported
	c.reports[id] = answered
	c.mu.Unlock()
	report := &proto.SinkReply_Report{
		Id: id, Topic: r.Original.Topic, Partition: r.Original.Partition, Offset: r.Offset, Error: wire.Error(err),
	}
	if err := c.send(&proto.SinkReply{Reply: &proto.SinkReply_Report_{Report: report}}); err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.stream.Context().Done():
		return c.stream.Context().Err()
	}
}

func (c *sinkContext) answer(a *proto.ReportAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered := c.reports[a.GetId()]; answered != nil {
		delete(c.reports, a.GetId())
		answered <- wire.FromError(a.GetError())
	}
}

func (c *sinkContext) opened(partitions []connectors.TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range partitions {
		if !slices.Contains(c.assignment, p) {
			c.assignment = append(c.assignment, p)
		}
	}
}

func (c *sinkContext) closed(partitions []connectors.TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.assignment = slices.DeleteFunc(c.assignment, func(p connectors.TopicPartition) bool { return slices.Contains(partitions, p) })
}

// ConnectorName implements connectors.SinkTaskContext.
func (c *sinkContext) ConnectorName() string { return c.start.GetConnector() }

// TaskID implements connectors.SinkTaskContext.
func (c *sinkContext) TaskID() int { return int(c.start.GetTask()) }

// Logger implements connectors.SinkTaskContext.
func (c *sinkContext) Logger() connectors.Logger { return c.log }
