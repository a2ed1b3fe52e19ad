package api

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteGroups, versions 0 to 2 (v2 flexible). Only groups without members can be deleted.
func (a *API) deleteGroups(_ context.Context, c *Call, req *kmsg.DeleteGroupsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	if len(req.Groups) == 0 {
		return c.Now(resp)
	}
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(req.Groups))
	p := c.Promise()
	var left atomic.Int32
	left.Store(int32(len(req.Groups)))
	for i, id := range req.Groups {
		resp.Groups[i].Default()
		resp.Groups[i].Group = id
		a.cfg.Groups.Delete(id, func(err error) {
			resp.Groups[i].ErrorCode = errorCode(err)
			if left.Add(-1) == 0 {
				p.Set(resp)
			}
		})
	}
	return p
}
