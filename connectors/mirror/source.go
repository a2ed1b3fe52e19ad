package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// A sourceConnector is MirrorSource: it finds topics of the source, gives them their like in the target, and divides their partitions
// among tasks.
type sourceConnector struct {
	connector
	topics     filter
	properties propertyFilter
	partitions *finds[topicPartition]
	// syncsMade is set once the offset-syncs topic is there. It and saidNoRules are used by one job each.
	syncsMade, saidNoRules bool
}

var (
	_ connectors.Source               = (*sourceConnector)(nil)
	_ connectors.OffsetAlterer        = (*sourceConnector)(nil)
	_ connectors.ConfigValidator      = (*sourceConnector)(nil)
	_ connectors.ExactlyOnceSupporter = (*sourceConnector)(nil)
)

func (c *sourceConnector) Start(ctx connectors.ConnectorContext, config map[string]string) (err error) {
	c.partitions = newFinds[topicPartition]()
	if err = c.begin(ctx, sourceRead, config); err != nil || !c.s.Bool(keyEnabled) {
		return err
	}
	if c.topics, err = c.env.filter(c.s.Values, keyTopics, keyTopicsExclude); err != nil {
		return err
	}
	c.properties.sourceDefaults = c.s.String(keyUseDefaultsFrom) == atSource
	if c.properties.exclude, err = c.env.pattern(keyPropertiesExclude, c.s.List(keyPropertiesExclude)); err != nil {
		return err
	}
	var intervals [3]time.Duration
	for i, prefix := range []string{keyRefreshTopics, keySyncConfigs, keySyncACLs} {
		if intervals[i], err = c.s.interval(prefix); err != nil {
			return err
		}
	}
	if err = c.open("replication", theSource, theTarget); err != nil {
		return err
	}
	c.jobs.every(0, intervals[0], "refresh topics", c.refresh)
	for i, job := range []func(context.Context) error{c.syncConfigs, c.syncACLs} {
		if every := intervals[i+1]; every > 0 {
			c.jobs.every(0, every, []string{"copy settings of topics", "copy access rules of topics"}[i], func(ctx context.Context) error {
				select {
				case <-c.partitions.looked:
				case <-ctx.Done():
					return ctx.Err()
				}
				return job(ctx)
			})
		}
	}
	return nil
}

// replicates reports whether a topic of the source is one to replicate.
func (c *sourceConnector) replicates(topic string) bool {
	p := c.s.policy
	return (c.topics.has(topic) || c.s.Bool(keyReplicateHeartbeats) && p.heartbeats(topic)) && !p.internalTopic(topic) && !p.cycle(c.s.target, topic)
}

// refresh looks at both clusters, creates what the target lacks, and has the tasks made anew if their partitions have changed.
func (c *sourceConnector) refresh(ctx context.Context) error {
	err := c.createSyncsTopic(ctx)
	source, serr := listTopics(ctx, c.from.Client)
	if serr != nil {
		return errors.Join(err, fmt.Errorf("list topics of %s: %w", c.s.source, serr))
	}
	maps.DeleteFunc(source, func(topic string, _ int32) bool { return !c.replicates(topic) })
	target, terr := listTopics(ctx, c.to.Client)
	if terr != nil {
		return errors.Join(err, fmt.Errorf("list topics of %s: %w", c.s.target, terr))
	}
	remote := func(topic string) string { return c.s.policy.remote(c.s.source, topic) }
	create, more := missing(source, target, remote)
	if len(create) > 0 {
		made, cerr := c.create(ctx, source, create, remote)
		err = errors.Join(err, cerr)
		maps.Copy(target, made)
	}
	if len(more) > 0 {
		made, eerr := enlarge(ctx, c.to, more)
		err = errors.Join(err, eerr)
		for topic, n := range made {
			c.log.Info("enlarged a topic", "topic", topic, "partitions", n)
		}
		maps.Copy(target, made)
	}
	if found := replicable(source, target, remote); c.partitions.put(found) {
		c.log.Info("found topics to replicate", "partitions", len(found))
		c.context.RequestTaskReconfiguration()
	}
	return err
}

