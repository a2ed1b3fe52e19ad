// Package topicstore keeps source offsets in a compacted topic, Kafka Connect's offset topic, so that every worker of a
// group finds them.
package topicstore
