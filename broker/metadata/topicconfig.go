package metadata

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// TopicConfig is the typed view of a topic's configs in force, for the code that works with them.
type TopicConfig struct {
	// Compact and Delete are the parts of cleanup.policy; both may be set, or neither.
	Compact, Delete bool

	CompressionType string
	GzipLevel       int
	LZ4Level        int
	ZstdLevel       int

	SegmentBytes       int32
	SegmentAge         time.Duration
	SegmentJitter      time.Duration
	SegmentIndexBytes  int32
	IndexIntervalBytes int32
	FileDeleteDelay    time.Duration
	Preallocate        bool

	// RetentionBytes and RetentionTime are negative for "no limit".
	RetentionBytes int64
	RetentionTime  time.Duration

	// FlushMessages and FlushInterval mean something only when FlushSet: neither key set on topic or broker asks for
	// a group-committed sync before each acknowledgement.
	FlushSet      bool
	FlushMessages int64
	FlushInterval time.Duration

	DeleteRetention        time.Duration
	MinCompactionLag       time.Duration
	MaxCompactionLag       time.Duration
	MinCleanableDirtyRatio float64

	MaxMessageBytes int32
	LogAppendTime   bool
	// TimestampBeforeMax and TimestampAfterMax bound a record's timestamp around the broker's clock.
	TimestampBeforeMax, TimestampAfterMax time.Duration

	MinInSyncReplicas     int32
	UncleanLeaderElection bool
}

// NewTopicConfig parses the values in force. overrides were validated when they were stored and broker values at
// start, so an error names a key of the metadata or the properties file that was damaged.
func NewTopicConfig(overrides map[string]string, defaults Defaults) (TopicConfig, error) {
	r := reader{overrides: overrides, defaults: defaults}
	policy := SplitList(r.text("cleanup.policy"))
	c := TopicConfig{
		Compact:                slices.Contains(policy, "compact"),
		Delete:                 slices.Contains(policy, "delete"),
		CompressionType:        r.text("compression.type"),
		GzipLevel:              int(r.number("compression.gzip.level")),
		LZ4Level:               int(r.number("compression.lz4.level")),
		ZstdLevel:              int(r.number("compression.zstd.level")),
		SegmentBytes:           int32(r.number("segment.bytes")),
		SegmentAge:             r.millis("segment.ms"),
		SegmentJitter:          r.millis("segment.jitter.ms"),
		SegmentIndexBytes:      int32(r.number("segment.index.bytes")),
		IndexIntervalBytes:     int32(r.number("index.interval.bytes")),
		FileDeleteDelay:        r.millis("file.delete.delay.ms"),
		Preallocate:            r.flag("preallocate"),
		RetentionBytes:         r.number("retention.bytes"),
		RetentionTime:          r.millis("retention.ms"),
		FlushSet:               r.set("flush.messages") || r.set("flush.ms"),
		FlushMessages:          r.number("flush.messages"),
		FlushInterval:          r.millis("flush.ms"),
		DeleteRetention:        r.millis("delete.retention.ms"),
		MinCompactionLag:       r.millis("min.compaction.lag.ms"),
		MaxCompactionLag:       r.millis("max.compaction.lag.ms"),
		MinCleanableDirtyRatio: r.ratio("min.cleanable.dirty.ratio"),
		MaxMessageBytes:        int32(r.number("max.message.bytes")),
		LogAppendTime:          r.text("message.timestamp.type") == "LogAppendTime",
		TimestampBeforeMax:     r.millis("message.timestamp.before.max.ms"),
		TimestampAfterMax:      r.millis("message.timestamp.after.max.ms"),
		MinInSyncReplicas:      int32(r.number("min.insync.replicas")),
		UncleanLeaderElection:  r.flag("unclean.leader.election.enable"),
	}
	return c, r.err
}

// reader parses resolved values and keeps the first error.
type reader struct {
	overrides map[string]string
	defaults  Defaults
	err       error
}

func (r *reader) entry(key string) TopicConfigEntry {
	def, ok := LookupTopicConfig(key)
	if !ok {
		panic("metadata: no topic config " + key)
	}
	return ResolveTopicConfig(def, r.overrides, r.defaults)
}

func (r *reader) set(key string) bool { return r.entry(key).Source != SourceDefault }

func (r *reader) text(key string) string {
	e := r.entry(key)
	v, err := e.Def.Parse(e.Value)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("%s (from %s): %w", key, e.Synonyms[0].Name, err)
		}
		return e.Def.Default
	}
	return v
}

func (r *reader) number(key string) int64 {
	n, _ := strconv.ParseInt(r.text(key), 10, 64) // text returns only what parses
	return n
}

func (r *reader) ratio(key string) float64 {
	f, _ := strconv.ParseFloat(r.text(key), 64) // as above
	return f
}

func (r *reader) flag(key string) bool { return r.text(key) == "true" }

// millis converts to a Duration, which ends at 292 years where Kafka's milliseconds go on.
func (r *reader) millis(key string) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(r.number(key), most)) * time.Millisecond
}
