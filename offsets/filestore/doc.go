// Package filestore keeps source offsets in the one file of a standalone Kafka Connect worker (offset.storage.file.filename),
// in its format, so that either worker goes on from the other's file.
//
// The file is a Java-serialized HashMap<byte[], byte[]>, big endian:
//
//	ac ed 00 05                                     stream magic, version
//	73 72 "java.util.HashMap" 0507dac1c31660d1 03   object, class description, serial version, flags
//	00 02 46 "loadFactor" 49 "threshold" 78 70      two fields, end of description, no superclass
//	3f 40 00 00, int32                              0.75, threshold (0 for an empty map)
//	77 08 int32 int32                               buckets, entries
//	entries: key and value, each an array           75 72 "[B" acf317f8060854e0 02 00 00 78 70 int32 bytes (the first)
//	                                                75 71 00 7e 00 02 int32 bytes                           (later ones)
//	78                                              end
//
// A null value is 70. Strings are a 2-byte length and the text. Removed offsets are left out when the file is written.
// The file is replaced as a whole: written beside, synced, renamed, and the folder synced.
package filestore
