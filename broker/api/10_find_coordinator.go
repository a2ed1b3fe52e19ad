package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// FindCoordinator, versions 0 to 6.
//
//   - v1 key types, v3 flexible, v4 several keys (KIP-699), v5 TRANSACTION_ABORTABLE, v6 share groups (KIP-932)
//
// Only groups (type 0) have a coordinator here. The first request makes __consumer_offsets; the answer names a broker that
// is the coordinator already.
func (a *API) findCoordinator(ctx context.Context, c *Call, req *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	for _, key := range keys {
		resp.Coordinators = append(resp.Coordinators, a.coordinator(ctx, c, req.CoordinatorType, key))
	}
	if req.Version < 4 {
		found := resp.Coordinators[0]
		resp.Coordinators = nil
		resp.ErrorCode, resp.NodeID, resp.Host, resp.Port = found.ErrorCode, found.NodeID, found.Host, found.Port
		if resp.ErrorMessage = found.ErrorMessage; found.ErrorCode == 0 {
			none := "NONE"
			resp.ErrorMessage = &none
		}
	}
	return resp
}

func (a *API) coordinator(ctx context.Context, c *Call, keyType int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	out := kmsg.NewFindCoordinatorResponseCoordinator()
	out.Key, out.NodeID, out.Port, out.ErrorMessage = key, -1, -1, new(string)
	refuse := func(code *kerr.Error, message string) kmsg.FindCoordinatorResponseCoordinator {
		out.ErrorCode, out.ErrorMessage = code.Code, &message
		return out
	}
	switch keyType {
	case 0:
	case 1:
		return refuse(kerr.InvalidRequest, "this broker does not serve transactions")
	default:
		return refuse(kerr.InvalidRequest, "unknown coordinator type")
	}
	id, err := a.cfg.Groups.Find(ctx, key)
	if err != nil {
		out.ErrorCode = errorCode(err)
		return out
	}
	b := a.image().Broker(id)
	var l metadata.Listener
	ok := b != nil
	if ok {
		l, ok = b.Listener(c.Client.Listener)
	}
	if !ok {
		out.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return out
	}
	out.NodeID, out.Host, out.Port = int32(id), l.Host, int32(l.Port)
	return out
}
