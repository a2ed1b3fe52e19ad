package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
)

// SyncGroup, versions 0 to 5 (v3 static members, v4 flexible, v5 checks the protocol, KIP-559). The answer waits for the
// leader's assignment to be durable.
func (a *API) syncGroup(_ context.Context, c *Call, req *kmsg.SyncGroupRequest) Reply {
	sync := group.SyncRequest{
		MemberRef:     memberRef(req.Group, req.Generation, req.MemberID, req.InstanceID),
		CheckProtocol: req.Version >= 5,
		Assignments:   make(map[string][]byte, len(req.GroupAssignment)),
	}
	if req.ProtocolType != nil && req.Protocol != nil { // null matches nothing
		sync.ProtocolType, sync.Protocol = *req.ProtocolType, *req.Protocol
	}
	for i := range req.GroupAssignment {
		sync.Assignments[req.GroupAssignment[i].MemberID] = req.GroupAssignment[i].MemberAssignment
	}
	p := c.Promise()
	a.cfg.Groups.Sync(sync, func(r group.SyncResult) {
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = errorCode(r.Err), r.Assignment
		if resp.MemberAssignment == nil {
			resp.MemberAssignment = []byte{}
		}
		if r.Err == nil {
			resp.ProtocolType, resp.Protocol = &r.ProtocolType, &r.Protocol
		}
		p.Set(resp)
	})
	return p
}
