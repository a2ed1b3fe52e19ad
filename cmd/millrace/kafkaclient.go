package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaFlags are the flags of all commands that talk to a Kafka cluster.
type kafkaFlags struct {
	bootstrap string
	timeout   time.Duration
	out       output
}

const defaultBootstrap = "127.0.0.1:9092"

func (f *kafkaFlags) register(cmd *cobra.Command) {
	fallback := defaultBootstrap
	if v := os.Getenv("MILLRACE_BOOTSTRAP_SERVER"); v != "" {
		fallback = v
	}
	flags := cmd.PersistentFlags()
	flags.StringVarP(&f.bootstrap, "bootstrap-server", "b", fallback, "`host:port` of brokers, separated by commas (or MILLRACE_BOOTSTRAP_SERVER)")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for the cluster")
	f.out.register(cmd)
}

// connect returns a client of a cluster that answers.
func (f *kafkaFlags) connect(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	var seeds []string
	for s := range strings.SplitSeq(f.bootstrap, ",") {
		if s = strings.TrimSpace(s); s != "" {
			seeds = append(seeds, s)
		}
	}
	if len(seeds) == 0 {
		return nil, usagef("--bootstrap-server names no broker: want host:port")
	}
	if err := reach(ctx, seeds); err != nil {
		return nil, err
	}
	base := []kgo.Opt{kgo.SeedBrokers(seeds...), kgo.ClientID("millrace"), kgo.RetryTimeout(f.timeout), kgo.MetadataMinAge(50 * time.Millisecond)}
	return kgo.NewClient(append(base, opts...)...)
}

// reach tells at once, rather than after all retries, that nobody listens.
func reach(ctx context.Context, seeds []string) error {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	var errs []error
	for _, seed := range seeds {
		if _, _, err := net.SplitHostPort(seed); err != nil {
			seed = net.JoinHostPort(seed, "9092")
		}
		conn, err := dialer.DialContext(ctx, "tcp", seed)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return &failure{
		code: exitEnvironment, err: fmt.Errorf("no Kafka answers at %s: %w", strings.Join(seeds, ","), errs[0]),
		fix: "start one with: millrace standalone, or name another with --bootstrap-server",
	}
}

// admin runs do with an admin client, within the timeout.
func (f *kafkaFlags) admin(ctx context.Context, do func(context.Context, *kadm.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	client, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(ctx, kadm.NewClient(client))
}

// named puts what an error is about before it, with the broker's own words if it has any.
func named(what string, err error, message string) error {
	switch {
	case err == nil:
		return nil
	case message != "":
		return fmt.Errorf("%s: %s (%w)", what, message, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// topicNames completes topics, if the cluster answers quickly.
func (f *kafkaFlags) topicNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return f.names(cmd.Context(), func(ctx context.Context, c *kadm.Client) ([]string, error) {
		topics, err := c.ListTopics(ctx)
		return topics.Names(), err
	})
}

func (f *kafkaFlags) groupNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return f.names(cmd.Context(), func(ctx context.Context, c *kadm.Client) ([]string, error) {
		groups, err := c.ListGroups(ctx)
		return groups.Groups(), err
	})
}

const completionTimeout = 300 * time.Millisecond

func (f *kafkaFlags) names(ctx context.Context, list func(context.Context, *kadm.Client) ([]string, error)) (names []string, _ cobra.ShellCompDirective) {
	quick := *f
	quick.timeout = completionTimeout
	err := quick.admin(ctx, func(ctx context.Context, c *kadm.Client) (err error) {
		names, err = list(ctx, c)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// pairs splits key=value arguments.
func pairs(flag string, list []string) (map[string]*string, error) {
	m := make(map[string]*string, len(list))
	var errs []error
	for _, p := range list {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			errs = append(errs, usagef("%s %q: want key=value", flag, p))
			continue
		}
		m[k] = &v
	}
	return m, errors.Join(errs...)
}
