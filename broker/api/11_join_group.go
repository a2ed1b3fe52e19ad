package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
	"millrace/broker/metadata"
)

// JoinGroup, versions 0 to 9.
//
//   - v1 rebalance timeout apart from the session's, v4 MEMBER_ID_REQUIRED (KIP-394), v5 static members (KIP-345)
//   - v6 flexible, v7 protocol type in the answer (KIP-559), v8 reason (KIP-800), v9 a leader may skip the assignment (KIP-814)
//
// The answer waits until the members of the group are there.
func (a *API) joinGroup(_ context.Context, c *Call, req *kmsg.JoinGroupRequest) Reply {
	join := group.JoinRequest{
		Group: req.Group, MemberID: req.MemberID, ClientID: c.ClientID, ClientHost: "/" + c.Client.Host,
		SessionTimeout: millis32(req.SessionTimeoutMillis), RebalanceTimeout: millis32(req.RebalanceTimeoutMillis),
		ProtocolType: req.ProtocolType, NeedsKnownID: req.Version >= 4, CanSkipAssignment: req.Version >= 9,
	}
	if req.Version == 0 {
		join.RebalanceTimeout = join.SessionTimeout
	}
	if req.InstanceID != nil {
		if metadata.ValidateTopicName(*req.InstanceID) != nil { // Kafka holds both to one rule
			return c.Now(joinAnswer(req, group.JoinResult{Err: kerr.InvalidRequest, Generation: -1, MemberID: req.MemberID}))
		}
		join.InstanceID = *req.InstanceID
	}
	for _, p := range req.Protocols {
		join.Protocols = append(join.Protocols, group.Protocol{Name: p.Name, Metadata: p.Metadata})
	}
	p := c.Promise()
	a.cfg.Groups.Join(join, func(r group.JoinResult) { p.Set(joinAnswer(req, r)) })
	return p
}

func joinAnswer(req *kmsg.JoinGroupRequest, r group.JoinResult) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode, resp.Generation, resp.MemberID = errorCode(r.Err), r.Generation, r.MemberID
	if r.Err == nil || req.Version < 7 { // before, the name must not be null
		resp.Protocol = &r.Protocol
	}
	if r.Err == nil {
		resp.ProtocolType, resp.LeaderID, resp.SkipAssignment = &r.ProtocolType, r.Leader, r.SkipAssignment
	}
	for i := range r.Members {
		m := kmsg.NewJoinGroupResponseMember()
		m.MemberID, m.ProtocolMetadata, m.InstanceID = r.Members[i].MemberID, r.Members[i].Metadata, orNil(r.Members[i].InstanceID)
		resp.Members = append(resp.Members, m)
	}
	return resp
}

// orNil returns nil for the empty text, which stands for null in this program's types.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
