package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// AlterPartition, version 3: a partition's leader asks the controller for another ISR, naming the processes it saw in sync by
// their broker epochs (KIP-903). Brokers send it, so it is not shown in ApiVersions.
func (a *API) alterPartition(ctx context.Context, _ *Call, req *kmsg.AlterPartitionRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	var changes []controller.ISRChange
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			rp := &req.Topics[i].Partitions[j]
			ch := controller.ISRChange{
				Topic: req.Topics[i].TopicID, Partition: rp.Partition, LeaderEpoch: metadata.LeaderEpoch(rp.LeaderEpoch),
				PartitionEpoch: rp.PartitionEpoch,
			}
			for _, m := range rp.NewEpochISR {
				ch.ISR = append(ch.ISR, controller.ISRMember{ID: metadata.BrokerID(m.BrokerID), Epoch: m.BrokerEpoch})
			}
			changes = append(changes, ch)
		}
	}
	results, err := a.cfg.Controller.AlterPartitions(ctx, metadata.BrokerID(req.BrokerID), req.BrokerEpoch, changes)
	if err != nil {
		resp.ErrorCode = errorCode(err)
		return resp
	}
	for _, res := range results { // in the order of the request, one topic entry for each
		rt := kmsg.NewAlterPartitionResponseTopic()
		rt.TopidID = res.Topic
		rp := kmsg.NewAlterPartitionResponseTopicPartition()
		rp.Partition, rp.ErrorCode = res.Partition, errorCode(res.Err)
		if res.Err == nil {
			rp.LeaderID, rp.LeaderEpoch, rp.PartitionEpoch = int32(res.State.Leader), int32(res.State.LeaderEpoch), res.State.PartitionEpoch
			rp.ISR = brokerIDs(res.State.ISR)
		}
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
