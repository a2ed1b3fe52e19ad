package group

import (
	"errors"
	"fmt"
	"time"
)

// Settings are the broker keys that govern groups.
type Settings struct {
	// MinSessionTimeout and MaxSessionTimeout are group.min.session.timeout.ms and group.max.session.timeout.ms. Default 6 s
	// and 30 min.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// InitialRebalanceDelay is group.initial.rebalance.delay.ms: how long the first member of an empty group waits for
	// others. 0 lets it start at once and costs a rebalance for each one that follows. Default 3 s, as in Kafka; the log
	// embedded in a worker uses 0, so that sink connectors start at once.
	InitialRebalanceDelay time.Duration
	// MaxSize is group.max.size. Default 2^31-1.
	MaxSize int
	// OffsetsRetention is offsets.retention.minutes: how long offsets outlive the last member. Default 7 days.
	OffsetsRetention time.Duration
	// OffsetsRetentionCheck is offsets.retention.check.interval.ms. Default 10 min.
	OffsetsRetentionCheck time.Duration
	// OffsetMetadataMaxBytes is offset.metadata.max.bytes. Default 4096.
	OffsetMetadataMaxBytes int
	// TopicPartitions is offsets.topic.num.partitions; it counts when __consumer_offsets is made. Default 50, as in Kafka;
	// the log embedded in a worker uses fewer.
	TopicPartitions int32
	// TopicReplication is offsets.topic.replication.factor, capped at the number of live brokers. Default 3.
	TopicReplication int16
	// TopicSegmentBytes is offsets.topic.segment.bytes. Default 100 MiB.
	TopicSegmentBytes int32
}

// DefaultSettings are Kafka's defaults.
func DefaultSettings() Settings {
	return Settings{
		MinSessionTimeout:      6 * time.Second,
		MaxSessionTimeout:      30 * time.Minute,
		InitialRebalanceDelay:  3 * time.Second,
		MaxSize:                1<<31 - 1,
		OffsetsRetention:       7 * 24 * time.Hour,
		OffsetsRetentionCheck:  10 * time.Minute,
		OffsetMetadataMaxBytes: 4096,
		TopicPartitions:        50,
		TopicReplication:       3,
		TopicSegmentBytes:      100 << 20,
	}
}

// EmbeddedSettings are the defaults of a log that runs inside a worker: groups start at once, and __consumer_offsets
// has few partitions, because each costs files and memory and one node gains nothing from many.
func EmbeddedSettings() Settings {
	s := DefaultSettings()
	s.InitialRebalanceDelay = 0
	s.TopicPartitions = 8
	return s
}

// Validate names every setting that is out of its range.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, key string, rule string, got any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s, got %v", key, rule, got))
		}
	}
	check(s.MinSessionTimeout > 0, "group.min.session.timeout.ms", "must be above 0", s.MinSessionTimeout)
	check(s.MaxSessionTimeout >= s.MinSessionTimeout, "group.max.session.timeout.ms", "must not be below group.min.session.timeout.ms", s.MaxSessionTimeout)
	check(s.InitialRebalanceDelay >= 0, "group.initial.rebalance.delay.ms", "must not be negative", s.InitialRebalanceDelay)
	check(s.MaxSize > 0, "group.max.size", "must be above 0", s.MaxSize)
	check(s.OffsetsRetention > 0, "offsets.retention.minutes", "must be above 0", s.OffsetsRetention)
	check(s.OffsetsRetentionCheck > 0, "offsets.retention.check.interval.ms", "must be above 0", s.OffsetsRetentionCheck)
	check(s.OffsetMetadataMaxBytes >= 0, "offset.metadata.max.bytes", "must not be negative", s.OffsetMetadataMaxBytes)
	check(s.TopicPartitions > 0, "offsets.topic.num.partitions", "must be above 0", s.TopicPartitions)
	check(s.TopicReplication > 0, "offsets.topic.replication.factor", "must be above 0", s.TopicReplication)
	check(s.TopicSegmentBytes >= 1<<20, "offsets.topic.segment.bytes", "must be at least 1 MiB", s.TopicSegmentBytes)
	return errors.Join(errs...)
}
