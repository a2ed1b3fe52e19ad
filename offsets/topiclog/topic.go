package topiclog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// prepare creates the topic or checks the one that is there, and returns how many partitions it has.
func (l *Log) prepare(ctx context.Context) (int, error) {
	n, err := l.partitions(ctx)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		if err := l.create(ctx); err != nil {
			return 0, err
		}
		return l.awaitTopic(ctx)
	}
	if err != nil {
		return 0, err
	}
	return n, l.checkPolicy(ctx)
}

// partitions asks the broker, not the client's cache: a topic just created is in neither at once.
func (l *Log) partitions(ctx context.Context) (int, error) {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(l.cfg.Topic)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return 0, err
	}
	if len(resp.Topics) != 1 {
		return 0, fmt.Errorf("metadata of %d topics instead of 1", len(resp.Topics))
	}
	return len(resp.Topics[0].Partitions), kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// awaitTopic waits until a new topic is in the metadata.
func (l *Log) awaitTopic(ctx context.Context) (int, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		n, err := l.partitions(ctx)
		if err == nil && n > 0 {
			return n, nil
		}
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) && !kerr.IsRetriable(err) {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

func (l *Log) create(ctx context.Context) error {
	compact := "compact"
	configs := map[string]*string{"cleanup.policy": &compact}
	for k, v := range l.cfg.TopicConfigs {
		if k != "cleanup.policy" {
			configs[k] = &v
		}
	}
	factor := l.cfg.ReplicationFactor
	if l.cfg.ReplicationFactorAtMost {
		brokers, err := l.admin.ListBrokers(ctx)
		if err != nil {
			return err
		}
		factor = min(factor, int16(len(brokers)))
	}
	_, err := l.admin.CreateTopic(ctx, l.cfg.Partitions, factor, configs, l.cfg.Topic)
	if l.cfg.AwaitBrokers && errors.Is(err, kerr.InvalidReplicationFactor) {
		l.log.Info("waiting for enough brokers to make an internal topic", "topic", l.cfg.Topic, "replicas", factor)
		err = l.createLater(ctx, factor, configs)
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create it with %d partitions and replication factor %d: %w", l.cfg.Partitions, factor, err)
	}
	return nil
}

// createLater tries until there are enough brokers.
func (l *Log) createLater(ctx context.Context, factor int16, configs map[string]*string) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		_, err := l.admin.CreateTopic(ctx, l.cfg.Partitions, factor, configs, l.cfg.Topic)
		if !errors.Is(err, kerr.InvalidReplicationFactor) {
			return err
		}
	}
}

// checkPolicy refuses a topic that is not compacted. A policy that cannot be read (no permission) is taken as right.
func (l *Log) checkPolicy(ctx context.Context) error {
	resources, err := l.admin.DescribeTopicConfigs(ctx, l.cfg.Topic)
	if err != nil {
		l.log.Warn("cleanup policy of the internal topic cannot be read", "topic", l.cfg.Topic, "err", err)
		return nil
	}
	for _, r := range resources {
		for _, c := range r.Configs {
			if c.Key == "cleanup.policy" && c.Value != nil && *c.Value != "compact" {
				return fmt.Errorf("cleanup.policy must be compact, is %s; change it (kafka-configs, or millrace topics alter) "+
					"or choose another topic", *c.Value)
			}
		}
	}
	return nil
}

// span is what a partition has: [start, end).
type span struct{ start, end int64 }

// patience is how long brokers may take to lead the partitions of a new topic.
const patience = 30 * time.Second

// firstSpans is spans that waits for brokers which do not know of the topic yet.
func (l *Log) firstSpans(ctx context.Context) ([]span, error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	until := time.Now().Add(patience)
	for {
		spans, err := l.spans(ctx)
		var code *kerr.Error
		if err == nil || !errors.As(err, &code) || !code.Retriable || time.Now().After(until) {
			return spans, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

func (l *Log) spans(ctx context.Context) ([]span, error) {
	ends, err := l.admin.ListEndOffsets(ctx, l.cfg.Topic)
	if err != nil {
		return nil, err
	}
	if err := ends.Error(); err != nil {
		return nil, err
	}
	starts, err := l.admin.ListStartOffsets(ctx, l.cfg.Topic)
	if err != nil {
		return nil, err
	}
	if err := starts.Error(); err != nil {
		return nil, err
	}
	spans := make([]span, len(l.positions))
	for p := range spans {
		end, ok := ends.Lookup(l.cfg.Topic, int32(p))
		start, ok2 := starts.Lookup(l.cfg.Topic, int32(p))
		if !ok || !ok2 {
			return nil, fmt.Errorf("partition %d has no offsets", p)
		}
		spans[p] = span{start.Offset, end.Offset}
	}
	return spans, nil
}
