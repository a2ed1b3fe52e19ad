// Package clients makes the franz-go clients of a worker with Kafka Connect's settings: the producer that source tasks share,
// consumers of sink tasks, and the mapping of producer.*, consumer.* and their overrides onto franz-go.
package clients
