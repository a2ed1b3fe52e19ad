// Package mqtt bridges MQTT 3.1.1 brokers: a source that subscribes to topic filters and a sink that publishes.
//
// The source keeps its session at the broker (mqtt.clean.session.enabled is false by default) and acknowledges a message,
// PUBACK for QoS 1 and PUBREC for QoS 2, only after the log has its record; so a crash at any moment makes the broker deliver
// again what was not yet safe. QoS 0 is at most once by nature. What is lost all the same is what the broker itself drops:
// a full queue of a kept session, a session that expired.
//
// The sink publishes a batch, awaits every confirmation and after a lost connection publishes again from the first
// record that was not confirmed, in order: at least once.
//
// Read first: sourceTask in source.go, sinkTask in sink.go; the keys are in config.go.
package mqtt
