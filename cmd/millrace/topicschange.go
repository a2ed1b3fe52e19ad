package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func mapsKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

func newTopicsDelete(f *kafkaFlags) *cobra.Command {
	return &cobra.Command{
		Use: "delete TOPIC...", Short: "Delete topics with their records",
		Example: "  millrace topics delete orders\n  millrace topics delete orders users",
		Args:    minArgs("TOPIC"), ValidArgsFunction: f.topicNames,
		RunE: func(cmd *cobra.Command, topics []string) error {
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				answers, err := c.DeleteTopics(ctx, topics...)
				if err != nil {
					return err
				}
				var errs []error
				for _, a := range answers.Sorted() {
					errs = append(errs, named("topic "+a.Topic, a.Err, a.ErrMessage))
					if a.Err == nil {
						fmt.Fprintf(cmd.ErrOrStderr(), "deleted topic %s\n", a.Topic)
					}
				}
				return errors.Join(errs...)
			})
		},
	}
}

func newTopicsAlter(f *kafkaFlags) *cobra.Command {
	var partitions int
	var configs, removed []string
	cmd := &cobra.Command{
		Use: "alter TOPIC", Short: "Add partitions to a topic, change its configs",
		Example: "  millrace topics alter orders --config retention.ms=86400000\n  millrace topics alter orders --partitions 6",
		Args:    exactArgs("TOPIC"), ValidArgsFunction: f.topicNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := pairs("--config", configs)
			if err != nil {
				return err
			}
			if partitions == 0 && len(settings) == 0 && len(removed) == 0 {
				return usagef("nothing to alter: give --partitions, --config or --delete-config")
			}
			return f.admin(cmd.Context(), func(ctx context.Context, c *kadm.Client) error {
				if err := alterTopicConfigs(ctx, c, args[0], settings, removed); err != nil {
					return err
				}
				if partitions == 0 {
					return nil
				}
				answers, err := c.UpdatePartitions(ctx, partitions, args[0])
				if err != nil {
					return err
				}
				a := answers[args[0]]
				return named("topic "+args[0], a.Err, a.ErrMessage)
			})
		},
	}
	cmd.Flags().IntVarP(&partitions, "partitions", "p", 0, "new number of partitions; it can only grow")
	cmd.Flags().StringArrayVarP(&configs, "config", "c", nil, "topic config `key=value`; may be repeated")
	cmd.Flags().StringArrayVar(&removed, "delete-config", nil, "topic config `key` to return to its default; may be repeated")
	return cmd
}

func alterTopicConfigs(ctx context.Context, c *kadm.Client, topic string, settings map[string]*string, removed []string) error {
	var changes []kadm.AlterConfig
	for _, k := range slices.Sorted(mapsKeys(settings)) {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: settings[k]})
	}
	for _, k := range removed {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: k})
	}
	if len(changes) == 0 {
		return nil
	}
	answers, err := c.AlterTopicConfigs(ctx, changes, topic)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range answers {
		errs = append(errs, named("topic "+a.Name, a.Err, a.ErrMessage))
	}
	return errors.Join(errs...)
}
