package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// BrokerHeartbeat, versions 0 to 2: a broker is alive, and may want to stop. When the connection that carries a broker's heartbeats
// ends, its process may have ended: Config.BrokerGone finds out.
func (a *API) brokerHeartbeat(ctx context.Context, c *Call, req *kmsg.BrokerHeartbeatRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
	resp.IsFenced = true
	if !a.fromBroker(c) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp
	}
	id := metadata.BrokerID(req.BrokerID)
	answer, err := a.cfg.Controller.Heartbeat(ctx, controller.Heartbeat{
		ID: id, Epoch: req.BrokerEpoch, Seen: uint64(max(req.CurrentMetadataOffset, 0)),
		WantFence: req.WantFence, WantShutdown: req.WantShutdown,
	})
	if err != nil {
		resp.ErrorCode = errorCode(err)
		return resp
	}
	resp.IsCaughtUp, resp.IsFenced, resp.ShouldShutdown = answer.CaughtUp, answer.Fenced, answer.MayShutDown
	if c.Client.brokerEpoch != req.BrokerEpoch && a.cfg.BrokerGone != nil {
		c.Client.brokerEpoch = req.BrokerEpoch
		context.AfterFunc(ctx, func() { a.cfg.BrokerGone(id, req.BrokerEpoch) })
	}
	return resp
}
