package controller

import "millrace/broker/metadata"

// Count that asks for the broker's default, as on the wire: num.partitions or default.replication.factor.
const UseDefault = -1

// NewTopic asks for one topic.
type NewTopic struct {
	Name string
	// Partitions and ReplicationFactor may be UseDefault; both must be when Assignment is given.
	Partitions        int32
	ReplicationFactor int16
	// Assignment places each partition by hand.
	Assignment []Assignment
	Configs    []ConfigValue
}

// Assignment is the replicas of one partition, the preferred leader first.
type Assignment struct {
	Partition int32
	Replicas  []metadata.BrokerID
}

// ConfigValue is one key to set. A nil Value is refused where a value is needed.
type ConfigValue struct {
	Name  string
	Value *string
}

// CreatedTopic answers one NewTopic. With Err set the rest but Name is zero.
type CreatedTopic struct {
	Name              string
	ID                metadata.TopicID
	Partitions        int32
	ReplicationFactor int16
	// Configs are the topic's own values; metadata.ResolveTopicConfigs adds the defaults.
	Configs map[string]string
	Err     error
}

// TopicRef names a topic by name or by id, not both.
type TopicRef struct {
	Name string
	ID   metadata.TopicID
}

// DeletedTopic answers one TopicRef. Name and ID are filled in as far as known.
type DeletedTopic struct {
	Name string
	ID   metadata.TopicID
	Err  error
}

// MorePartitions asks to raise a topic's partition count to Count.
type MorePartitions struct {
	Topic string
	Count int32
	// Assignment, if not nil, places the new partitions by hand, one entry each.
	Assignment [][]metadata.BrokerID
}

// TopicResult answers one MorePartitions.
type TopicResult struct {
	Topic string
	Err   error
}

// ReplaceConfigs asks to make Configs the whole set of a resource's values (AlterConfigs).
type ReplaceConfigs struct {
	Resource metadata.ConfigResource
	Configs  []ConfigValue
}

// AlterConfigs asks to change single keys of a resource (IncrementalAlterConfigs).
type AlterConfigs struct {
	Resource metadata.ConfigResource
	Ops      []ConfigOp
}

// ConfigOp changes one key.
type ConfigOp struct {
	Name  string
	Op    OpType
	Value *string
}

// OpType is what IncrementalAlterConfigs does to a key, with its number on the wire.
type OpType int8

const (
	OpSet      OpType = 0
	OpDelete   OpType = 1
	OpAppend   OpType = 2
	OpSubtract OpType = 3
)

// ConfigResult answers one ReplaceConfigs or AlterConfigs.
type ConfigResult struct {
	Resource metadata.ConfigResource
	Err      error
}

// Registration announces a broker process to the cluster.
type Registration struct {
	ID metadata.BrokerID
	// Incarnation is random per process, so a retry is told from a second process.
	Incarnation [16]byte
	Rack        string
	Listeners   []metadata.Listener
	// Directory is the process's data directory: with another one than before, all that the broker had is gone.
	Directory metadata.DirectoryID
	// CleanLogs says that the broker's last process closed its logs: nothing they held is missing.
	CleanLogs bool
}

// ProducerIDs is a block of producer ids that no one else has: First, First+1 ... First+Count-1.
type ProducerIDs struct {
	First int64
	Count int32
}
