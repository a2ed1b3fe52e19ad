package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// ListPartitionReassignments, version 0: the moves in progress, of all partitions or of those that are named (KIP-455).
func (a *API) listPartitionReassignments(_ context.Context, _ *Call, req *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	image := a.image()
	if req.Topics == nil {
		for _, t := range image.TopicsByName() {
			var all []int32
			for n := range t.Partitions {
				all = append(all, int32(n))
			}
			listMoves(resp, t, all)
		}
		return resp
	}
	for _, rt := range req.Topics {
		if t := image.Topic(rt.Topic); t != nil {
			listMoves(resp, t, rt.Partitions)
		}
	}
	return resp
}

func listMoves(resp *kmsg.ListPartitionReassignmentsResponse, t *metadata.Topic, partitions []int32) {
	out := kmsg.NewListPartitionReassignmentsResponseTopic()
	out.Topic = t.Name
	for _, n := range partitions {
		p := t.Partition(n)
		if p == nil || len(p.Adding)+len(p.Removing) == 0 {
			continue
		}
		rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		rp.Partition, rp.Replicas = n, brokerIDs(p.Replicas)
		rp.AddingReplicas, rp.RemovingReplicas = brokerIDs(p.Adding), brokerIDs(p.Removing)
		out.Partitions = append(out.Partitions, rp)
	}
	if len(out.Partitions) > 0 {
		resp.Topics = append(resp.Topics, out)
	}
}
