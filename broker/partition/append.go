package partition

// AppendOptions say who appends.
type AppendOptions struct {
	// Internal marks batches built by this process (coordinators): no size limit and no timestamp bounds apply.
	Internal bool
}

// AppendResult is the answer to a produced batch.
type AppendResult struct {
	BaseOffset      int64
	LastOffset      int64 // wait for this one with WhenDurable when acks=all
	LogAppendTimeMs int64 // -1 with CreateTime
	LogStartOffset  int64
	Duplicate       bool // the batch was in the log already, BaseOffset is where
}

// Append validates one produced record batch and writes it to the log. records is what the client sent for the
// partition: exactly one whole v2 batch, then perhaps a cut-off one, which is dropped. Base offset, leader epoch and, with
// LogAppendTime, attributes, times and CRC are patched in place, and the slice is written as it is: the caller keeps it
// and may reuse it once Append returned.
//
// leaderEpoch is the epoch the caller believes in (ErrFencedLeaderEpoch, ErrUnknownLeaderEpoch), or -1 for the current.
//
// Append returns when the batch is in the page cache; see WhenDurable. A batch of an idempotent producer that is one of
// its last five is not written again: the answer has its old offset and Duplicate. Errors: ErrCorruptBatch,
// ErrInvalidRecord, ErrInvalidTimestamp (these two perhaps as *RecordsError), ErrMessageTooLarge,
// ErrUnsupportedCompression, ErrOutOfOrderSequence, ErrInvalidProducerEpoch, ErrInvalidTxnState, ErrNoSpace,
// ErrStorage, ErrClosed. After any of them the log is as it was before.
func (p *Partition) Append(leaderEpoch int32, records []byte, o AppendOptions) (AppendResult, error) {
	return AppendResult{}, errBuilding
}

// WhenDurable calls done once when the record at lastOffset is acknowledged for acks=all: with group commit after the
// sync that covers it, else as flush.messages says. done gets nil, or ErrStorage or ErrClosed when that can no longer
// happen. It runs on the syncer's goroutine, or on the caller's before WhenDurable returns if there is nothing to wait
// for, and must not block.
func (p *Partition) WhenDurable(lastOffset int64, done func(error)) { done(errBuilding) }
