package serve

import (
	"context"
	"fmt"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// Describe lists the classes.
func (s *server) Describe(context.Context, *proto.DescribeRequest) (*proto.DescribeReply, error) {
	reply := new(proto.DescribeReply)
	for _, p := range s.plugins {
		reply.Classes = append(reply.Classes, wire.Class(p))
	}
	return reply, nil
}

// instance returns a new Source or Sink that is asked for its optional abilities only.
func instance(p *connectors.Plugin) any {
	if p.NewSource != nil {
		return p.NewSource()
	}
	return p.NewSink()
}

// Validate applies the rules and recommenders of the definition and the class's own check.
func (s *server) Validate(_ context.Context, r *proto.ValidateRequest) (*proto.ValidateReply, error) {
	reply := new(proto.ValidateReply)
	err := guard(func() error {
		p, err := s.lookup(r.GetClass(), "")
		if err != nil {
			return err
		}
		values := p.Config.Validate(connectors.Raw(r.GetConfig()))
		if v, ok := instance(p).(connectors.ConfigValidator); ok {
			v.ValidateConfig(r.GetConfig(), values)
		}
		for _, v := range values {
			if len(v.Errors) == 0 && len(v.RecommendedValues) == 0 && v.Visible {
				continue
			}
			key := &proto.ValidateReply_Key{Name: v.Name, Errors: v.Errors, Hidden: !v.Visible}
			for _, recommended := range v.RecommendedValues {
				key.Recommended = append(key.Recommended, fmt.Sprint(recommended))
			}
			reply.Keys = append(reply.Keys, key)
		}
		return nil
	})
	reply.Error = wire.Error(err)
	return reply, nil
}

// AlterOffsets asks the class, if it wants to be asked.
func (s *server) AlterOffsets(_ context.Context, r *proto.AlterOffsetsRequest) (*proto.AlterOffsetsReply, error) {
	reply := new(proto.AlterOffsetsReply)
	err := guard(func() error {
		p, err := s.lookup(r.GetClass(), "")
		if err != nil {
			return err
		}
		switch a := instance(p).(type) {
		case connectors.OffsetAlterer:
			var offsets []connectors.PartitionOffset
			for _, o := range r.GetSource() {
				partition, err := wire.FromMap(o.GetPartition())
				if err != nil {
					return err
				}
				offset, err := wire.FromMap(o.GetOffset())
				if err != nil {
					return err
				}
				offsets = append(offsets, connectors.PartitionOffset{Partition: partition, Offset: offset})
			}
			reply.Altered, err = a.AlterOffsets(r.GetConfig(), offsets)
		case connectors.SinkOffsetAlterer:
			offsets := make(map[connectors.TopicPartition]*int64)
			for _, o := range r.GetSink() {
				offsets[connectors.TopicPartition{Topic: o.GetTopic(), Partition: o.GetPartition()}] = o.Offset
			}
			reply.Altered, err = a.AlterOffsets(r.GetConfig(), offsets)
		}
		return err
	})
	reply.Error = wire.Error(err)
	return reply, nil
}

// ExactlyOnce asks the class, if it has something to say.
func (s *server) ExactlyOnce(_ context.Context, r *proto.ExactlyOnceRequest) (*proto.ExactlyOnceReply, error) {
	reply := new(proto.ExactlyOnceReply)
	err := guard(func() error {
		p, err := s.lookup(r.GetClass(), connectors.KindSource)
		if err != nil {
			return err
		}
		source := p.NewSource()
		if e, ok := source.(connectors.ExactlyOnceSupporter); ok {
			support, err := e.ExactlyOnceSupport(r.GetConfig())
			if err != nil {
				return err
			}
			reply.Support = proto.ExactlyOnceReply_Support(support)
		}
		if b, ok := source.(connectors.TransactionBoundariesSupporter); ok {
			reply.Boundaries, err = b.CanDefineTransactionBoundaries(r.GetConfig())
		}
		return err
	})
	reply.Error = wire.Error(err)
	return reply, nil
}