func (c *sourceConnector) createSyncsTopic(ctx context.Context) error {
	if c.syncsMade || !c.s.Bool(keyEmitSyncs) {
		return nil
	}
	admin := c.from
	if c.s.syncsSide() == theTarget {
		admin = c.to
	}
	err := createInternal(ctx, admin, c.log, c.s, c.s.offsetSyncsTopic(), keySyncsReplication)
	c.syncsMade = err == nil
	return err
}

// create creates remote topics with the settings of their origins.
func (c *sourceConnector) create(ctx context.Context, source, wanted partitionCounts, remote func(string) string) (partitionCounts, error) {
	var origins []string
	for topic := range source {
		if _, ok := wanted[remote(topic)]; ok {
			origins = append(origins, topic)
		}
	}
	slices.Sort(origins)
	configs, err := describeConfigs(ctx, c.from, origins)
	var topics []newTopic
	for _, topic := range origins {
		if described, ok := configs[topic]; ok {
			topics = append(topics, newTopic{
				name: remote(topic), partitions: source[topic], configs: c.properties.initial(described),
				replicas: int16(min(c.s.Int(keyReplicationFactor), 1<<15-1)), asked: c.s.set(keyReplicationFactor),
			})
		}
	}
	made, cerr := createTopics(ctx, c.to, topics)
	counts := make(partitionCounts, len(made))
	for _, t := range made {
		c.log.Info("created a remote topic", "topic", t.name, "partitions", t.partitions)
		counts[t.name] = t.partitions
	}
	return counts, errors.Join(err, cerr)
}

// TaskConfigs deals the partitions to the tasks in turn, as Kafka does.
func (c *sourceConnector) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	if !c.s.Bool(keyEnabled) {
		return nil, nil
	}
	found, err := c.partitions.await("topics of cluster " + c.s.source)
	if err != nil {
		return nil, err
	}
	tasks := roundRobin(found, maxTasks)
	configs := make([]map[string]string, len(tasks))
	for i, partitions := range tasks {
		names := make([]string, len(partitions))
		for j, tp := range partitions {
			names[j] = tp.String()
		}
		configs[i] = c.s.task(i, keyTaskPartitions, names)
	}
	return configs, nil
}

// task is the configuration of a task.
func (s *settings) task(index int, key string, items []string) map[string]string {
	config := maps.Clone(s.raw)
	config[key] = strings.Join(items, ",")
	config[keyTaskIndex] = strconv.Itoa(index)
	return config
}

func (c *sourceConnector) NewTask() connectors.SourceTask { return &sourceTask{env: c.env} }

// ValidateConfig is Kafka's: offset syncs that are off have no settings. It also tries the patterns.
func (c *sourceConnector) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	c.env.checkPatterns(values, keyTopics, keyTopicsExclude, keyPropertiesExclude)
	if config[keyEmitSyncs] == "false" {
		for name := range config {
			if strings.HasPrefix(name, "offset-syncs-") || strings.HasPrefix(name, "offset-syncs.topic.") {
				addError(values, keyEmitSyncs, "MirrorSourceConnector can't setup offset-syncs feature while "+keyEmitSyncs+" set to false")
				break
			}
		}
	}
}

func addError(values []*connectors.ConfigValue, name, msg string) {
	for _, v := range values {
		if v.Name == name {
			v.AddError(msg)
		}
	}
}

// checkPatterns adds an error to a list that is no pattern.
func (e Environment) checkPatterns(values []*connectors.ConfigValue, keys ...string) {
	for _, v := range values {
		if items, ok := v.Value.([]string); ok && slices.Contains(keys, v.Name) && len(v.Errors) == 0 {
			if _, err := e.pattern(v.Name, items); err != nil {
				v.AddError(err.Error())
			}
		}
	}
}

// readsCommitted reports whether the consumer leaves out records of transactions that were not committed.
func readsCommitted(config map[string]string) bool {
	const isolation = "consumer.isolation.level"
	level, ok := config["source."+isolation]
	if !ok {
		level = config[isolation]
	}
	return level == "read_committed"
}

// ExactlyOnceSupport is given by a consumer that leaves out what was not committed.
func (c *sourceConnector) ExactlyOnceSupport(config map[string]string) (connectors.ExactlyOnceSupport, error) {
	if readsCommitted(config) {
		return connectors.ExactlyOnceSupported, nil
	}
	return connectors.ExactlyOnceUnsupported, nil
}
