// Package broker is a server for the Kafka protocol: topics whose records are on disk in Apache Kafka's formats, and the
// consumer groups that read them.
//
//	cfg, err := broker.ParseConfig(map[string]string{"log.dirs": dir, "listeners": "PLAINTEXT://127.0.0.1:0"})
//	b, err := broker.New(cfg)
//	err = b.Run(ctx) // until ctx ends
//
// Ready says when clients can connect; DialContext connects clients of the same process without a socket.
//
//   - config.go, properties.go: the configuration, and reading it from Apache Kafka's server.properties
//   - propertiescluster.go: the keys that make nodes a cluster
//   - form.go, front.go, life.go: finding the cluster, answering other nodes, registration to farewell
//   - broker.go: what a Broker is made of, in which order its parts start and stop
//   - metrics.go: what is measured over all parts
//
// The parts are packages of their own: server (connections), api (requests), group (consumer groups), replica (which
// partitions are here), controller, metadata and quorum (what topics there are), partition and commitlog (records on
// disk), batch (record batches). DESIGN.md has their order and what passes between them.
//
// Limits: no transactions; plaintext listeners without authentication, on loopback unless configured otherwise.
package broker
