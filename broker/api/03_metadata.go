package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// What a client may do where nothing is forbidden, as bits of Kafka's ACL operations (KIP-430).
const (
	notAsked          int32 = -1 << 31
	allTopicOps       int32 = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	allClusterOps     int32 = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	autoCreateTimeout       = 10 * time.Second
)

// Metadata, versions 0 to 13.
//
//   - v0 an empty list of topics is all, from v1 null is all and empty is none
//   - v4 the client may forbid auto-creation, v5 offline replicas, v7 leader epochs, v8 authorized operations
//   - v9 flexible, v10 topic ids in the answer, v12 topics by id (KIP-516), v13 top-level error (KIP-1102; never set)
//
// A missing topic that auto-creation makes is UNKNOWN_TOPIC_OR_PARTITION this once, as on Apache Kafka: it is there when
// the client asks again.
func (a *API) metadata(ctx context.Context, c *Call, req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	resp.AuthorizedOperations, resp.ControllerID = notAsked, -1
	for i := range req.Topics {
		t := &req.Topics[i]
		if t.Topic == nil && req.Version < 12 || req.Version >= 10 && req.Version < 12 && t.TopicID != [16]byte{} {
			return refuseIDs(resp, req)
		}
	}
	image := a.image()
	for _, b := range image.LiveBrokers() {
		if l, ok := b.Listener(c.Client.Listener); ok {
			mb := kmsg.NewMetadataResponseBroker()
			mb.NodeID, mb.Host, mb.Port = int32(b.ID), l.Host, int32(l.Port)
			if b.Rack != "" {
				mb.Rack = &b.Rack
			}
			resp.Brokers = append(resp.Brokers, mb)
		}
	}
	clusterID := image.ClusterID()
	resp.ClusterID, resp.ControllerID = &clusterID, int32(a.controllerID())
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = allClusterOps
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range image.TopicsByName() {
			resp.Topics = append(resp.Topics, describeTopic(image, t))
		}
	} else {
		a.namedTopics(ctx, image, req, resp)
	}
	for i := range resp.Topics {
		resp.Topics[i].AuthorizedOperations = notAsked
		if t := &resp.Topics[i]; req.IncludeTopicAuthorizedOperations && t.ErrorCode == 0 {
			t.AuthorizedOperations = allTopicOps
		}
	}
	return resp
}

// refuseIDs answers a request by id in a version that has ids in its answers only.
func refuseIDs(resp *kmsg.MetadataResponse, req *kmsg.MetadataRequest) kmsg.Response {
	for i := range req.Topics {
		out := kmsg.NewMetadataResponseTopic()
		out.ErrorCode, out.TopicID, out.AuthorizedOperations = kerr.InvalidRequest.Code, req.Topics[i].TopicID, notAsked
		if out.Topic = req.Topics[i].Topic; out.Topic == nil && req.Version < 12 {
			out.Topic = new(string) // it may not be null before v12
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// namedTopics answers for the topics that the request names, each once.
func (a *API) namedTopics(ctx context.Context, image *metadata.Image, req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	type ref struct {
		name string
		id   metadata.TopicID
	}
	seen := make(map[ref]bool, len(req.Topics))
	var missing []controller.NewTopic
	for i := range req.Topics {
		rt := &req.Topics[i]
		r := ref{id: rt.TopicID}
		byID := !r.id.IsZero()
		if rt.Topic != nil && !byID { // with an id the name is not looked at
			r.name = *rt.Topic
		}
		if seen[r] {
			continue
		}
		seen[r] = true
		t := image.Topic(r.name)
		if byID {
			t = image.TopicByID(r.id)
		}
		if t != nil {
			resp.Topics = append(resp.Topics, describeTopic(image, t))
			continue
		}
		out := kmsg.NewMetadataResponseTopic()
		switch {
		case byID:
			out.TopicID, out.ErrorCode = r.id, kerr.UnknownTopicID.Code
		case metadata.ValidateTopicName(r.name) != nil:
			out.Topic, out.ErrorCode = &r.name, kerr.InvalidTopicException.Code
		default:
			out.Topic, out.ErrorCode = &r.name, kerr.UnknownTopicOrPartition.Code
			allowed := a.cfg.AutoCreateTopics && (req.AllowAutoTopicCreation || req.Version < 4)
			if allowed && !metadata.IsInternal(r.name) && image.Collision(r.name) == "" {
				missing = append(missing, controller.NewTopic{
					Name: r.name, Partitions: controller.UseDefault, ReplicationFactor: controller.UseDefault,
				})
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	if len(missing) > 0 {
		a.autoCreate(ctx, missing)
	}
}

// autoCreate makes topics. Failures are logged and not answered: the client asks again and hears the same.
func (a *API) autoCreate(ctx context.Context, topics []controller.NewTopic) {
	ctx, cancel := context.WithTimeout(ctx, autoCreateTimeout)
	defer cancel()
	created, err := a.CreateTopics(ctx, topics, false)
	if err != nil {
		a.log.Warn("topics were not created automatically", "topic", topics[0].Name, "topics", len(topics), "err", err)
		return
	}
	for _, t := range created {
		switch code := errorCode(t.Err); code {
		case 0:
			a.log.Info("topic created automatically", "topic", t.Name, "partitions", t.Partitions)
		case kerr.TopicAlreadyExists.Code: // another request was faster
		default:
			a.log.Warn("topic was not created automatically", "topic", t.Name, "err", t.Err)
		}
	}
}

// describeTopic lists a topic's partitions.
func describeTopic(image *metadata.Image, t *metadata.Topic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = &t.Name, t.ID, metadata.IsInternal(t.Name)
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for n := range t.Partitions {
		p, mp := &t.Partitions[n], &out.Partitions[n]
		mp.Default()
		mp.Partition, mp.Leader, mp.LeaderEpoch = int32(n), int32(p.Leader), int32(p.LeaderEpoch)
		mp.Replicas, mp.ISR = brokerIDs(p.Replicas), brokerIDs(p.ISR)
		mp.OfflineReplicas = offline(image, p)
		if p.Leader == metadata.NoBroker {
			// Error 0 without a leader confuses librdkafka.
			mp.ErrorCode = kerr.LeaderNotAvailable.Code
		}
	}
	return out
}

// offline lists the replicas on brokers that are not alive.
func offline(image *metadata.Image, p *metadata.Partition) []int32 {
	var ids []int32
	for _, id := range p.Replicas {
		if b := image.Broker(id); b == nil || b.Fenced {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

func brokerIDs(ids []metadata.BrokerID) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}
