// Package offsets remembers how far source connectors have read: for each source partition the last source offset whose
// record the log has.
//
// Read first: Store, then Index, which both stores keep in memory. Keys and values have Kafka Connect's bytes: the
// key is ["connector",{source partition}], the value {source offset} or null for a removed one. Partitions are compared by
// meaning; an offset found under a key with another order of members is rewritten under that same key, so that compaction
// removes the old one.
//
//	filestore   one file, Kafka Connect standalone's
//	topicstore  a compacted topic, Kafka Connect's offset topic
//	topiclog    the compacted topic itself, for config and status topics too
//	connectjson JSON as Kafka Connect writes it
package offsets
