package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func newTopics() *cobra.Command {
	cmd := &cobra.Command{
		Use: "topics", Short: "Create, list, describe, delete and alter topics",
		Example: "  millrace topics create orders --partitions 3\n  millrace topics describe orders",
	}
	f := &kafkaFlags{}
	f.register(cmd)
	return family(cmd, newTopicsCreate(f), newTopicsList(f), newTopicsDescribe(f), newTopicsDelete(f), newTopicsAlter(f))
}

func newTopicsCreate(f *kafkaFlags) *cobra.Command {
	var partitions int32
	var replicas int16
	var configs []string
	var ifNotExists bool
	cmd := &cobra.Command{
		Use: "create TOPIC...", Short: "Create topics",
		Example: "  millrace topics create orders --partitions 3\n  millrace topics create users --config cleanup.policy=compact",
		Args:    minArgs("TOPIC"),
		RunE: func(cmd *cobra.Command, topics []string) error {
			settings, err := pairs("--config", configs)
			if err != nil {
				return err
			}
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				answers, err := c.CreateTopics(ctx, partitions, replicas, settings, topics...)
				if err != nil {
					return err
				}
				var errs []error
				for _, a := range answers.Sorted() {
					if ifNotExists && errors.Is(a.Err, kerr.TopicAlreadyExists) {
						continue
					}
					errs = append(errs, named("topic "+a.Topic, a.Err, a.ErrMessage))
					if a.Err == nil {
						fmt.Fprintf(cmd.ErrOrStderr(), "created topic %s\n", a.Topic)
					}
				}
				return errors.Join(errs...)
			})
		},
	}
	cmd.Flags().Int32VarP(&partitions, "partitions", "p", -1, "number of partitions; -1 is the broker's default")
	cmd.Flags().Int16VarP(&replicas, "replication-factor", "r", -1, "replicas of each partition; -1 is the broker's default")
	cmd.Flags().StringArrayVarP(&configs, "config", "c", nil, "topic config `key=value`; may be repeated")
	cmd.Flags().BoolVar(&ifNotExists, "if-not-exists", false, "leave a topic that exists as it is")
	return cmd
}

func newTopicsList(f *kafkaFlags) *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use: "list", Short: "List topics",
		Example: "  millrace topics list\n  millrace topics list --internal -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				list := c.ListTopics
				if internal {
					list = c.ListTopicsWithInternal
				}
				topics, err := list(ctx)
				if err != nil {
					return err
				}
				return f.showTopics(cmd, topics)
			})
		},
	}
	cmd.Flags().BoolVar(&internal, "internal", false, "list internal topics too")
	return cmd
}

func (f *kafkaFlags) showTopics(cmd *cobra.Command, topics kadm.TopicDetails) error {
	type topic struct {
		Topic      string `json:"topic"`
		Partitions int    `json:"partitions"`
		Replicas   int    `json:"replication_factor"`
		Internal   bool   `json:"internal"`
	}
	list := []topic{}
	var rows [][]string
	for _, t := range topics.Sorted() {
		list = append(list, topic{t.Topic, len(t.Partitions), t.Partitions.NumReplicas(), t.IsInternal})
		rows = append(rows, []string{t.Topic, strconv.Itoa(len(t.Partitions)), strconv.Itoa(t.Partitions.NumReplicas())})
	}
	if f.out == asJSON {
		return writeJSON(cmd.OutOrStdout(), list)
	}
	return writeTable(cmd.OutOrStdout(), []string{"TOPIC", "PARTITIONS", "REPLICAS"}, rows)
}

type partitionView struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"`
	Epoch       int32   `json:"leader_epoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	StartOffset int64   `json:"log_start_offset"`
	EndOffset   int64   `json:"high_watermark"`
}

type topicView struct {
	Topic      string            `json:"topic"`
	ID         string            `json:"topic_id"`
	Partitions []partitionView   `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

func newTopicsDescribe(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "describe TOPIC...", Short: "Show partitions, offsets and configs of topics",
		Example: "  millrace topics describe orders\n  millrace topics describe orders users -o json",
		Args:    minArgs("TOPIC"), ValidArgsFunction: f.topicNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				views, err := describeTopics(ctx, c, names)
				if err != nil {
					return err
				}
				if f.out == asJSON {
					return writeJSON(cmd.OutOrStdout(), views)
				}
				for _, v := range views {
					if err := v.show(cmd); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func describeTopics(ctx context.Context, c *kadm.Client, names []string) ([]topicView, error) {
	topics, err := c.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, t := range topics.Sorted() {
		if t.Err != nil {
			return nil, named("topic "+t.Topic, t.Err, "")
		}
	}
	starts, err := c.ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, err
	}
	ends, err := c.ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, err
	}
	configs, err := c.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, err
	}
	views := make([]topicView, 0, len(topics))
	for _, t := range topics.Sorted() {
		v := topicView{Topic: t.Topic, ID: base64.RawURLEncoding.EncodeToString(t.ID[:]), Configs: map[string]string{}}
		for _, p := range t.Partitions.Sorted() {
			start, _ := starts.Lookup(t.Topic, p.Partition)
			end, _ := ends.Lookup(t.Topic, p.Partition)
			v.Partitions = append(v.Partitions, partitionView{p.Partition, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR, start.Offset, end.Offset})
		}
		for _, r := range configs {
			if r.Name != t.Topic {
				continue
			}
			for _, k := range r.Configs {
				if k.Source == kmsg.ConfigSourceDynamicTopicConfig {
					v.Configs[k.Key] = k.MaybeValue()
				}
			}
		}
		views = append(views, v)
	}
	return views, nil
}

func (v *topicView) show(cmd *cobra.Command) error {
	w := cmd.OutOrStdout()
	if _, err := fmt.Fprintf(w, "topic %s (id %s)\n", v.Topic, v.ID); err != nil {
		return err
	}
	for _, k := range slices.Sorted(mapsKeys(v.Configs)) {
		if _, err := fmt.Fprintf(w, "  %s=%s\n", k, v.Configs[k]); err != nil {
			return err
		}
	}
	var rows [][]string
	for _, p := range v.Partitions {
		rows = append(rows, []string{
			fmt.Sprint(p.Partition), fmt.Sprint(p.Leader), fmt.Sprint(p.Epoch), ids(p.Replicas), ids(p.ISR),
			fmt.Sprint(p.StartOffset), fmt.Sprint(p.EndOffset),
		})
	}
	return writeTable(w, []string{"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "START", "END"}, rows)
}

func ids(list []int32) string {
	texts := make([]string, len(list))
	for i, id := range list {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts, ",")
}
