// Package avro is the converter of records in Avro whose schemas a schema registry keeps, under the class name
// io.confluent.connect.avro.AvroConverter.
//
// Two compilations do all the work, once for each schema: a compiler makes a tree of writers of a Connect schema and the Avro
// schema to write it with (its own translation, or the subject's latest), and a builder makes a tree of readers together with
// the Connect schema that they produce. A record is then one walk over such a tree, without reflection.
//
// Schemas are translated as follows; what Avro has no word for is kept in attributes connect.* (connect.meta.data).
//
//	int8, int16, int32      int (the first two with connect.type)
//	int64, float32/64       long, float, double
//	boolean, string, bytes  the same; bytes with parameter connect.fixed.size are fixed
//	Decimal                 bytes or fixed, logicalType decimal
//	Date, Time, Timestamp   int date, int time-millis, long timestamp-millis
//	array                   array
//	map                     map if keys are texts, else an array of records of key and value
//	struct                  record; without a name it is io.confluent.connect.avro.ConnectDefault
//	optional                union with null, the default's type first
//	struct ...avro.Union    union of its fields
//
// An enum is read as a string whose parameters have the symbols; with enhanced.avro.schema.support it is written as an enum
// again. Bytes alone, outside a record, are written without the length that Avro puts before them, as Confluent's serializer
// does.
//
// Files: avro.go (keys, the glue), schema.go (parsing), fromconnect.go (translation), toconnect.go (readers and schemas),
// compile.go (writers), read.go and write.go (the walks), names.go.
//
// Limits: records that contain themselves are refused, as Connect schemas here are trees. Values without a schema are written
// with the schema that their types imply. Payloads are read with the schema they were written with.
package avro
