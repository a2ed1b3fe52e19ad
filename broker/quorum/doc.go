// Package quorum is the replicated metadata log: an ordered list of entries that a majority of voters has on disk.
//
// Node is one voter. A leader's Propose appends; committed entries come out of Updates on every voter in the same
// order; Compact replaces a prefix of them by a snapshot. One voter alone is a quorum on the same code path.
//
// Raft itself is go.etcd.io/raft/v3. This package is what raft leaves open: one goroutine that owns the raft state,
// storage that is durable before anything is sent or reported, and messages as bytes over a Transport.
//
//   - node.go: the goroutine; update.go: what it reports
//   - storage.go: opening, appending, vote and snapshot
//   - files.go: the bytes of vote and snapshot files
//   - entries.go: raft entries as record batches in a segment log
//
// # On disk
//
// Entries are record batches of one record in a log of Kafka's format: offset = raft index, leader epoch = raft term,
// key = one byte of entry type. Kafka's DumpLogSegments reads it. Beside it lie the files "vote" (term and vote),
// "<index>-<term>.snapshot" and "synced" (entries that must be there, so that a damaged log is told from a torn last write). A new voter starts with a snapshot at index 1 that names the voters.
package quorum
