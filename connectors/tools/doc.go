// Package tools is the set of connectors that Apache Kafka has for testing Connect itself: they make records up, count
// them, say on standard output what they saw, or fail on purpose. Classes, keys, offsets and lines are those of Apache Kafka,
// so that scripts written against it read these connectors' output unchanged.
//
// Read first: Plugins, then the task of the connector in question.
//
//	plugins.go            the descriptors, and the connectors that give each task a number
//	config.go             the keys, which are parsed when a task starts
//	mock.go               MockSource and MockSink
//	verifiable_source.go  VerifiableSource
//	verifiable_sink.go    VerifiableSink
//	schema_source.go      SchemaSource
//	generator.go          numbered records at a limited rate, under both sources
//	lines.go              JSON lines on standard output
//
// No connector declares its keys: validation accepts anything, and what is wrong shows when a task starts.
//
// # Mock
//
//	mock_mode  connector-failure or task-failure; anything else fails nothing
//	delay_ms   how long after the start (15000)
//
// There is one task, which reads and writes nothing. The failure is a java.lang.RuntimeException without a message.
//
// # VerifiableSource
//
//	topic                 where records go; required
//	throughput            the most records a second and task on average; negative is no limit, 0 stops after the first; required
//	complete.record.data  true makes the value a struct of all that the line has
//
// There are tasks.max tasks. Each counts on its own: the key is the task's number, the value the record's, the source partition
// {"id": task}, the offset {"seqno": number}; after a restart it counts on. A record made, and one that the log has
// acknowledged, are a line each:
//
//	{"task":0,"seqno":7,"time_ms":1700000000000,"name":"connector","topic":"t"}
//	{"committed":true,"task":0,"seqno":7,"time_ms":1700000000001,"name":"connector","topic":"t"}
//
// Under complete.record.data the second still has the number (Kafka prints an error of its JSON library).
//
// # VerifiableSink
//
// Each record is a line when it comes, and another one when it is flushed:
//
//	{"task":0,"seqno":7,"offset":7,"time_ms":1700000000002,"name":"connector","topic":"t","sinkTask":0}
//	{"task":0,"seqno":7,"offset":7,"time_ms":1700000000003,"name":"connector","topic":"t","sinkTask":0,"flushed":true}
//
// The task is the record's key and seqno its value, whatever they are. The lines to come at the flush are kept, so a commit is
// asked for when they take much memory.
//
// # SchemaSource
//
//	topic, throughput  as above
//	num.messages       how many records a task makes after each start; required
//	multiple.schema    true gives every second record another version of the schema
//	partition.count    the field partitioning is seqno modulo this (1)
//
// The key is "key", the value a struct called record of one field of each type. A task writes to the partition of its own number.
package tools
