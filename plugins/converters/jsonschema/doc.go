// Package jsonschema is the converter of records in JSON whose JSON Schemas a schema registry keeps, under the class name
// io.confluent.connect.json.JsonSchemaConverter.
//
// Schemas are translated as follows; what JSON Schema has no word for is kept in members connect.*.
//
//	int8 to int64           integer, connect.type says which; without it int64
//	float32, float64        number, connect.type likewise; without it float64
//	boolean, string         the same; a string with enum keeps its symbols as parameters
//	bytes                   string in base64, connect.type bytes
//	Decimal                 as bytes, or number with decimal.format=NUMERIC
//	Date, Time, Timestamp   integer with the name as title
//	array                   array
//	map                     object with additionalProperties, connect.type map; an array of objects of key and value if keys
//	                        are no texts
//	struct                  object with properties, their order in connect.index
//	optional                oneOf null and the type
//	struct ...json.OneOf    oneOf its fields
//
// Writers are compiled of Connect schemas, readers of JSON Schemas together with the Connect schemas that they produce; a
// record is then one walk over text and tree. Files: jsonschema.go (keys, the glue), text.go (translation), write.go, schema.go
// and builder.go (readers), read.go, scan.go (the text).
//
// Limits: schemas that contain themselves are refused. Of several types of a oneOf the first that fits is taken. Keywords that
// only restrict values (minimum, pattern) are not checked.
package jsonschema
