// Package runtime runs connectors: the Herder that owns their configurations, the Worker that runs them, and the loops
// of source and sink tasks. It reaches the log through the Kafka protocol only.
package runtime
