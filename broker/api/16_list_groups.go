package api

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/group"
)

// classicType is how ListGroups v5 names groups of the classic protocol.
const classicType = "classic"

// ListGroups, versions 0 to 5 (v3 flexible, v4 states and their filter, v5 types and theirs, KIP-848). A broker lists the
// groups it coordinates.
func (a *API) listGroups(_ context.Context, c *Call, req *kmsg.ListGroupsRequest) Reply {
	p := c.Promise()
	a.cfg.Groups.List(func(list []group.Listing, err error) {
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		resp.ErrorCode = errorCode(err)
		for _, l := range list {
			if !passes(req.StatesFilter, l.State) || !passes(req.TypesFilter, classicType) {
				continue
			}
			g := kmsg.NewListGroupsResponseGroup()
			g.Group, g.ProtocolType, g.GroupState, g.GroupType = l.Group, l.ProtocolType, l.State, classicType
			resp.Groups = append(resp.Groups, g)
		}
		p.Set(resp)
	})
	return p
}

// passes reports whether a filter, which is off when empty, lets value through. Case does not matter.
func passes(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}
