package commitlog

import "context"

// Syncer is the group commit of a process: appends of many connections and partitions share the syncs that make them
// durable.
type Syncer struct{}

// NewSyncer makes a Syncer that syncs up to workers logs at the same time; 0 is 4.
func NewSyncer(workers int) *Syncer { return &Syncer{} }

// Run syncs logs that have waiters until ctx ends.
func (s *Syncer) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// FileCache bounds the number of files that logs keep open.
type FileCache struct{}

// NewFileCache keeps up to limit files open that nobody is using at the moment; 0 is 512.
func NewFileCache(limit int) *FileCache { return &FileCache{} }
