package commitlog

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Settings are the topic-level keys that shape one log on disk. All times and sizes are Kafka's.
type Settings struct {
	// SegmentBytes is segment.bytes: a segment is closed before it would pass this size. 1 MiB..2^31-1 over the API,
	// smaller values only serve tests; a batch larger than it gets a segment of its own. Default 1 GiB.
	SegmentBytes int64
	// SegmentAge is segment.ms: a segment is closed when the newest batch's time is this much after its first one's.
	// Default 7 days.
	SegmentAge time.Duration
	// SegmentJitter is segment.jitter.ms: up to this much is taken off SegmentAge, per segment. Default 0.
	SegmentJitter time.Duration
	// SegmentIndexBytes is segment.index.bytes: a segment is closed when its offset or time index reaches this size.
	// Default 10 MiB.
	SegmentIndexBytes int64
	// IndexIntervalBytes is index.interval.bytes: at most one index entry in this many bytes. Default 4096.
	IndexIntervalBytes int64
	// RetentionBytes is retention.bytes: closed segments go while the rest is at least this large. -1 is no limit, the
	// default.
	RetentionBytes int64
	// RetentionAge is retention.ms: segments whose newest record is older go. Below 0 is no limit. Default 7 days.
	RetentionAge time.Duration
	// Delete and Compact are cleanup.policy. Neither set: nothing is ever removed (an empty cleanup.policy).
	Delete, Compact bool
	// MinCleanableDirtyRatio is min.cleanable.dirty.ratio, 0..1. Default 0.5.
	MinCleanableDirtyRatio float64
	// MinCompactionLag is min.compaction.lag.ms: younger records are not compacted. Default 0.
	MinCompactionLag time.Duration
	// MaxCompactionLag is max.compaction.lag.ms: older records are compacted whatever the dirty ratio. Default: never.
	MaxCompactionLag time.Duration
	// DeleteRetention is delete.retention.ms: how long a tombstone stays after it became clean. Default 24 h.
	DeleteRetention time.Duration
	// ProducerExpiration is producer.id.expiration.ms (a broker key): how long an idle producer's sequence state is
	// kept. Default 24 h.
	ProducerExpiration time.Duration
}

// DefaultSettings are Kafka's defaults.
func DefaultSettings() Settings {
	const day = 24 * time.Hour
	return Settings{
		SegmentBytes:           1 << 30,
		SegmentAge:             7 * day,
		SegmentIndexBytes:      10 << 20,
		IndexIntervalBytes:     4096,
		RetentionBytes:         -1,
		RetentionAge:           7 * day,
		Delete:                 true,
		MinCleanableDirtyRatio: 0.5,
		MaxCompactionLag:       math.MaxInt64,
		DeleteRetention:        day,
		ProducerExpiration:     day,
	}
}

// maxSegmentAge is when a segment is closed, in ms: the active one cannot be compacted, so max.compaction.lag.ms counts too.
func (s *Settings) maxSegmentAge() int64 {
	if s.Compact {
		return min(s.SegmentAge, s.MaxCompactionLag).Milliseconds()
	}
	return s.SegmentAge.Milliseconds()
}

// Validate names every setting that is out of its range.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, key string, value any, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s, got %v", key, rule, value))
		}
	}
	check(s.SegmentBytes >= 64 && s.SegmentBytes <= math.MaxInt32, "segment.bytes", s.SegmentBytes, "must be 64 to 2147483647")
	check(s.SegmentAge > 0, "segment.ms", s.SegmentAge, "must be positive")
	check(s.SegmentJitter >= 0, "segment.jitter.ms", s.SegmentJitter, "must not be negative")
	check(s.SegmentIndexBytes >= timeEntrySize, "segment.index.bytes", s.SegmentIndexBytes, "must be at least 12")
	check(s.IndexIntervalBytes >= 0, "index.interval.bytes", s.IndexIntervalBytes, "must not be negative")
	check(s.MinCleanableDirtyRatio >= 0 && s.MinCleanableDirtyRatio <= 1, "min.cleanable.dirty.ratio",
		s.MinCleanableDirtyRatio, "must be 0 to 1")
	check(s.MinCompactionLag >= 0, "min.compaction.lag.ms", s.MinCompactionLag, "must not be negative")
	check(s.MaxCompactionLag > 0, "max.compaction.lag.ms", s.MaxCompactionLag, "must be positive")
	check(s.DeleteRetention >= 0, "delete.retention.ms", s.DeleteRetention, "must not be negative")
	return errors.Join(errs...)
}
