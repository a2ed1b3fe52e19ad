package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/connectors"
	"millrace/offsets"
	"millrace/offsets/connectjson"
	"millrace/runtime/state"
)

func deadline(cfg Config) time.Time { return time.Now().Add(cfg.TaskShutdownTimeout) }

// Offsets implements Herder.
func (h *herder) Offsets(ctx context.Context, name string) ([]ConnectorOffset, error) {
	c, err := h.stored(ctx, name, notFound)
	if err != nil {
		return nil, err
	}
	plugin, err := h.pluginOf(c.Config)
	if err != nil {
		return nil, err
	}
	if plugin.Kind == connectors.KindSink {
		return h.sinkOffsets(ctx, c)
	}
	list, err := h.offsets.List(ctx, name)
	if err != nil {
		return nil, err
	}
	result := make([]ConnectorOffset, len(list))
	for i, o := range list {
		result[i] = ConnectorOffset{Partition: o.Partition, Offset: o.Offset}
	}
	return result, nil
}

func (h *herder) sinkOffsets(ctx context.Context, c *state.Connector) ([]ConnectorOffset, error) {
	config, err := h.resolved(c.Config)
	if err != nil {
		return nil, err
	}
	resp, err := h.admin.FetchOffsets(ctx, sinkGroup(c.Name, config))
	if errors.Is(err, kerr.GroupIDNotFound) {
		return []ConnectorOffset{}, nil
	}
	if err != nil {
		h.log.Error("offsets of a consumer group cannot be read", "connector", c.Name, "err", err)
		return nil, Errorf(KindInternal, "Failed to retrieve consumer group offsets for sink connector %s", c.Name)
	}
	result := []ConnectorOffset{}
	for _, o := range resp.Sorted() {
		if o.At >= 0 && o.Err == nil {
			result = append(result, ConnectorOffset{
				Partition: map[string]any{"kafka_topic": o.Topic, "kafka_partition": o.Partition},
				Offset:    map[string]any{"kafka_offset": o.At},
			})
		}
	}
	return result, nil
}

// AlterOffsets implements Herder.
func (h *herder) AlterOffsets(ctx context.Context, name string, offs []ConnectorOffset) (string, error) {
	if len(offs) == 0 {
		return "", Errorf(KindBadRequest, "Partitions / offsets need to be provided for an alter offsets request")
	}
	return h.modifyOffsets(ctx, name, "altered", func(ctx context.Context, c *state.Connector, plugin *connectors.Plugin) (bool, error) {
		if plugin.Kind == connectors.KindSink {
			parsed, err := parseSinkOffsets(offs)
			if err != nil {
				return false, err
			}
			return h.alterSink(ctx, c, plugin, parsed)
		}
		list := make([]connectors.PartitionOffset, len(offs))
		for i, o := range offs {
			p, err := primitives(o.Partition)
			if err != nil {
				return false, err
			}
			v, err := primitives(o.Offset)
			if err != nil {
				return false, err
			}
			list[i] = connectors.PartitionOffset{Partition: p, Offset: v}
		}
		return h.alterSource(ctx, c, plugin, list)
	})
}

// ResetOffsets implements Herder.
func (h *herder) ResetOffsets(ctx context.Context, name string) (string, error) {
	return h.modifyOffsets(ctx, name, "reset", func(ctx context.Context, c *state.Connector, plugin *connectors.Plugin) (bool, error) {
		if plugin.Kind == connectors.KindSink {
			return h.resetSink(ctx, c, plugin)
		}
		stored, err := h.offsets.List(ctx, name)
		if err != nil {
			return false, err
		}
		list := make([]connectors.PartitionOffset, len(stored))
		for i, o := range stored {
			list[i] = connectors.PartitionOffset{Partition: o.Partition}
		}
		return h.alterSource(ctx, c, plugin, list)
	})
}

type offsetChange func(ctx context.Context, c *state.Connector, plugin *connectors.Plugin) (bool, error)

