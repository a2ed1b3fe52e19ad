// Package commitlog is one log on disk, in Apache Kafka's formats: segments, indexes, recovery, retention, compaction and
// group-committed sync. It loses nothing that a Sync has covered.
//
// Read [Log] first (log.go: Append, Read, Sync, TruncateTo, DeleteBefore), then [Open] for what happens after a crash,
// then DESIGN.md for the file layouts, the invariants and why things are as they are. [Dir] is the data directory that
// many logs share, [Syncer] their group commit, [Cleaner] their compaction.
//
//	log.go         the type, append, roll, epochs, close      open.go       open and recovery
//	read.go        read by offset                             truncate.go   cut from either end
//	times.go       find by time, retention                    sync.go       sync, Syncer
//	produce.go     sequence checks                            producers.go  producer state and its snapshots
//	clean.go       compaction: plan, map, verdicts            cleangroup.go compaction: copying
//	swap.go        putting cleaned segments in place          keymap.go     newest offset by key
//	segment.go     a segment and its files                    index.go      its indexes, indexcache.go theirs in memory
//	walk.go        batch by batch through a segment           files.go      open files
//	epochs.go      leader epochs                              txnindex.go   aborted transactions
//	dir.go         the data directory                         checkpoint.go its checkpoint files
//	settings.go    topic keys                                 errors.go     conditions
//
// Its limits: one volume per log; records without timestamps never expire by time; no tiered storage.
package commitlog
