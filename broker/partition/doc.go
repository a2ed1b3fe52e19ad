// Package partition is one replica's state: its log, the producers' sequences, leader epochs, the high watermark, and
// those who wait for any of it to move. It has no networking.
//
// Read [Partition] first: Append takes what a client sent, Read gives back what a consumer may see, WhenAcked and
// WhenVisible call back when an acknowledgement or a parked fetch can be answered. [Manager] owns a data directory full
// of partitions and the loops that sync, retain, compact and checkpoint them.
//
//	config.go     settings of a partition
//	partition.go  open, close, offsets, the high watermark
//	role.go       lead, follow, and what followers and the controller say
//	leading.go    what a leader knows of its followers: a plain value that decides on ISR and high watermark
//	append.go     validation and append of produced batches
//	read.go       reading, ListOffsets, epochs, DeleteRecords
//	waiters.go    callbacks for acknowledgements and visibility
//	marks.go      bytes above the high watermark
//	manager.go    a data directory: create, open, delete, Run
//	housekeeping.go  checkpoints, retention, compaction at their intervals
//	metrics.go    what is counted
//	errors.go     what can be wrong
//
// # What an offset means
//
//	log start <= last stable offset <= high watermark <= durable end <= log end      (with group commit)
//
// Consumers read below the high watermark (below the last stable offset with read_committed). With group commit, which
// is the default, the high watermark of a single replica is its durable end: no consumer ever sees a record that a
// power failure could take back. With flush.messages or flush.ms set explicitly Kafka's rules hold: the high watermark
// is the log end and acknowledgements wait for the disk only as often as those keys say.
package partition
