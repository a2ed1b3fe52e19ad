package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
)

// AlterPartitionReassignments, versions 0 and 1: begins moves of partitions to other brokers, changes them, or (replicas null)
// cancels them (KIP-455). v1 may forbid that the number of replicas changes (KIP-860).
func (a *API) alterPartitionReassignments(ctx context.Context, _ *Call, req *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	var moves []controller.Reassignment
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			m := controller.Reassignment{Topic: t.Topic, Partition: p.Partition}
			if p.Replicas != nil {
				m.Replicas = toBrokerIDs(p.Replicas)
			}
			moves = append(moves, m)
		}
	}
	ctx, cancel := withTimeout(ctx, req.TimeoutMillis)
	defer cancel()
	keepCount := req.Version >= 1 && !req.AllowReplicationFactorChange
	resp.AllowReplicationFactorChange = !keepCount
	results, err := a.cfg.Controller.Reassign(ctx, moves, keepCount)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		return resp
	}
	for _, t := range req.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = t.Topic
		for range t.Partitions {
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = results[0].Partition, errorCode(results[0].Err), errorMessage(results[0].Err)
			rt.Partitions = append(rt.Partitions, rp)
			results = results[1:]
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
