// Package kafkatest runs Apache Kafka and Kafka Connect for tests: a broker of its own in a temporary folder, on free ports, with a
// listener for everybody and one with SASL over TLS; and a Connect worker beside it.
//
//	k := kafkatest.Start(t)
//	client := k.Client(kgo.ConsumeTopics("t"))
//
// Both need java and Apache Kafka's jars in .cache/kafka, where .ci/install-peers puts them. Without them a test is skipped, but
// where CI is set it fails.
package kafkatest
