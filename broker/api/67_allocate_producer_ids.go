package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AllocateProducerIds, version 0: another broker asks the controller for a block of producer ids.
func (a *API) allocateProducerIDsFor(ctx context.Context, _ *Call, req *kmsg.AllocateProducerIDsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	block, err := a.cfg.Controller.AllocateProducerIDs(ctx)
	resp.ErrorCode, resp.ProducerIDStart, resp.ProducerIDLen = errorCode(err), block.First, block.Count
	return resp
}
