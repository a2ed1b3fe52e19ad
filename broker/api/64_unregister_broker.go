package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// UnregisterBroker, version 0: forgets a broker that is not alive, and its part in the quorum.
func (a *API) unregisterBroker(ctx context.Context, _ *Call, req *kmsg.UnregisterBrokerRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	err := a.cfg.Controller.UnregisterBroker(ctx, metadata.BrokerID(req.BrokerID))
	resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
	return resp
}
