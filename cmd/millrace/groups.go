package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func newGroups() *cobra.Command {
	cmd := &cobra.Command{
		Use: "groups", Short: "List, describe, delete and reset consumer groups",
		Example: "  millrace groups describe billing\n  millrace groups reset billing --topic orders --to earliest",
	}
	f := &kafkaFlags{}
	f.register(cmd)
	return family(cmd, newGroupsList(f), newGroupsDescribe(f), newGroupsDelete(f), newGroupsReset(f))
}

func newGroupsList(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List groups",
		Example: "  millrace groups list\n  millrace groups list -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				groups, err := c.ListGroups(ctx)
				if err != nil {
					return err
				}
				type group struct {
					Group    string `json:"group"`
					Protocol string `json:"protocol_type"`
					State    string `json:"state"`
				}
				list := []group{}
				var rows [][]string
				for _, g := range groups.Sorted() {
					list = append(list, group{g.Group, g.ProtocolType, g.State})
					rows = append(rows, []string{g.Group, g.ProtocolType, g.State})
				}
				if f.out == asJSON {
					return writeJSON(cmd.OutOrStdout(), list)
				}
				return writeTable(cmd.OutOrStdout(), []string{"GROUP", "PROTOCOL", "STATE"}, rows)
			})
		},
	}
}

// lagView is a partition that a group reads. Offset is null where nothing was committed.
type lagView struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    *int64 `json:"committed_offset"`
	End       int64  `json:"end_offset"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member_id,omitempty"`
	Client    string `json:"client_id,omitempty"`
	Host      string `json:"client_host,omitempty"`
}

type groupView struct {
	Group      string    `json:"group"`
	State      string    `json:"state"`
	Assignor   string    `json:"assignor"`
	Members    int       `json:"members"`
	Partitions []lagView `json:"partitions"`
}

func newGroupsDescribe(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "describe GROUP...", Short: "Show state, offsets, lag and members of groups",
		Example: "  millrace groups describe billing\n  millrace groups describe connect-orders-sink -o json",
		Args:    minArgs("GROUP"), ValidArgsFunction: f.groupNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				views, err := describeGroups(ctx, c, names)
				if err != nil {
					return err
				}
				if f.out == asJSON {
					return writeJSON(cmd.OutOrStdout(), views)
				}
				var rows [][]string
				for _, v := range views {
					fmt.Fprintf(cmd.ErrOrStderr(), "group %s: %s, %d members\n", v.Group, v.State, v.Members)
					for _, p := range v.Partitions {
						offset := "-"
						if p.Offset != nil {
							offset = fmt.Sprint(*p.Offset)
						}
						rows = append(rows, []string{p.Group, p.Topic, fmt.Sprint(p.Partition), offset, fmt.Sprint(p.End), fmt.Sprint(p.Lag), p.Client, p.Host})
					}
				}
				return writeTable(cmd.OutOrStdout(), []string{"GROUP", "TOPIC", "PARTITION", "OFFSET", "END", "LAG", "CLIENT", "HOST"}, rows)
			})
		},
	}
}

func describeGroups(ctx context.Context, c *kadm.Client, names []string) ([]groupView, error) {
	lags, err := c.Lag(ctx, names...)
	if err != nil {
		return nil, err
	}
	views := make([]groupView, 0, len(lags))
	for _, l := range lags.Sorted() {
		if err := l.Error(); err != nil {
			return nil, named("group "+l.Group, err, "")
		}
		if l.State == "Dead" { // the answer for a group that does not exist
			return nil, named("group "+l.Group, kerr.GroupIDNotFound, "there is no such group")
		}
		v := groupView{Group: l.Group, State: l.State, Assignor: l.Protocol, Members: len(l.Members), Partitions: []lagView{}}
		for _, p := range l.Lag.Sorted() {
			if p.Err != nil {
				return nil, named(fmt.Sprintf("group %s, topic %s partition %d", l.Group, p.Topic, p.Partition), p.Err, "")
			}
			one := lagView{Group: l.Group, Topic: p.Topic, Partition: p.Partition, End: p.End.Offset, Lag: p.Lag}
			if p.Commit.At >= 0 {
				one.Offset = &p.Commit.At
			}
			if p.Member != nil {
				one.Member, one.Client, one.Host = p.Member.MemberID, p.Member.ClientID, p.Member.ClientHost
			}
			v.Partitions = append(v.Partitions, one)
		}
		views = append(views, v)
	}
	return views, nil
}

func newGroupsDelete(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "delete GROUP...", Short: "Delete groups that have no members, with their offsets",
		Example: "  millrace groups delete billing\n  millrace groups delete billing shipping",
		Args:    minArgs("GROUP"), ValidArgsFunction: f.groupNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				answers, err := c.DeleteGroups(ctx, names...)
				if err != nil {
					return err
				}
				var errs []error
				for _, a := range answers.Sorted() {
					errs = append(errs, named("group "+a.Group, a.Err, a.ErrMessage))
					if a.Err == nil {
						fmt.Fprintf(cmd.ErrOrStderr(), "deleted group %s\n", a.Group)
					}
				}
				return errors.Join(errs...)
			})
		},
	}
}
