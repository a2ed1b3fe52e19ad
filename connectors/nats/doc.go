// Package nats bridges NATS: core subjects and JetStream streams, as source and as sink.
//
// A JetStream source reads through a durable consumer with explicit acknowledgements and acknowledges a message only after
// the log has its record: at least once, whatever crashes. A core source is at most once, as core NATS is: what
// arrives while nobody listens, or faster than the task takes it, is lost, and the log says how much.
//
// A JetStream sink publishes with a message id made of the record's topic, partition and offset and waits for every
// confirmation: within the stream's duplicate window a record that is sent again is stored once. A core sink waits until
// the server has the messages, not until a subscriber has them.
//
// Read first: sourceTask in source.go, sinkTask in sink.go; the keys are in config.go.
package nats
