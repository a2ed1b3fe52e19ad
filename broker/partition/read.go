package partition

// Isolation says how far a reader may look.
type Isolation int8

const (
	ReadUncommitted Isolation = iota // below the high watermark
	ReadCommitted                    // below the last stable offset
	ReadReplica                      // everything: for followers
)

// ReadResult is the answer to one read.
type ReadResult struct {
	// Records are whole batches; the first may start below the offset asked for. Valid until Release.
	Records          []byte
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	// AbortedTxns are those among Records, by first offset; nil unless ReadCommitted.
	AbortedTxns []AbortedTxn
}

// AbortedTxn is an aborted transaction: a read_committed consumer drops ProducerID's records from FirstOffset on until
// its abort marker.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
}

// Release gives the memory of Records back. It may be called once, or not at all at the cost of garbage.
func (r *ReadResult) Release() {}

// Read returns batches from the one that holds offset on, in maxBytes; with minOneBatch the first is returned even if
// it is larger (KIP-74). At the end of what isolation shows the result has no records. Below the log start or above that
// end: ErrOffsetOutOfRange, with the offsets of the result set. Corrupt bytes are never returned: ErrStorage.
func (p *Partition) Read(offset int64, maxBytes int, minOneBatch bool, isolation Isolation) (ReadResult, error) {
	return ReadResult{}, errBuilding
}

// WhenVisible calls fn once as soon as at least minBytes more bytes than at the time of the call can be read, or at once
// if the end that isolation shows is already above seen, the HighWatermark (LastStableOffset, log end) of the reader's
// last result. Closing calls it too. fn must not block. cancel forgets it, and may be called at any time.
func (p *Partition) WhenVisible(seen int64, minBytes int64, isolation Isolation, fn func()) (cancel func()) {
	return func() {}
}

// The special timestamps of ListOffsets.
const (
	TimestampLatest                = -1
	TimestampEarliest              = -2
	TimestampMax                   = -3
	TimestampEarliestLocal         = -4
	TimestampLatestTiered          = -5
	TimestampEarliestPendingUpload = -6
)

// ListedOffset answers ListOffsets; -1 in all three if there is no such record.
type ListedOffset struct {
	Offset      int64
	Timestamp   int64 // -1 unless asked by time or for TimestampMax
	LeaderEpoch int32
}

// ListOffset finds the first visible record whose time is at least timestamp, or what one of the special timestamps
// asks for; other negative timestamps are ErrInvalidTimestamp.
func (p *Partition) ListOffset(timestamp int64, isolation Isolation) (ListedOffset, error) {
	return ListedOffset{}, errBuilding
}

// OffsetForLeaderEpoch returns the largest epoch not above the one asked for and its end offset; (-1, -1) if there is
// none. An epoch above the current one is ErrUnknownLeaderEpoch.
func (p *Partition) OffsetForLeaderEpoch(epoch int32) (int32, int64, error) {
	return -1, -1, errBuilding
}

// DeleteRecordsBefore moves the log start up to offset (-1: the high watermark) and returns the new log start. Segments
// that lie below it whole are removed later. ErrOffsetOutOfRange above the high watermark, ErrPolicyViolation if the
// topic is only compacted.
func (p *Partition) DeleteRecordsBefore(offset int64) (int64, error) { return 0, errBuilding }
