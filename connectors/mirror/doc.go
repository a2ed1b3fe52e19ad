// Package mirror replicates topics from one Kafka cluster to another, and takes their consumer groups along: MirrorMaker 2's
// three source connectors, with its configuration, its internal topics and their bytes. Either cluster may be Apache Kafka, or a log of
// ours; where no key names the target, it is the log that the worker uses.
//
//	MirrorSource      copies records, creates remote topics, writes offset syncs: which source offset became which target offset
//	MirrorCheckpoint  translates the offsets of consumer groups with them, and may commit them in the target
//	MirrorHeartbeat   writes the time to the topic heartbeats, which MirrorSource replicates
//
// Read first: sourceConnector (source.go) and sourceTask (source_task.go); partitionSyncs (translate.go), on which it depends that a
// group loses nothing.
//
// # Files
//
//   - config.go, securitykeys.go, settings.go: keys, and reading them; clients.go, environment.go: clients of the two clusters
//   - policy.go, filter.go: which topics and groups, and their names
//   - connector.go, schedule.go: what the connectors have in common; work at intervals
//   - source.go, topics.go, topicconfigs.go, acls.go: MirrorSource's connector; source_task.go, syncwriter.go: its task
//   - checkpoint.go, checkpoint_task.go, translate.go, groupsync.go: MirrorCheckpoint; heartbeat.go: MirrorHeartbeat
//   - serde.go: the bytes of internal topics; offsets.go: what may be altered over REST
//
// # Delivery
//
// At least once: records come again from the last source offset that was committed. Keys, values, headers, timestamps and partitions
// are those of the source, if the converters are ByteArrayConverter, as they are where nobody chooses others. Offsets are not: see
// MirrorCheckpoint. Its translation never skips a record that the target has; it may repeat up to offset.lag.max and, far from the end of a
// topic, more.
//
// # Limits
//
// Only the filters and policies that Kafka ships; forwarding.admin.class and metric.reporters are accepted and do nothing. A remote
// topic that the target has not, or with fewer partitions, is created or enlarged first; what cannot be is left out and tried again,
// where Kafka would let the target create it by itself. A group with a comma in its name is not followed. Records of
// transactions that were aborted are copied, unless consumer.isolation.level=read_committed.
package mirror
