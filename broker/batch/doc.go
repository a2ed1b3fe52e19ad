// Package batch is the record batch, version 2, as a view over its bytes: the unit of append, storage, compression and
// replication. Nothing here copies a batch to look at it.
package batch
