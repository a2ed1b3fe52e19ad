package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
)

// LeaveGroup, versions 0 to 5 (v3 several members with a code each, by instance too, KIP-345; v4 flexible; v5 reason).
func (a *API) leaveGroup(_ context.Context, c *Call, req *kmsg.LeaveGroupRequest) Reply {
	var members []group.LeaveResult
	if req.Version < 3 {
		members = []group.LeaveResult{{MemberID: req.MemberID}}
	}
	for i := range req.Members {
		m := group.LeaveResult{MemberID: req.Members[i].MemberID}
		if id := req.Members[i].InstanceID; id != nil {
			m.InstanceID = *id
		}
		members = append(members, m)
	}
	p := c.Promise()
	a.cfg.Groups.Leave(req.Group, members, func(results []group.LeaveResult, err error) {
		resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
		resp.ErrorCode = errorCode(err)
		for _, r := range results {
			if req.Version < 3 {
				resp.ErrorCode = errorCode(r.Err)
				break
			}
			m := kmsg.NewLeaveGroupResponseMember()
			m.MemberID, m.InstanceID, m.ErrorCode = r.MemberID, orNil(r.InstanceID), errorCode(r.Err)
			resp.Members = append(resp.Members, m)
		}
		p.Set(resp)
	})
	return p
}
