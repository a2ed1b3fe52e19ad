package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A propertyFilter says which settings of a topic are copied.
type propertyFilter struct {
	exclude func(name string) bool
	// sourceDefaults copies the source's defaults too; otherwise a default of the source is a default in the target.
	sourceDefaults bool
}

// copied reports whether a setting is copied at all. What stands in the file of the source's broker is that broker's own business.
func (f propertyFilter) copied(c kadm.Config) bool {
	return !c.Sensitive && c.Value != nil && c.Source != kmsg.ConfigSourceStaticBrokerConfig && !f.exclude(c.Key)
}

// initial are the settings that a remote topic is created with.
func (f propertyFilter) initial(configs []kadm.Config) map[string]string {
	initial := make(map[string]string)
	for _, c := range configs {
		if f.copied(c) && (f.sourceDefaults || c.Source != kmsg.ConfigSourceDefaultConfig) {
			initial[c.Key] = *c.Value
		}
	}
	return initial
}

// changes are what makes a remote topic's settings those of its origin.
func (f propertyFilter) changes(source, target []kadm.Config) []kadm.AlterConfig {
	have := make(map[string]string) // the topic's own
	for _, c := range target {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig && c.Value != nil {
			have[c.Key] = *c.Value
		}
	}
	var changes []kadm.AlterConfig
	for _, c := range source {
		if !f.copied(c) {
			continue
		}
		value, own := have[c.Key]
		switch wanted := f.sourceDefaults || c.Source != kmsg.ConfigSourceDefaultConfig; {
		case wanted && (!own || value != *c.Value):
			changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: c.Key, Value: c.Value})
		case !wanted && own:
			changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: c.Key})
		}
	}
	return changes
}

// describeConfigs returns the settings of topics. A topic that cannot be described is left out and told.
func describeConfigs(ctx context.Context, admin *client, topics []string) (map[string][]kadm.Config, error) {
	configs := make(map[string][]kadm.Config, len(topics))
	if len(topics) == 0 {
		return configs, nil
	}
	described, err := admin.DescribeTopicConfigs(ctx, topics...)
	for _, d := range described {
		if d.Err != nil {
			err = errors.Join(err, fmt.Errorf("describe topic %s: %w", d.Name, d.Err))
			continue
		}
		configs[d.Name] = d.Configs
	}
	return configs, err
}

// syncConfigs copies the settings of topics that are replicated.
func (c *sourceConnector) syncConfigs(ctx context.Context) error {
	var topics []string
	for _, tp := range c.partitions.get() { // in order
		if len(topics) == 0 || topics[len(topics)-1] != tp.topic {
			topics = append(topics, tp.topic)
		}
	}
	remote := make([]string, len(topics))
	for i, t := range topics {
		remote[i] = c.s.policy.remote(c.s.source, t)
	}
	from, err := describeConfigs(ctx, c.from, topics)
	to, terr := describeConfigs(ctx, c.to, remote)
	err = errors.Join(err, terr)
	for i, t := range topics {
		have, there := to[remote[i]]
		if !there {
			continue
		}
		changes := c.properties.changes(from[t], have)
		if len(changes) == 0 {
			continue
		}
		responses, aerr := c.to.AlterTopicConfigs(ctx, changes, remote[i])
		for _, r := range responses {
			aerr = errors.Join(aerr, r.Err)
		}
		if aerr != nil {
			err = errors.Join(err, fmt.Errorf("change settings of topic %s: %w", remote[i], aerr))
			continue
		}
		c.log.Info("copied settings of a topic", "topic", remote[i], "settings", len(changes))
	}
	return err
}
