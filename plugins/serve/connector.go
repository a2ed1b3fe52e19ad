package serve

import (
	"errors"
	"log/slog"
	"sync"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// connector is what a Source and a Sink have in common.
type connector interface {
	Start(ctx connectors.ConnectorContext, config map[string]string) error
	TaskConfigs(maxTasks int) ([]map[string]string, error)
	Stop() error
}

// Connector is the life of a connector instance.
func (s *server) Connector(stream grpc.BidiStreamingServer[proto.ConnectorRequest, proto.ConnectorReply]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	start := request.GetStart()
	p, err := s.lookup(start.GetClass(), "")
	if err != nil {
		return err
	}
	c := instance(p).(connector)
	ctx := &connectorContext{stream: stream, log: s.logger(start, false)}
	defer ctx.close()
	started := guard(func() error { return c.Start(ctx, start.GetConfig()) })
	if err := ctx.done(started, nil); err != nil {
		return errors.Join(err, guard(c.Stop))
	}
	for {
		request, err := stream.Recv()
		if err != nil { // the worker is gone
			return errors.Join(err, guard(c.Stop))
		}
		switch r := request.GetRequest().(type) {
		case *proto.ConnectorRequest_TaskConfigs:
			var configs []map[string]string
			err := guard(func() (err error) {
				configs, err = c.TaskConfigs(int(r.TaskConfigs))
				return err
			})
			if err := ctx.done(err, configs); err != nil {
				return errors.Join(err, guard(c.Stop))
			}
		case *proto.ConnectorRequest_Stop:
			return ctx.done(guard(c.Stop), nil)
		}
	}
}

// connectorContext sends what the instance asks for; after the stream has ended it does nothing.
type connectorContext struct {
	log *slog.Logger

	mu     sync.Mutex
	stream grpc.ServerStreamingServer[proto.ConnectorReply] // nil once closed
}

func (c *connectorContext) send(reply *proto.ConnectorReply) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream == nil {
		return nil
	}
	return c.stream.Send(reply)
}

func (c *connectorContext) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = nil
}

func (c *connectorContext) done(err error, configs []map[string]string) error {
	done := &proto.ConnectorReply_Done{Error: wire.Error(err)}
	for _, config := range configs {
		done.TaskConfigs = append(done.TaskConfigs, &proto.ConnectorReply_TaskConfig{Config: config})
	}
	return c.send(&proto.ConnectorReply{Reply: &proto.ConnectorReply_Done_{Done: done}})
}

// RequestTaskReconfiguration implements connectors.ConnectorContext.
func (c *connectorContext) RequestTaskReconfiguration() {
	if err := c.send(&proto.ConnectorReply{Reply: &proto.ConnectorReply_Reconfigure{Reconfigure: true}}); err != nil {
		c.log.Debug("worker is gone", "err", err)
	}
}

// RaiseError implements connectors.ConnectorContext.
func (c *connectorContext) RaiseError(err error) {
	if err := c.send(&proto.ConnectorReply{Reply: &proto.ConnectorReply_Failed{Failed: wire.Error(err)}}); err != nil {
		c.log.Debug("worker is gone", "err", err)
	}
}

// Logger implements connectors.ConnectorContext.
func (c *connectorContext) Logger() connectors.Logger { return c.log }
