package topiclog

import (
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says which topic, how to reach it and who hears of its records.
type Config struct {
	Topic string
	// Partitions and ReplicationFactor are for creation; -1 means the broker's default.
	Partitions        int32
	ReplicationFactor int16
	// ReplicationFactorAtMost lowers ReplicationFactor to the number of brokers instead of failing.
	ReplicationFactorAtMost bool
	// AwaitBrokers waits for as many brokers as ReplicationFactor wants instead of failing: those of a cluster that is just starting.
	AwaitBrokers bool
	// SinglePartition refuses a topic with more than one.
	SinglePartition bool
	// TopicConfigs are further topic configs for creation; cleanup.policy is always compact.
	TopicConfigs map[string]string
	// Client are the options that reach the log: seed brokers, dialer, security, client id.
	Client []kgo.Opt
	// Apply hears of every record. It must not call the Log.
	Apply func(Record)
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// A Record is a key with its newest value; a nil Value is a tombstone.
type Record struct {
	Key, Value []byte
	Partition  int32
	Offset     int64
}

var (
	errNoTopic = errors.New("topic is required")
	errNoApply = errors.New("apply is required")
)

// Validate checks c.
func (c *Config) Validate() error {
	var errs []error
	if c.Topic == "" {
		errs = append(errs, errNoTopic)
	}
	if c.Apply == nil {
		errs = append(errs, errNoApply)
	}
	return errors.Join(errs...)
}
