// Package connectors is the SDK: what a source or sink connector, a converter, a transform or a predicate implements and
// is given. It imports only the standard library and does no I/O.
//
// Read first: Source and SourceTask, Sink and SinkTask, Record, Schema, ConfigDef. DESIGN.md says why they are as they are.
//
// # Files
//
//   - source.go, sink.go, record.go, errors.go, plugin.go: the interfaces, and what passes between a connector and the runtime
//   - configdef.go: definitions; configparse.go, configvalues.go: from texts to typed values; configvalidate.go: what
//     validation answers; configcheck.go, configlist.go: rules for values
//   - schema.go, schemas.go: schemas; structs.go, maps.go, decimal.go, logical.go: values; validate.go, equal.go: checks
//   - text.go, javatext.go: values as text; parsevalue.go, commonschema.go, infer.go: from text to values and schemas;
//     convert.go: from one type to another
//
// # Limits
//
// Values are held as any, so each number in a record that has a schema costs an allocation. Struct and Map are not safe for
// concurrent use, not even for reading (a large Map builds its index on the first look-up). Floats print as in Java 19
// and later: the shortest text that reads back, where earlier releases of Java sometimes have a digit more.
package connectors
