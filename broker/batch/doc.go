// Package batch is the record batch, version 2, as a view over its bytes: the unit of append, storage, compression and
// replication. Looking at a batch copies nothing and allocates nothing.
//
// [Batch] is the view, made by [Parse], which checks the edge: length, magic and CRC. [Batch.Each] walks the records
// with pooled decompressors and a limit on what they may unpack to. [Builder] makes batches.
//
//	batch.go     header fields, Parse, patching in place
//	records.go   records inside a batch
//	compress.go  the codecs, both ways
//	builder.go   new batches, re-packed batches
//	control.go   transaction markers
//
// # Layout
//
// All integers are big endian. The broker sets base offset and leader epoch; they lie before the checksummed part, so
// an append patches them without hashing the batch again.
//
//	 0  int64   base offset
//	 8  int32   length of what follows this field
//	12  int32   partition leader epoch
//	16  int8    magic, 2
//	17  uint32  CRC-32C of everything from byte 21 on
//	21  int16   attributes: 0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon
//	23  int32   last offset delta
//	27  int64   base timestamp, the delete horizon if bit 6 is set
//	35  int64   max timestamp
//	43  int64   producer id, -1 for none
//	51  int16   producer epoch
//	53  int32   base sequence
//	57  int32   record count
//	61  ...     records, compressed as one block if there is a codec
//
// A record: varint length of the rest, int8 attributes, varlong timestamp delta, varint offset delta, varint key length
// (-1 null) and key, varint value length (-1 null) and value, varint header count, and per header varint key length and
// key, varint value length (-1 null) and value. Varints are zigzag coded.
package batch
