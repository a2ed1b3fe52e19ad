package commitlog

// Sizes of index entries.
const (
	offsetEntrySize = 8
	timeEntrySize   = 12
)
