package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
)

// IncrementalAlterConfigs, versions 0 and 1 (KIP-339; v1 flexible): sets, deletes, appends to and subtracts from single values.
func (a *API) incrementalAlterConfigs(ctx context.Context, _ *Call, req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	changes := make([]controller.AlterConfigs, len(req.Resources))
	for i := range req.Resources {
		r := &req.Resources[i]
		changes[i].Resource = configResource(r.ResourceType, r.ResourceName)
		for _, c := range r.Configs {
			changes[i].Ops = append(changes[i].Ops, controller.ConfigOp{Name: c.Name, Op: controller.OpType(c.Op), Value: c.Value})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, alterConfigsTimeout)
	defer cancel()
	results, err := a.cfg.Controller.IncrementalAlterConfigs(ctx, changes, req.ValidateOnly)
	if err != nil {
		for i := range changes {
			results = append(results, controller.ConfigResult{Resource: changes[i].Resource, Err: err})
		}
	}
	for _, r := range results {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(r.Resource.Type), r.Resource.Name
		out.ErrorCode, out.ErrorMessage = errorCode(r.Err), errorMessage(r.Err)
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}
