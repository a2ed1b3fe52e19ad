package api

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
)

// groupOperations are READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS: everything, as nobody is refused yet.
const groupOperations = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11

// DescribeGroups, versions 0 to 6 (v3 authorized operations, v4 static members, v5 flexible, v6 GROUP_ID_NOT_FOUND). Up to
// v5 an unknown group is in state Dead without an error.
func (a *API) describeGroups(_ context.Context, c *Call, req *kmsg.DescribeGroupsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	if len(req.Groups) == 0 {
		return c.Now(resp)
	}
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(req.Groups))
	p := c.Promise()
	var left atomic.Int32
	left.Store(int32(len(req.Groups)))
	for i, id := range req.Groups {
		a.cfg.Groups.Describe(id, func(d group.Description) {
			fillDescription(&resp.Groups[i], d, req)
			if left.Add(-1) == 0 {
				p.Set(resp)
			}
		})
	}
	return p
}

func fillDescription(out *kmsg.DescribeGroupsResponseGroup, d group.Description, req *kmsg.DescribeGroupsRequest) {
	out.Default()
	out.Group, out.State, out.ProtocolType, out.Protocol, out.ErrorCode = d.Group, d.State, d.ProtocolType, d.Protocol, errorCode(d.Err)
	if errors.Is(d.Err, kerr.GroupIDNotFound) {
		if req.Version < 6 {
			out.ErrorCode = 0
		} else {
			message := fmt.Sprintf("Group %s not found.", d.Group)
			out.ErrorMessage = &message
		}
	}
	if req.IncludeAuthorizedOperations && out.ErrorCode == 0 {
		out.AuthorizedOperations = groupOperations
	}
	for i := range d.Members {
		dm := &d.Members[i]
		m := kmsg.NewDescribeGroupsResponseGroupMember()
		m.MemberID, m.InstanceID, m.ClientID, m.ClientHost = dm.MemberID, orNil(dm.InstanceID), dm.ClientID, dm.ClientHost
		m.ProtocolMetadata, m.MemberAssignment = dm.Metadata, dm.Assignment
		out.Members = append(out.Members, m)
	}
}
