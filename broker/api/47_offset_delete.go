package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
)

// OffsetDelete, version 0 (KIP-496). Offsets of topics that members consume are GROUP_SUBSCRIBED_TO_TOPIC.
func (a *API) offsetDelete(_ context.Context, c *Call, req *kmsg.OffsetDeleteRequest) Reply {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	image := a.image()
	var partitions []group.TopicPartition
	var places []*int16
	resp.Topics = make([]kmsg.OffsetDeleteResponseTopic, len(req.Topics))
	for i := range req.Topics {
		rt, out := &req.Topics[i], &resp.Topics[i]
		out.Topic = rt.Topic
		out.Partitions = make([]kmsg.OffsetDeleteResponseTopicPartition, len(rt.Partitions))
		for j := range rt.Partitions {
			po := &out.Partitions[j]
			po.Partition = rt.Partitions[j].Partition
			if image.Partition(rt.Topic, po.Partition) == nil {
				po.ErrorCode = kerr.UnknownTopicOrPartition.Code
				continue
			}
			partitions = append(partitions, group.TopicPartition{Topic: rt.Topic, Partition: po.Partition})
			places = append(places, &po.ErrorCode)
		}
	}
	p := c.Promise()
	a.cfg.Groups.DeleteOffsets(req.Group, partitions, func(results []error, err error) {
		if err != nil {
			resp.ErrorCode = errorCode(err)
			resp.Topics = nil
		} else {
			for i, code := range places {
				*code = errorCode(results[i])
			}
		}
		p.Set(resp)
	})
	return p
}
