// Package peers is how nodes of a cluster speak to each other: connections to the other nodes' inter-broker listeners, and
// the requests that only nodes send.
//
//   - link.go, conn.go: Pool and Link, pipelined connections kept open per node and purpose
//   - message.go, codec.go: the private requests, their bytes
//   - transport.go: the messages of the metadata quorum over a Link
//
// Requests between nodes that are Kafka's own (BrokerRegistration, AlterPartition, Fetch ...) go over the same links.
//
// Limits: plaintext; a message is at most as large as a request may be (socket.request.max.bytes of the receiver).
package peers
