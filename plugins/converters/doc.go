// Package converters has the converters and header converters that Apache Kafka Connect ships, under their class names:
// JsonConverter, StringConverter, ByteArrayConverter, those of the primitive types and SimpleHeaderConverter. Plugins lists
// them for a registry.
//
// Bytes and answers are Kafka's to the last byte, including its leniency when reading JSON (see jsonread.go).
//
// All of them are made for throughput. Output shares memory: it is cut from chunks that many records share (arena.go), and the
// StringConverter's is the string's own memory. Values that are read share memory with the input, as connectors.Converter
// allows. So a small part of a record that is kept for long keeps its chunk, or the fetched batch, alive.
//
// Files: json.go is the converter and its configuration, jsonwrite.go and jsonschema.go write, jsonscan.go is the scanner,
// jsonread.go, its parts beside it and jsonreadschema.go read; string.go, bytes.go, primitive.go and simpleheader.go the others.
package converters
