// Package activemq connects ActiveMQ's queues and topics with Kafka topics, over STOMP 1.2: a source and a sink for ActiveMQ Classic.
//
// Read first: Plugins, then sourceTask and sinkTask. Both have a link, which keeps one session with one of the brokers.
// CONFIG.md lists the keys.
//
//	config.go, source_config.go, sink_config.go    keys, and their parsed form
//	uri.go, destination.go                         failover:(...) URIs; queue://, topic:// and /queue/ names
//	link.go                                        connecting, and connecting again with back-off
//	dial.go                                        one connection: TLS, CONNECT, what the port speaks
//	session.go                                     frames, receipts, heart-beats; why go-stomp's own connection is not used
//	guard.go                                       lengths in the stream, checked before they are believed
//	source.go, window.go, message.go               messages to records, and when they are acknowledged
//	sink.go, outgoing.go                           records to messages, in transactions
//	errors.go, artemis.go                          what ERROR frames mean; how Artemis wants destinations
//
// # Source
//
// A record's value is a string for a text message and bytes for a bytes message; its headers are JMSMessageID, JMSDestination,
// JMSOriginalDestination (the topic behind a virtual topic's queue), JMSCorrelationID, JMSReplyTo, JMSType, JMSTimestamp,
// JMSExpiration, JMSPriority, JMSRedelivered, JMSDeliveryMode, and the message's properties as strings: STOMP has no other type.
//
// A message is acknowledged once the log has its record and those of all messages before it on the connection. Whatever was not
// acknowledged when a connection or the process ends is delivered again: at least once, duplicates possible. No source offsets are
// written. Several tasks compete for the messages of a queue, which then arrive in no order; a topic is read by one task. A durable
// subscription needs its client id for itself. The broker's prefetch bounds what is on its way, so a source reads
// at most prefetch messages per log acknowledgement.
//
// # Sink
//
// Without activemq.destination a record goes to the queue named as its topic. Put sends records in transactions of at most batch.max.records and
// returns when the broker has confirmed them, so what is committed is in the broker. When a connection ends before the
// confirmation, the transaction is sent again: at least once. Of a transaction that the broker refuses, the bad record is found by
// halves and goes to the dead letter queue, or fails the task, as errors.tolerance says. Strings and JSON (structs, maps, lists) become text
// messages, bytes become bytes messages.
//
// # A broker that is away
//
// Neither task fails for it: they connect again, as the URI's options say, and log the first and every tenth round. What does fail a
// task: refused credentials (after three tries), a refused destination or selector, a port that speaks no STOMP (see
// activemq.stomp.port.fallback), and the limits that the URI or max.retry.time.ms set. priorityBackup goes back to
// the first broker, or those of priorityURIs, once it answers.
//
// # Limits
//
// STOMP only: a URI of OpenWire's port works when the broker has STOMP there (auto://), at the fallback port, or with
// activemq.stomp.port. Map and object messages arrive empty without activemq.transformation. JMSXGroupID is not delivered over STOMP by
// Classic. Headers beyond 9 KiB are left out with a log line. Exactly-once delivery is not offered. Artemis is addressed in its own way
// but has not been tested.
package activemq
