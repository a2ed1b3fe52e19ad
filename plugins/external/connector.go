package external

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// A class is one class of a program.
type class struct {
	supervisor *Supervisor
	program    *program
	name       string
}

// plugin returns the descriptor that the program's description amounts to.
func (c *class) plugin(d *proto.Class) (connectors.Plugin, error) {
	def, err := wire.ConfigDef(d)
	if err != nil {
		return connectors.Plugin{}, err
	}
	p := connectors.Plugin{
		Kind: connectors.Kind(d.GetKind()), Class: c.name, Aliases: d.GetAliases(), Version: d.GetVersion(), Config: def, TaskClass: d.GetTaskClass(),
	}
	if c.program.version != "" {
		p.Version = c.program.version
	}
	if p.TaskClass == "" {
		p.TaskClass = c.name
	}
	switch p.Kind {
	case connectors.KindSource:
		p.NewSource = func() connectors.Source { return &source{connector{class: c}} }
	case connectors.KindSink:
		p.NewSink = func() connectors.Sink { return &sink{connector{class: c}} }
	default:
		return p, fmt.Errorf("class %s is a %q; only a source or a sink can run in another process", c.name, d.GetKind())
	}
	return p, nil
}

// ask makes one unary call on the shared process.
func (c *class) ask(what string, f func(ctx context.Context, p proto.PluginClient) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout+c.program.timeout)
	defer cancel()
	proc, release, err := c.supervisor.share(ctx, c.program)
	if err != nil {
		return err
	}
	defer release()
	return proc.within(what, func() error { return f(ctx, proc.plugin) })
}

// connector is the common part of source and sink: an instance in the shared process.
type connector struct {
	class *class

	// Set from Start to Stop.
	proc     *process
	release  func()
	stream   grpc.BidiStreamingClient[proto.ConnectorRequest, proto.ConnectorReply]
	cancel   context.CancelFunc
	replies  chan *proto.ConnectorReply_Done
	received sync.WaitGroup
	failure  error // of the stream; set before replies is closed
}

var (
	_ connectors.ConfigValidator = (*connector)(nil)
	_ connectors.Source          = (*source)(nil)
	_ connectors.Sink            = (*sink)(nil)
)

// Start starts an instance; its process is shared with other instances of the program.
func (c *connector) Start(cc connectors.ConnectorContext, config map[string]string) error {
	startCtx, done := context.WithTimeout(context.Background(), startTimeout+lastDelay)
	defer done()
	proc, release, err := c.class.supervisor.share(startCtx, c.class.program)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.proc, c.release, c.cancel = proc, release, cancel
	c.replies, c.failure = make(chan *proto.ConnectorReply_Done, 1), nil
	if c.stream, err = proc.plugin.Connector(ctx); err != nil {
		err = proc.explain(err)
		c.end()
		return err
	}
	c.received.Go(func() { c.receive(cc) })
	start := &proto.Start{Class: c.class.name, Config: config}
	if _, err := c.call("Start", &proto.ConnectorRequest{Request: &proto.ConnectorRequest_Start{Start: start}}); err != nil {
		c.end()
		return err
	}
	return nil
}

func (c *connector) receive(cc connectors.ConnectorContext) {
	defer close(c.replies)
	for {
		reply, err := c.stream.Recv()
		if err != nil {
			c.failure = err
			if c.stream.Context().Err() == nil {
				cc.RaiseError(c.proc.explain(err))
			}
			return
		}
		switch r := reply.GetReply().(type) {
		case *proto.ConnectorReply_Reconfigure:
			cc.RequestTaskReconfiguration()
		case *proto.ConnectorReply_Failed:
			cc.RaiseError(wire.FromError(r.Failed))
		case *proto.ConnectorReply_Done_:
			select {
			case c.replies <- r.Done:
			default: // an answer that nobody asked for
			}
		}
	}
}

