package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/connectors"
	"millrace/plugins/javaregex"
)

// A TopicCreation creates the topics of a source connector as topic.creation.* says (KIP-158). It is safe for concurrent use.
type TopicCreation struct {
	admin  *kadm.Client
	groups []topicGroup // in the order of matching, default last
}

type topicGroup struct {
	name             string
	include, exclude patterns
	replication      int16
	partitions       int32
	configs          map[string]*string
}

const topicPrefix = "topic.creation."

// ParseTopicCreation reads the topic.creation.* keys of a connector; it returns nil if there are none.
func ParseTopicCreation(config map[string]string, admin *kadm.Client) (*TopicCreation, error) {
	used := false
	for k := range config {
		used = used || strings.HasPrefix(k, topicPrefix)
	}
	if !used {
		return nil, nil
	}
	values, err := connectors.NewConfigDef(connectors.ConfigKey{
		Name: "topic.creation.groups", Type: connectors.ConfigList, Default: []string{},
		Validator: connectors.DistinctList(true, false),
	}).Parse(connectors.Raw(config))
	if err != nil {
		return nil, err
	}
	byDefault, err := parseGroup(config, "default", nil)
	if err != nil {
		return nil, err
	}
	tc := &TopicCreation{admin: admin}
	for _, name := range values.List("topic.creation.groups") {
		if name == "default" {
			continue
		}
		g, err := parseGroup(config, name, byDefault)
		if err != nil {
			return nil, err
		}
		tc.groups = append(tc.groups, *g)
	}
	tc.groups = append(tc.groups, *byDefault)
	return tc, nil
}

func parseGroup(config map[string]string, name string, byDefault *topicGroup) (*topicGroup, error) {
	prefix := topicPrefix + name + "."
	key := func(k string, typ connectors.ConfigType, def any, check connectors.ConfigCheck) connectors.ConfigKey {
		return connectors.ConfigKey{Name: prefix + k, Type: typ, Default: def, Required: def == nil, Validator: check}
	}
	var replication, partitions any
	if byDefault != nil {
		replication, partitions = byDefault.replication, byDefault.partitions
	}
	keys := []connectors.ConfigKey{
		key("replication.factor", connectors.ConfigShort, replication, brokersDefault("Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")),
		key("partitions", connectors.ConfigInt, partitions, brokersDefault("Number of partitions must be positive, or -1 to use the broker's default")),
	}
	if byDefault != nil {
		keys = append(keys,
			key("include", connectors.ConfigList, []string{}, nil),
			key("exclude", connectors.ConfigList, []string{}, nil))
	}
	values, err := connectors.NewConfigDef(keys...).Parse(connectors.Raw(config))
	if err != nil {
		return nil, err
	}
	g := &topicGroup{
		name: name, configs: make(map[string]*string),
		replication: values.Short(prefix + "replication.factor"), partitions: values.Int(prefix + "partitions"),
	}
	if byDefault != nil {
		if g.include, err = compile(prefix+"include", values.List(prefix+"include")); err != nil {
			return nil, err
		}
		if g.exclude, err = compile(prefix+"exclude", values.List(prefix+"exclude")); err != nil {
			return nil, err
		}
	}
	for k, v := range config {
		switch topic, ok := strings.CutPrefix(k, prefix); {
		case !ok || topic == "replication.factor" || topic == "partitions" || topic == "include" || topic == "exclude":
		default:
			g.configs[topic] = &v
		}
	}
	return g, nil
}

func brokersDefault(reason string) connectors.ConfigCheck {
	return connectors.CheckFunc(reason, func(v any) string {
		var n int64
		switch v := v.(type) {
		case int16:
			n = int64(v)
		case int32:
			n = int64(v)
		}
		if n != -1 && n < 1 {
			return reason
		}
		return ""
	})
}

// patterns are regular expressions in Java's syntax.
type patterns []*javaregex.Regexp

func compile(name string, texts []string) (patterns, error) {
	var all patterns
	for _, text := range texts {
		re, err := javaregex.Compile(text)
		if err != nil {
			return nil, connectors.InvalidValue(name, text, "Invalid regex: "+err.Error())
		}
		all = append(all, re)
	}
	return all, nil
}

// match reports whether a pattern matches the whole name.
func (p patterns) match(topic string) bool {
	return slices.ContainsFunc(p, func(re *javaregex.Regexp) bool { return re.MatchWhole(topic) })
}

func (g *topicGroup) matches(topic string) bool {
	return g.name == "default" || g.include.match(topic) && !g.exclude.match(topic)
}

// Ensure creates topic if it does not exist. Errors worth trying again are retriable.
func (tc *TopicCreation) Ensure(ctx context.Context, topic string) error {
	topics, err := tc.admin.ListTopics(ctx, topic)
	if err != nil {
		return retriable(ctx, fmt.Errorf("look up topic %s: %w", topic, err))
	}
	if topics.Has(topic) {
		return nil
	}
	for _, g := range tc.groups {
		if !g.matches(topic) {
			continue
		}
		_, err := tc.admin.CreateTopic(ctx, g.partitions, g.replication, g.configs, topic)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
		err = fmt.Errorf("create topic %s of topic creation group %s (partitions %d, replication factor %d): %w",
			topic, g.name, g.partitions, g.replication, err)
		if kerr.IsRetriable(err) || ctx.Err() != nil {
			return retriable(ctx, err)
		}
		return err
	}
	return nil
}

func retriable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &connectors.RetriableError{Err: err}
}
