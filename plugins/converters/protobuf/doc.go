// Package protobuf is the converter of records in Protobuf whose schemas a schema registry keeps, under the class name
// io.confluent.connect.protobuf.ProtobufConverter.
//
// Only structs can be written: a schema is a file with one message. Between the schema id and the message stand the indexes
// that say which message of the file it is: a zero byte for the first, else their number and each of them, as zigzag varints.
//
//	int8, int16, int32      int32 (the first two with connect.type in confluent.field_meta)
//	int64, float32/64       int64, float, double
//	boolean, string, bytes  bool, string, bytes
//	Decimal                 confluent.type.Decimal
//	Date, Time, Timestamp   google.type.Date, google.type.TimeOfDay, google.protobuf.Timestamp
//	array                   repeated
//	map                     map, or repeated messages of key and value for other keys than texts, integers and booleans
//	struct                  message
//	struct ...Union.name    oneof name
//	optional                as it is, or with optional.for.nullables and wrapper.for.nullables a field that can be absent
//
// Fields take their number from the parameter io.confluent.connect.protobuf.Tag, else from their place. Files: protobuf.go (keys,
// the glue), text.go (translation), file.go (compiling .proto texts), builder.go and read.go (readers), compile.go and write.go
// (writers), proto/ (the imports that schemas may have without a reference).
//
// Limits: messages that contain themselves, groups, and arrays directly in arrays or maps are refused.
package protobuf
