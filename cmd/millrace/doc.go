// Command millrace is Kafka and Kafka Connect in one process, and a client for both.
//
// Read run and newRoot first. standalone.go starts the log, the runtime and the REST API in this order and stops them in the
// other; broker.go the log alone; plugins.go lists what is built in. The other files are commands of the client side,
// one a file: topics*.go, produce.go, consume*.go and groups*.go speak the Kafka protocol with any cluster, connectors*.go the
// REST API of any Connect worker. exit.go has the exit codes and how errors are shown, output.go tables and JSON.
package main
