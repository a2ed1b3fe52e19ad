package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
)

// alterConfigsTimeout bounds AlterConfigs and IncrementalAlterConfigs, which have no timeout of their own.
const alterConfigsTimeout = 30 * time.Second

// AlterConfigs, versions 0 to 2 (KIP-133; v2 flexible): replaces all values of a resource. Old tools use it; what it does not
// name goes back to its default.
func (a *API) alterConfigs(ctx context.Context, _ *Call, req *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	changes := make([]controller.ReplaceConfigs, len(req.Resources))
	for i := range req.Resources {
		r := &req.Resources[i]
		changes[i].Resource = configResource(r.ResourceType, r.ResourceName)
		for _, c := range r.Configs {
			changes[i].Configs = append(changes[i].Configs, controller.ConfigValue{Name: c.Name, Value: c.Value})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, alterConfigsTimeout)
	defer cancel()
	results, err := a.cfg.Controller.AlterConfigs(ctx, changes, req.ValidateOnly)
	if err != nil {
		for i := range changes {
			results = append(results, controller.ConfigResult{Resource: changes[i].Resource, Err: err})
		}
	}
	for _, r := range results {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(r.Resource.Type), r.Resource.Name
		out.ErrorCode, out.ErrorMessage = errorCode(r.Err), errorMessage(r.Err)
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

func configResource(t kmsg.ConfigResourceType, name string) metadata.ConfigResource {
	return metadata.ConfigResource{Type: metadata.ResourceType(t), Name: name}
}
