// Package wire encodes and decodes what crosses the border between a worker and a plugin program: records, values, schemas,
// configuration definitions and errors, as plugins/external/proto describes them.
//
// Records are the hot path: Encoder and Decoder read and write the protobuf encoding of the message Records by hand, between one
// byte slice and the SDK's types, without a generated struct for each value. Everything else uses the generated types.
//
// Files: encoder.go, values.go (to bytes); decoder.go, read.go, fields.go, offset.go (from bytes); schemas.go (schemas, both ways); config.go
// (definitions); errors.go; handshake.go (what both sides must agree on before the first call).
//
// # Limits
//
// A schema that contains itself, or values nested deeper than 100 levels, cannot cross. A decoder takes nothing on trust: sizes,
// dictionary indexes and the types of values are checked, and a decoder that has failed is not used again.
package wire
