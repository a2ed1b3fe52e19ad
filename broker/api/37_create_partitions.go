package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// CreatePartitions, versions 0 to 3 (KIP-195; v2 flexible): raises partition counts, placing the new ones by hand if the
// request says where.
func (a *API) createPartitions(ctx context.Context, _ *Call, req *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	more := make([]controller.MorePartitions, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		more[i] = controller.MorePartitions{Topic: rt.Topic, Count: rt.Count}
		if rt.Assignment != nil {
			more[i].Assignment = make([][]metadata.BrokerID, len(rt.Assignment))
			for j := range rt.Assignment {
				more[i].Assignment[j] = toBrokerIDs(rt.Assignment[j].Replicas)
			}
		}
	}
	ctx, cancel := withTimeout(ctx, req.TimeoutMillis)
	defer cancel()
	results, err := a.cfg.Controller.CreatePartitions(ctx, more, req.ValidateOnly)
	if err != nil {
		for i := range more {
			results = append(results, controller.TopicResult{Topic: more[i].Topic, Err: err})
		}
	}
	for _, r := range results {
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic, out.ErrorCode, out.ErrorMessage = r.Topic, errorCode(r.Err), errorMessage(r.Err)
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
