// Package activemq connects ActiveMQ's queues and topics with Kafka topics, over STOMP 1.2: a source and a sink for ActiveMQ Classic.
//
// Read first: Plugins, then sourceTask and sinkTask, which share a link (a connection that is made again when it is lost), which
// makes sessions (one connection each).
package activemq
