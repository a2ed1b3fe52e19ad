// Package connectbench measures a worker beside Apache Kafka Connect, which runs on Apache Kafka; the worker runs on its own log and on
// that same Apache Kafka.
//
// Each figure is for the worker's process: with its own log that includes the log, otherwise the log is another process that does not
// count, as for Kafka Connect. JVMs get the flags of Apache Kafka's start scripts, and every worker a round of everything before the
// rounds that count. It is a test because it starts its peers as the tests do; make bench-connect runs it in full.
package connectbench
