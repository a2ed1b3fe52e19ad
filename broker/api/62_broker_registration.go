package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// protocols are Kafka's numbers of security protocols.
var protocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// BrokerRegistration, version 4: a process announces itself to the controller. A process that does not name the epoch of the one
// before it did not find its logs closed.
func (a *API) brokerRegistration(ctx context.Context, c *Call, req *kmsg.BrokerRegistrationRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	resp.BrokerEpoch = -1
	if !a.fromBroker(c) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp
	}
	if !a.leads() {
		resp.ErrorCode = kerr.NotController.Code
		return resp
	}
	if req.ClusterID != a.cfg.Controller.Newest().ClusterID() {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		return resp
	}
	r := controller.Registration{ID: metadata.BrokerID(req.BrokerID), Incarnation: req.IncarnationID}
	if req.Rack != nil {
		r.Rack = *req.Rack
	}
	if len(req.LogDirs) == 1 {
		r.Directory = req.LogDirs[0]
	}
	for _, l := range req.Listeners {
		if l.SecurityProtocol < 0 || int(l.SecurityProtocol) >= len(protocols) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return resp
		}
		r.Listeners = append(r.Listeners, metadata.Listener{
			Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: protocols[l.SecurityProtocol],
		})
	}
	was := a.image().Broker(r.ID)
	r.CleanLogs = was != nil && req.PreviousBrokerEpoch == was.Epoch
	epoch, err := a.cfg.Controller.RegisterBroker(ctx, r)
	if err != nil {
		resp.ErrorCode = errorCode(err)
		return resp
	}
	resp.BrokerEpoch = epoch
	return resp
}

// fromBroker reports whether a connection may speak as a broker: the one place that decides it.
func (a *API) fromBroker(c *Call) bool {
	return len(a.cfg.BrokerListeners) == 0 || slices.Contains(a.cfg.BrokerListeners, c.Client.Listener)
}
