// Package group coordinates consumer groups (Kafka's classic protocol, KIP-345 static members included) and keeps committed
// offsets.
//
// Deciding is the pure type machine, one per partition of __consumer_offsets: requests, loaded records and the time go
// in; records to append and answers come out. A shard is the thin loop around one machine: it appends what a
// round of requests produced as one batch and gives the answers when that batch is durable. The Coordinator starts
// and stops shards as the leadership of partitions comes and goes, and finds the shard of a group.
//
// Everything that must survive is in the partition, in Kafka's own key and value formats; a machine is a replay of it.
//
//   - requests.go, config.go: what callers hand in and get back; the broker keys
//   - machine.go, timers.go: state, outputs, time
//   - join.go, rebalance.go, sync.go: membership, heartbeats and leaving included
//   - offsets.go: commit, fetch, delete, expiry
//   - admin.go: describe, list and delete groups
//   - records.go: bytes of __consumer_offsets and their replay
//   - shard.go, coordinator.go, calls.go: goroutines, routing, entry points
//
// Not served: the consumer protocol of KIP-848 and transactional offset commits.
package group
