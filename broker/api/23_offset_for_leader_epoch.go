package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// OffsetForLeaderEpoch, versions 2 to 4: where an epoch ends (KIP-101, KIP-320). Clients compare it with their position to
// find out whether they read something that is no longer there, so an epoch that is unknown must be (-1, -1) and never a
// guess. Leaders alone answer, to followers too (v3).
// v4 flexible.
func (a *API) offsetForLeaderEpoch(_ context.Context, _ *Call, req *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	image := a.image()
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = rt.Topic
		t := image.Topic(rt.Topic)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			out := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			out.Partition, out.LeaderEpoch, out.EndOffset = rp.Partition, -1, -1
			epoch, end, err := a.epochEnd(t, rp)
			if err != nil {
				out.ErrorCode = errorCode(err)
			} else {
				out.LeaderEpoch, out.EndOffset = epoch, end
			}
			topic.Partitions = append(topic.Partitions, out)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (a *API) epochEnd(t *metadata.Topic, rp *kmsg.OffsetForLeaderEpochRequestTopicPartition) (int32, int64, error) {
	p, err := a.leader(t, rp.Partition)
	if err == nil {
		err = checkEpoch(p, rp.CurrentLeaderEpoch)
	}
	if err != nil {
		return -1, -1, err
	}
	if rp.LeaderEpoch > p.LeaderEpoch() {
		return -1, -1, nil // Kafka answers an unknown future epoch with "undefined", not with an error
	}
	return p.OffsetForLeaderEpoch(rp.LeaderEpoch)
}
