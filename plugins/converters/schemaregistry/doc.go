// Package schemaregistry is what the converters with a schema registry share: the client of a registry's REST API, the wire
// format of records whose schema is kept there, the rules that name subjects, the configuration, and the converter itself but
// for the format of schemas and payloads.
//
// New makes a connectors.Converter of a Format; the packages avro, protobuf and jsonschema beside this one each have one. The
// Converter asks the Format to translate a Connect schema, registers the text or finds it, has the Format compile a Writer
// for the two schemas, and keeps that; likewise a Reader for each schema id. So a steady stream of records costs one
// comparison of keys before the compiled code runs, and asks the registry nothing. What is kept is bounded by
// max.schemas.per.subject.
//
// A record is framed so:
//
//	byte 0      magic, 0
//	bytes 1-4   schema id, big endian
//	bytes 5-    the payload, as the format of the schema has it
//
// Files: converter.go (Format, Converter), serde.go (which schema to use), client.go (requests, several URLs, errors),
// config.go (keys), auth.go and tls.go (credentials), subject.go (naming), wire.go (framing), cache.go.
//
// Limits: key and trust stores are PEM only; credentials come from USER_INFO, URL or a static bearer token. Readers take the
// schema a record was written with, never the subject's latest.
package schemaregistry
