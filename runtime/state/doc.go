// Package state keeps what a worker group knows about its connectors: configurations, target states and task configurations in
// the config topic, actual states and active topics in the status topic, both with Kafka Connect's keys and bytes.
//
// Read first: Connector and Configs, Status and Statuses. Each store holds the whole topic in memory; the same stores work
// without a topic (OpenMemory) for standalone workers that keep nothing.
//
//	record.go    the keys and values of both topics
//	configs.go   the config topic as a state machine and the writes to it
//	statuses.go  the status topic
//	log.go       the log below: a topic or memory
package state
