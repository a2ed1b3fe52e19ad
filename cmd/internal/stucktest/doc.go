// Package stucktest shows that one topic that takes no writes slows no connector but its own.
//
// A Proxy between a worker and its log answers for that topic: it refuses its records, or does not answer any request that has some, as
// a broker does that waits for a replica. Requests of a connection are answered one after the other, as by Apache Kafka.
package stucktest
