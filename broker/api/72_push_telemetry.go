package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// PushTelemetry, version 0 (KIP-714), answered though not advertised: nobody was asked for metrics, so it is
// INVALID_REQUEST.
func (a *API) pushTelemetry(_ context.Context, _ *Call, req *kmsg.PushTelemetryRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.PushTelemetryResponse)
	resp.ErrorCode = kerr.InvalidRequest.Code
	return resp
}
