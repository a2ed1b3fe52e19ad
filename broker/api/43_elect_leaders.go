package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
)

// ElectLeaders, versions 0 to 2: preferred leaders, from v1 on also any replica that lives for partitions without a leader
// (KIP-460); v2 flexible. Without a list of topics it is for all partitions, and those that need no election are not in the answer.
func (a *API) electLeaders(ctx context.Context, _ *Call, req *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	const preferred, unclean = 0, 1
	if req.ElectionType != preferred && req.ElectionType != unclean {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp
	}
	var refs []controller.PartitionRef
	if req.Topics != nil {
		refs = []controller.PartitionRef{}
	}
	for _, t := range req.Topics {
		for _, n := range t.Partitions {
			refs = append(refs, controller.PartitionRef{Topic: t.Topic, Partition: n})
		}
	}
	ctx, cancel := withTimeout(ctx, req.TimeoutMillis)
	defer cancel()
	results, err := a.cfg.Controller.ElectLeaders(ctx, refs, req.ElectionType == unclean)
	if err != nil {
		resp.ErrorCode = errorCode(err)
		for _, ref := range refs {
			results = append(results, controller.ElectionResult{PartitionRef: ref, Err: err})
		}
	}
	at := make(map[string]int)
	for _, res := range results {
		i, ok := at[res.Topic]
		if !ok {
			i = len(resp.Topics)
			at[res.Topic] = i
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = res.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		rp := kmsg.NewElectLeadersResponseTopicPartition()
		rp.Partition, rp.ErrorCode, rp.ErrorMessage = res.Partition, errorCode(res.Err), errorMessage(res.Err)
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, rp)
	}
	return resp
}
