package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type resetFlags struct {
	topics []string
	to     string
	dryRun bool
}

func newGroupsReset(f *kafkaFlags) *cobra.Command {
	r := &resetFlags{}
	cmd := &cobra.Command{
		Use: "reset GROUP", Short: "Move the committed offsets of a group that has no members",
		Example: "  millrace groups reset billing --topic orders --to earliest\n  millrace groups reset billing --topic orders --to 2026-01-31T10:00:00Z --dry-run",
		Args:    exactArgs("GROUP"), ValidArgsFunction: f.groupNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(r.topics) == 0 || r.to == "" {
				return usagef("give --topic and --to")
			}
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				return r.run(ctx, cmd, f, c, args[0])
			})
		},
	}
	cmd.Flags().StringArrayVar(&r.topics, "topic", nil, "`topic` whose offsets move; may be repeated")
	cmd.Flags().StringVar(&r.to, "to", "", "earliest, latest, an offset, a time (RFC 3339) or how long ago (1h)")
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "show the offsets, change nothing")
	complete(cmd, "to", "earliest", "latest")
	return cmd
}

func (r *resetFlags) run(ctx context.Context, cmd *cobra.Command, f *kafkaFlags, c *kadm.Client, group string) error {
	described, err := c.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	if members := len(described[group].Members); members > 0 {
		return named("group "+group, kerr.NonEmptyGroup, fmt.Sprintf("it has %d members; stop them first", members))
	}
	targets, err := r.targets(ctx, c)
	if err != nil {
		return err
	}
	if !r.dryRun {
		if err := c.CommitAllOffsets(ctx, group, targets); err != nil {
			return named("group "+group, err, "")
		}
	}
	type moved struct {
		Group     string `json:"group"`
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
	}
	list := []moved{}
	var rows [][]string
	for _, o := range targets.Sorted() {
		list = append(list, moved{group, o.Topic, o.Partition, o.At})
		rows = append(rows, []string{group, o.Topic, fmt.Sprint(o.Partition), fmt.Sprint(o.At)})
	}
	if f.out == asJSON {
		return writeJSON(cmd.OutOrStdout(), list)
	}
	return writeTable(cmd.OutOrStdout(), []string{"GROUP", "TOPIC", "PARTITION", "OFFSET"}, rows)
}

// targets returns the offsets to commit: within what each partition has.
func (r *resetFlags) targets(ctx context.Context, c *kadm.Client) (kadm.Offsets, error) {
	starts, err := c.ListStartOffsets(ctx, r.topics...)
	if err != nil {
		return nil, err
	}
	ends, err := c.ListEndOffsets(ctx, r.topics...)
	if err != nil {
		return nil, err
	}
	if err := ends.Error(); err != nil {
		return nil, err
	}
	switch r.to {
	case "earliest":
		return starts.Offsets(), starts.Error()
	case "latest":
		return ends.Offsets(), nil
	}
	if n, err := strconv.ParseInt(r.to, 10, 64); err == nil {
		targets := make(kadm.Offsets)
		ends.Each(func(end kadm.ListedOffset) {
			start, _ := starts.Lookup(end.Topic, end.Partition)
			targets.AddOffset(end.Topic, end.Partition, min(max(n, start.Offset), end.Offset), -1)
		})
		return targets, nil
	}
	at, err := parseTime(r.to, time.Now())
	if err != nil {
		return nil, usagef("--to %s: want earliest, latest, an offset, or %w", r.to, err)
	}
	listed, err := c.ListOffsetsAfterMilli(ctx, at.UnixMilli(), r.topics...)
	if err != nil {
		return nil, err
	}
	return listed.Offsets(), listed.Error()
}