// modifyOffsets runs change while nothing else happens to the connector, which must be stopped.
func (h *herder) modifyOffsets(ctx context.Context, name, done string, change offsetChange) (string, error) {
	if _, err := h.stored(ctx, name, notFound); err != nil {
		return "", err
	}
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return "", err
	}
	defer unlock()
	var known bool
	err = h.do(ctx, name, func(*instance) error {
		c := h.configs.Connector(name)
		if c == nil {
			return Errorf(KindNotFound, notFound, name)
		}
		if c.Target != state.TargetStopped || len(c.Tasks) > 0 {
			return Errorf(KindBadRequest, "Connectors must be in the STOPPED state before their offsets can be modified. This can be done "+
				"for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
		}
		plugin, err := h.pluginOf(c.Config)
		if err != nil {
			return err
		}
		known, err = change(ctx, c, plugin)
		return err
	})
	if err != nil {
		if own := (*Error)(nil); errors.As(err, &own) {
			return "", err
		}
		// What the connector says is shown, with the status that Kafka Connect gives it.
		return "", Errorf(KindInternal, "%s", err.Error())
	}
	if known {
		return fmt.Sprintf("The offsets for this connector have been %s successfully", done), nil
	}
	return fmt.Sprintf("The Connect framework-managed offsets for this connector have been %s successfully. "+
		"However, if this connector manages offsets externally, they will need to be manually %s in the system that the connector uses.", done, done), nil
}

// primitives normalizes numbers and refuses nesting, which the offset topic cannot hold.
func primitives(fields map[string]any) (map[string]any, error) {
	if fields == nil {
		return nil, nil
	}
	result := make(map[string]any, len(fields))
	for name, v := range fields {
		if n, ok := v.(json.Number); ok && !strings.ContainsAny(n.String(), ".eE") {
			if _, err := n.Int64(); err != nil {
				return nil, Errorf(KindInternal, "Offsets may only contain primitive types as values, but field %s contains class java.math.BigInteger", name)
			}
		}
		switch v.(type) {
		case []any:
			return nil, Errorf(KindInternal, "Offsets may only contain primitive types as values, but field %s contains ARRAY", name)
		case map[string]any:
			return nil, Errorf(KindInternal, "Offsets may only contain primitive types as values, but field %s contains MAP", name)
		}
		n, err := connectjson.Normalize(v)
		if err != nil {
			return nil, Errorf(KindInternal, "field %s: %v", name, err)
		}
		result[name] = n
	}
	return result, nil
}

func (h *herder) alterSource(ctx context.Context, c *state.Connector, plugin *connectors.Plugin, list []connectors.PartitionOffset) (known bool, err error) {
	if a, ok := plugin.NewSource().(connectors.OffsetAlterer); ok {
		config, err := h.resolved(c.Config)
		if err != nil {
			return false, err
		}
		if known, err = a.AlterOffsets(config, list); err != nil {
			return false, err
		}
	}
	offs := make([]offsets.Offset, 0, len(list))
	for _, o := range list {
		if o.Partition == nil {
			continue // names nothing; it was only for the connector to judge
		}
		offs = append(offs, offsets.Offset{Connector: c.Name, Partition: o.Partition, Offset: o.Offset})
	}
	if len(offs) == 0 {
		return known, nil
	}
	return known, h.offsets.Put(ctx, offs)
}

