package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat, versions 0 to 4 (v3 static members, v4 flexible).
func (a *API) heartbeat(_ context.Context, c *Call, req *kmsg.HeartbeatRequest) Reply {
	p := c.Promise()
	a.cfg.Groups.Heartbeat(memberRef(req.Group, req.Generation, req.MemberID, req.InstanceID), func(err error) {
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = errorCode(err)
		p.Set(resp)
	})
	return p
}
