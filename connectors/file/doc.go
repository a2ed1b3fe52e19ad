// Package file is Kafka's pair of file connectors: FileStreamSource turns the lines of a file, or of standard input, into
// records, and FileStreamSink appends the text of records to a file, or to standard output. Classes, keys, offsets and
// error texts are those of Apache Kafka, so connectors that run there go on here from the same position.
//
// Read first: Plugins, then sourceTask and sinkTask.
//
//	config.go    the keys of both connectors
//	source.go    the source connector and its task
//	splitter.go  bytes to lines, a chunk at a time
//	follower.go  one file, followed through growth, truncation and rotation
//	resume.go    where reading goes on after a restart
//	stdin.go     standard input, read by one goroutine of the process
//	sink.go      the sink connector and its task
//	sync.go      data onto the disk
//
// # Source
//
//	file        the file to read; absent or empty means standard input
//	topic       where the lines go; required
//	batch.size  the most records one poll returns (2000)
//
// A record has no key; its value is a line without its terminator, which is \n, \r\n or \r. A last line without a terminator
// waits for one. The source partition is {"filename": file}, the offset {"position": bytes}; Kafka's own connector counts
// characters there, which is the same for ASCII. There is always one task. Invalid UTF-8 becomes U+FFFD.
//
// A file that does not exist yet is waited for. When the file is renamed and another takes its place, the old one is read to its
// end, including an unterminated last line, before the new one is started. When it gets shorter, or its bytes before
// the position change, it is read from its beginning. Both are noticed while the task runs. After a restart only the position is known: if the
// file cannot be the one that was read, the remainder is looked for in its rotated siblings (file.1, file-2026...). A
// file that was replaced while no task ran, and has since grown past the position, with a line ending exactly there, cannot be told from
// the one that was read, and neither can two rotations in that time.
//
// A line longer than 64 MiB fails the task. Exactly-once delivery is supported for a file, not for standard input.
//
// # Sink
//
//	file    the file to append to; absent or empty means standard output
//
// Each record becomes the text of its value and a newline; a null becomes "null". Byte arrays are written as they
// are (Kafka prints the identity of the Java object, which helps nobody). Offsets are committed after the lines are written and
// synced to the disk (Kafka leaves them in the page cache), so a power failure loses none. A torn last line, as a crash
// leaves it, is ended by a newline when the file is opened. Lines are at-least-once: those since the last commit come again
// after a crash. All tasks append to the same file; a line is never split by another task's.
package file
