package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Endpoint types of DescribeCluster (KIP-919).
const (
	endpointBrokers     = 1
	endpointControllers = 2
)

// DescribeCluster, versions 0 to 2 (KIP-700; v1 endpoint type, v2 fenced brokers). Only brokers can be asked for: there are
// no listeners that serve controllers alone.
func (a *API) describeCluster(_ context.Context, c *Call, req *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ControllerID, resp.ClusterAuthorizedOperations, resp.EndpointType = -1, notAsked, endpointBrokers
	if req.Version >= 1 && req.EndpointType != endpointBrokers {
		code := kerr.UnsupportedEndpointType
		if req.EndpointType == endpointControllers {
			code = kerr.MismatchedEndpointType
		}
		msg := fmt.Sprintf("endpoint type %d was asked for, this listener serves brokers (type 1)", req.EndpointType)
		resp.ErrorCode, resp.ErrorMessage = code.Code, &msg
		return resp
	}
	image := a.image()
	resp.ClusterID, resp.ControllerID = image.ClusterID(), int32(a.controllerID())
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = allClusterOps
	}
	for _, b := range image.Brokers() {
		l, ok := b.Listener(c.Client.Listener)
		if !ok || b.Fenced && !req.IncludeFencedBrokers {
			continue
		}
		out := kmsg.NewDescribeClusterResponseBroker()
		out.NodeID, out.Host, out.Port, out.IsFenced = int32(b.ID), l.Host, int32(l.Port), b.Fenced
		if b.Rack != "" {
			out.Rack = &b.Rack
		}
		resp.Brokers = append(resp.Brokers, out)
	}
	return resp
}