func parseSinkOffsets(offs []ConnectorOffset) (map[connectors.TopicPartition]*int64, error) {
	parsed := make(map[connectors.TopicPartition]*int64, len(offs))
	for _, o := range offs {
		if o.Partition == nil {
			return nil, Errorf(KindBadRequest, "The partition for a sink connector offset cannot be null or missing")
		}
		topic, ok := o.Partition["kafka_topic"]
		if !ok || topic == nil {
			return nil, Errorf(KindBadRequest, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
		}
		number, ok := o.Partition["kafka_partition"]
		if !ok || number == nil {
			return nil, Errorf(KindBadRequest, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
		}
		p, err := strconv.ParseInt(fmt.Sprint(number), 10, 32)
		if err != nil {
			return nil, Errorf(KindBadRequest, "Failed to parse the following Kafka partition value in the provided offsets: '%v'. "+
				"Partition values for sink connectors need to be integers.", number)
		}
		tp := connectors.TopicPartition{Topic: fmt.Sprint(topic), Partition: int32(p)}
		if o.Offset == nil {
			parsed[tp] = nil
			continue
		}
		value, ok := o.Offset["kafka_offset"]
		if !ok || value == nil {
			return nil, Errorf(KindBadRequest, "The offset for a sink connector should either be null or contain the key 'kafka_offset'")
		}
		n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
		if err != nil {
			return nil, Errorf(KindBadRequest, "Failed to parse the following Kafka offset value in the provided offsets: '%v'. "+
				"Offset values for sink connectors need to be integers.", value)
		}
		parsed[tp] = &n
	}
	return parsed, nil
}

func (h *herder) askSink(c *state.Connector, plugin *connectors.Plugin, parsed map[connectors.TopicPartition]*int64) (bool, error) {
	if a, ok := plugin.NewSink().(connectors.SinkOffsetAlterer); ok {
		config, err := h.resolved(c.Config)
		if err != nil {
			return false, err
		}
		return a.AlterOffsets(config, parsed)
	}
	return false, nil
}

func (h *herder) alterSink(ctx context.Context, c *state.Connector, plugin *connectors.Plugin, parsed map[connectors.TopicPartition]*int64) (bool, error) {
	known, err := h.askSink(c, plugin, parsed)
	if err != nil {
		return false, err
	}
	config, err := h.resolved(c.Config)
	if err != nil {
		return false, err
	}
	group := sinkGroup(c.Name, config)
	set, remove := make(kadm.Offsets), make(kadm.TopicsSet)
	for tp, offset := range parsed {
		if offset == nil {
			remove.Add(tp.Topic, tp.Partition)
		} else {
			set.Add(kadm.Offset{Topic: tp.Topic, Partition: tp.Partition, At: *offset, LeaderEpoch: -1})
		}
	}
	if err := h.checkPartitions(ctx, parsed); err != nil {
		return false, h.alterFailed(c, err)
	}
	if len(set) > 0 {
		resp, err := h.admin.CommitOffsets(ctx, group, set)
		if err == nil {
			err = resp.Error()
		}
		if err != nil {
			return false, h.alterFailed(c, err)
		}
	}
	if len(remove) > 0 {
		resp, err := h.admin.DeleteOffsets(ctx, group, remove)
		if err == nil {
			err = resp.Error()
		}
		if err != nil {
			return false, h.alterFailed(c, err)
		}
	}
	return known, nil
}

// checkPartitions refuses topics and partitions that do not exist: their offsets would wait for somebody to create them.
func (h *herder) checkPartitions(ctx context.Context, parsed map[connectors.TopicPartition]*int64) error {
	var names []string
	for tp := range parsed {
		names = append(names, tp.Topic)
	}
	slices.Sort(names)
	topics, err := h.admin.ListTopics(ctx, slices.Compact(names)...)
	if err != nil {
		return err
	}
	for tp := range parsed {
		if _, ok := topics[tp.Topic].Partitions[tp.Partition]; !ok {
			return fmt.Errorf("topic %s has no partition %d", tp.Topic, tp.Partition)
		}
	}
	return nil
}

// alterFailed gives Kafka Connect's texts; the reason follows.
func (h *herder) alterFailed(c *state.Connector, err error) error {
	h.log.Error("offsets of a consumer group cannot be changed", "connector", c.Name, "err", err)
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.NonEmptyGroup) || errors.Is(err, kerr.GroupSubscribedToTopic) {
		return Errorf(KindInternal, "Failed to alter consumer group offsets for connector %s either because its tasks haven't stopped completely yet or "+
			"the connector was resumed before the request to alter its offsets could be successfully completed. If the connector is in a stopped state, "+
			"this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks.", c.Name)
	}
	return Errorf(KindInternal, "Failed to alter consumer group offsets for connector %s", c.Name)
}

func (h *herder) resetSink(ctx context.Context, c *state.Connector, plugin *connectors.Plugin) (bool, error) {
	config, err := h.resolved(c.Config)
	if err != nil {
		return false, err
	}
	group := sinkGroup(c.Name, config)
	committed, err := h.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return false, h.alterFailed(c, err)
	}
	parsed := make(map[connectors.TopicPartition]*int64)
	committed.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			parsed[connectors.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = nil
		}
	})
	known, err := h.askSink(c, plugin, parsed)
	if err != nil {
		return false, err
	}
	resp, err := h.admin.DeleteGroup(ctx, group)
	if err == nil {
		err = resp.Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return false, h.alterFailed(c, err)
	}
	return known, nil
}
