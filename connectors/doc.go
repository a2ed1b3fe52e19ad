// Package connectors is the SDK: what a source or sink connector, a converter, a transform or a predicate implements and
// is given. It imports only the standard library and does no I/O.
//
// Read first: Source and SourceTask, Sink and SinkTask, Record, Schema, ConfigDef.
package connectors
