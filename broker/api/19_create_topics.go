package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// CreateTopics, versions 2 to 7.
//
//   - v4 -1 partitions or replicas are the broker's defaults (KIP-464; taken from v2 on, as Apache Kafka does)
//   - v5 flexible; partition count, replication factor and configs come back (KIP-525), v7 the topic id
//
// Each topic succeeds or fails on its own; one that is named twice fails once. A timeout of 0 is REQUEST_TIMED_OUT for all,
// which are made all the same.
func (a *API) createTopics(ctx context.Context, _ *Call, req *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	topics := make([]controller.NewTopic, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		t := controller.NewTopic{Name: rt.Topic, Partitions: rt.NumPartitions, ReplicationFactor: rt.ReplicationFactor}
		for _, as := range rt.ReplicaAssignment {
			t.Assignment = append(t.Assignment, controller.Assignment{Partition: as.Partition, Replicas: toBrokerIDs(as.Replicas)})
		}
		for _, c := range rt.Configs {
			t.Configs = append(t.Configs, controller.ConfigValue{Name: c.Name, Value: c.Value})
		}
		topics[i] = t
	}
	ctx, cancel := withTimeout(ctx, req.TimeoutMillis)
	defer cancel()
	created, err := a.cfg.Controller.CreateTopics(ctx, topics, req.ValidateOnly)
	if err != nil {
		for i := range topics {
			created = append(created, controller.CreatedTopic{Name: topics[i].Name, Err: err})
		}
	}
	defaults := a.image().Defaults(a.cfg.NodeID, a.cfg.Static)
	for _, t := range created {
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.NumPartitions, out.ReplicationFactor = t.Name, -1, -1
		out.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
		if t.Err != nil {
			out.ErrorCode, out.ErrorMessage = errorCode(t.Err), errorMessage(t.Err)
		} else {
			out.TopicID, out.NumPartitions, out.ReplicationFactor = t.ID, t.Partitions, t.ReplicationFactor
			out.Configs = createdConfigs(t.Configs, defaults)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func createdConfigs(overrides map[string]string, defaults metadata.Defaults) []kmsg.CreateTopicsResponseTopicConfig {
	entries := metadata.ResolveTopicConfigs(overrides, defaults)
	out := make([]kmsg.CreateTopicsResponseTopicConfig, len(entries))
	for i, e := range entries {
		out[i].Default()
		out[i].Name, out[i].Value, out[i].Source = e.Def.Name, &e.Value, int8(e.Source)
	}
	return out
}

// withTimeout bounds a command by the time the client is ready to wait.
func withTimeout(ctx context.Context, millis int32) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, time.Duration(millis)*time.Millisecond, errClientTimeout)
}

var errClientTimeout = errors.New("the request's timeout is over")

func toBrokerIDs(ids []int32) []metadata.BrokerID {
	out := make([]metadata.BrokerID, len(ids))
	for i, id := range ids {
		out[i] = metadata.BrokerID(id)
	}
	return out
}
