package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
)

// DeleteTopics, versions 1 to 6 (v4 flexible, v5 error messages, v6 by id). A topic that is named twice is INVALID_REQUEST and
// stays.
func (a *API) deleteTopics(ctx context.Context, _ *Call, req *kmsg.DeleteTopicsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	var refs []controller.TopicRef
	for _, name := range req.TopicNames {
		refs = append(refs, controller.TopicRef{Name: name})
	}
	for i := range req.Topics {
		ref := controller.TopicRef{ID: req.Topics[i].TopicID}
		if name := req.Topics[i].Topic; name != nil {
			ref.Name = *name
		}
		refs = append(refs, ref)
	}
	ctx, cancel := withTimeout(ctx, req.TimeoutMillis)
	defer cancel()
	deleted, err := a.cfg.Controller.DeleteTopics(ctx, refs)
	if err != nil {
		for _, ref := range refs {
			deleted = append(deleted, controller.DeletedTopic{Name: ref.Name, ID: ref.ID, Err: err})
		}
	}
	for i := range deleted {
		d := &deleted[i]
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.TopicID, out.ErrorCode, out.ErrorMessage = d.ID, errorCode(d.Err), errorMessage(d.Err)
		if d.Name != "" || req.Version < 6 {
			out.Topic = &d.Name
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
