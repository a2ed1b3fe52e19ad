package membership

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/runtime/assign"
)

// A View is a group of workers as its coordinator describes it.
type View struct {
	Group, State string
	Workers      []WorkerView // by URL
}

// A WorkerView is a member: where it answers, whether it leads, and what it runs.
type WorkerView struct {
	URL    string
	Leader bool
	Work   assign.Work
}

// Describe asks for groups of workers; with none, for all that there are.
func Describe(ctx context.Context, client *kgo.Client, groups ...string) ([]View, error) {
	if len(groups) == 0 {
		resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, client)
		if err != nil {
			return nil, err
		}
		for _, g := range resp.Groups {
			if g.ProtocolType == protocolType {
				groups = append(groups, g.Group)
			}
		}
	}
	if len(groups) == 0 {
		return nil, nil
	}
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = groups
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	var views []View
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, fmt.Errorf("group %s: %w", g.Group, err)
		}
		if g.ProtocolType != protocolType {
			return nil, fmt.Errorf("group %s: it is no group of workers", g.Group)
		}
		v := View{Group: g.Group, State: g.State}
		for _, m := range g.Members {
			w, err := view(m)
			if err != nil {
				return nil, fmt.Errorf("group %s, member %s: %w", g.Group, m.MemberID, err)
			}
			v.Workers = append(v.Workers, w)
		}
		slices.SortFunc(v.Workers, func(a, b WorkerView) int { return strings.Compare(a.URL, b.URL) })
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b View) int { return strings.Compare(a.Group, b.Group) })
	return views, nil
}

// view puts together what a member told when it joined and what it was told then. In a round, either may be missing.
func view(m kmsg.DescribeGroupsResponseGroupMember) (w WorkerView, err error) {
	if len(m.ProtocolMetadata) > 0 {
		told, err := ParseMetadata(m.ProtocolMetadata)
		if err != nil {
			return w, err
		}
		w.URL = told.URL
		if told.Allocation != nil {
			w.Work = told.Allocation.Assigned
		}
	}
	if len(m.MemberAssignment) > 0 {
		s, err := ParseShare(m.MemberAssignment)
		if err != nil {
			return w, err
		}
		w.Leader = s.Leader == m.MemberID
		w.Work = assign.Change{Assigned: s.Assigned, Revoked: s.Revoked}.Apply(w.Work)
	}
	return w, nil
}