// call sends a request and waits for done.
func (c *connector) call(what string, request *proto.ConnectorRequest) (*proto.ConnectorReply_Done, error) {
	var done *proto.ConnectorReply_Done
	err := c.proc.within(what, func() error {
		if err := c.stream.Send(request); err != nil {
			return err
		}
		reply, ok := <-c.replies
		if !ok {
			return c.failure
		}
		done = reply
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, wire.FromError(done.GetError())
}

func (c *connector) end() {
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.received.Wait()
	c.release()
	c.cancel = nil
}

var errNotStarted = errors.New("the connector is not started")

// TaskConfigs asks the instance.
func (c *connector) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	if c.cancel == nil {
		return nil, errNotStarted
	}
	done, err := c.call("TaskConfigs", &proto.ConnectorRequest{Request: &proto.ConnectorRequest_TaskConfigs{TaskConfigs: int32(maxTasks)}})
	if err != nil {
		return nil, err
	}
	configs := make([]map[string]string, len(done.GetTaskConfigs()))
	for i, config := range done.GetTaskConfigs() {
		configs[i] = config.GetConfig()
		if configs[i] == nil {
			configs[i] = map[string]string{}
		}
	}
	return configs, nil
}

// Stop stops the instance. One whose process is gone already is stopped.
func (c *connector) Stop() error {
	if c.cancel == nil {
		return nil
	}
	defer c.end()
	if !c.proc.alive() {
		return nil
	}
	_, err := c.call("Stop", &proto.ConnectorRequest{Request: &proto.ConnectorRequest_Stop{Stop: true}})
	return err
}

// ValidateConfig lets the program apply the rules that its definition can only name.
func (c *connector) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	var reply *proto.ValidateReply
	err := c.class.ask("Validate", func(ctx context.Context, p proto.PluginClient) (err error) {
		reply, err = p.Validate(ctx, &proto.ValidateRequest{Class: c.class.name, Config: config})
		return err
	})
	if err == nil {
		err = wire.FromError(reply.GetError())
	}
	if err != nil {
		if len(values) > 0 {
			values[0].AddError(err.Error())
		}
		return
	}
	for _, key := range reply.GetKeys() {
		i := slices.IndexFunc(values, func(v *connectors.ConfigValue) bool { return v.Name == key.GetName() })
		if i < 0 {
			continue
		}
		for _, text := range key.GetErrors() {
			if !slices.Contains(values[i].Errors, text) {
				values[i].AddError(text)
			}
		}
		for _, recommended := range key.GetRecommended() {
			values[i].RecommendedValues = append(values[i].RecommendedValues, recommended)
		}
		values[i].Visible = !key.GetHidden()
	}
}

func (c *connector) alterOffsets(request *proto.AlterOffsetsRequest) (bool, error) {
	var reply *proto.AlterOffsetsReply
	err := c.class.ask("AlterOffsets", func(ctx context.Context, p proto.PluginClient) (err error) {
		reply, err = p.AlterOffsets(ctx, request)
		return err
	})
	if err != nil {
		return false, err
	}
	return reply.GetAltered(), wire.FromError(reply.GetError())
}

// source is a Source in another process.
type source struct{ connector }

// NewTask implements connectors.Source.
func (s *source) NewTask() connectors.SourceTask { return &sourceTask{class: s.class} }

// AlterOffsets implements connectors.OffsetAlterer.
func (s *source) AlterOffsets(config map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	request := &proto.AlterOffsetsRequest{Class: s.class.name, Config: config}
	for _, o := range offsets {
		partition, err := wire.Map(o.Partition)
		if err != nil {
			return false, err
		}
		offset, err := wire.Map(o.Offset)
		if err != nil {
			return false, err
		}
		request.Source = append(request.Source, &proto.PartitionOffset{Partition: partition, Offset: offset})
	}
	return s.alterOffsets(request)
}

func (s *source) exactlyOnce(config map[string]string) (*proto.ExactlyOnceReply, error) {
	var reply *proto.ExactlyOnceReply
	err := s.class.ask("ExactlyOnce", func(ctx context.Context, p proto.PluginClient) (err error) {
		reply, err = p.ExactlyOnce(ctx, &proto.ExactlyOnceRequest{Class: s.class.name, Config: config})
		return err
	})
	if err != nil {
		return nil, err
	}
	return reply, wire.FromError(reply.GetError())
}

// ExactlyOnceSupport implements connectors.ExactlyOnceSupporter.
func (s *source) ExactlyOnceSupport(config map[string]string) (connectors.ExactlyOnceSupport, error) {
	reply, err := s.exactlyOnce(config)
	return connectors.ExactlyOnceSupport(reply.GetSupport()), err
}

// CanDefineTransactionBoundaries implements connectors.TransactionBoundariesSupporter.
func (s *source) CanDefineTransactionBoundaries(config map[string]string) (bool, error) {
	reply, err := s.exactlyOnce(config)
	return reply.GetBoundaries(), err
}

// sink is a Sink in another process.
type sink struct{ connector }

// NewTask implements connectors.Sink.
func (s *sink) NewTask() connectors.SinkTask { return &sinkTask{class: s.class} }

// AlterOffsets implements connectors.SinkOffsetAlterer.
func (s *sink) AlterOffsets(config map[string]string, offsets map[connectors.TopicPartition]*int64) (bool, error) {
	request := &proto.AlterOffsetsRequest{Class: s.class.name, Config: config}
	for p, offset := range offsets {
		request.Sink = append(request.Sink, &proto.TopicOffset{Topic: p.Topic, Partition: p.Partition, Offset: offset})
	}
	return s.alterOffsets(request)
}
