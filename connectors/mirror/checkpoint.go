package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"millrace/connectors"
)

// A checkpointConnector is MirrorCheckpoint: it finds the groups of the source that read replicated topics, and divides them among
// tasks.
type checkpointConnector struct {
	connector
	topics, groups filter
	emits          bool
	followed       *finds[string]
}

var (
	_ connectors.Source          = (*checkpointConnector)(nil)
	_ connectors.OffsetAlterer   = (*checkpointConnector)(nil)
	_ connectors.ConfigValidator = (*checkpointConnector)(nil)
)

func (c *checkpointConnector) Start(ctx connectors.ConnectorContext, config map[string]string) (err error) {
	c.followed = newFinds[string]()
	if err = c.begin(ctx, checkpointRead, config); err != nil || !c.s.Bool(keyEnabled) {
		return err
	}
	if config[keyEmitSyncs] == "false" {
		return connectors.InvalidValue(keyEmitSyncs, "false", "MirrorCheckpointConnector can't run without offset syncs")
	}
	if c.topics, err = c.env.filter(c.s.Values, keyTopics, keyTopicsExclude); err != nil {
		return err
	}
	if c.groups, err = c.env.filter(c.s.Values, keyGroups, keyGroupsExclude); err != nil {
		return err
	}
	emit, err := c.s.interval(keyEmitCheckpoints)
	if err != nil {
		return err
	}
	c.emits = emit > 0
	refresh, err := c.s.interval(keyRefreshGroups)
	if err != nil {
		return err
	}
	if err = c.open("checkpoint", theSource, theTarget); err != nil {
		return err
	}
	c.jobs.every(0, 0, "create the checkpoints topic", func(jobCtx context.Context) error {
		return createInternal(jobCtx, c.to, c.log, c.s, c.s.policy.checkpointsTopic(c.s.source), keyCheckpointsReplication)
	})
	c.jobs.every(0, refresh, "refresh groups", c.refresh)
	return nil
}

// refresh looks for groups, and has the tasks made anew if there are others.
func (c *checkpointConnector) refresh(ctx context.Context) error {
	listed, err := c.from.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups of %s: %w", c.s.source, err)
	}
	var candidates []string
	for _, g := range listed.Sorted() {
		switch {
		case g.ProtocolType != "consumer" && g.ProtocolType != "", !c.groups.has(g.Group):
		case strings.Contains(g.Group, ","):
			c.log.Warn("a group with a comma in its name cannot be followed", "group", g.Group)
		default:
			candidates = append(candidates, g.Group)
		}
	}
	var groups []string
	if len(candidates) > 0 {
		offsets := c.from.FetchManyOffsets(ctx, candidates...)
		for _, group := range candidates {
			found := offsets[group]
			if found.Err != nil {
				err = errors.Join(err, fmt.Errorf("offsets of group %s: %w", group, found.Err))
				continue
			}
			for topic := range found.Fetched {
				if c.topics.has(topic) {
					groups = append(groups, group)
					break
				}
			}
		}
	}
	if err != nil {
		return err // a group that is only away for a moment stays
	}
	if c.followed.put(groups) {
		c.log.Info("found groups to follow", "groups", len(groups))
		c.context.RequestTaskReconfiguration()
	}
	return nil
}

// TaskConfigs divides the groups into runs, as Kafka does.
func (c *checkpointConnector) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	if !c.s.Bool(keyEnabled) || !c.emits {
		return nil, nil
	}
	found, err := c.followed.await("groups of cluster " + c.s.source)
	if err != nil {
		return nil, err
	}
	var configs []map[string]string
	for i, groups := range inRuns(found, maxTasks) {
		configs = append(configs, c.s.task(i, keyTaskGroups, groups))
	}
	return configs, nil
}

func (c *checkpointConnector) NewTask() connectors.SourceTask { return &checkpointTask{env: c.env} }

// ValidateConfig is Kafka's: there has to be something to write. It also tries the patterns.
func (c *checkpointConnector) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	c.env.checkPatterns(values, keyGroups, keyGroupsExclude)
	if config[keyEnabled] == "false" {
		return
	}
	if config[keyEmitCheckpoints+enabledSuffix] == "false" {
		addError(values, keyEmitCheckpoints+enabledSuffix, "MirrorCheckpointConnector can't run with "+keyEmitCheckpoints+enabledSuffix+" set to false")
	}
}
