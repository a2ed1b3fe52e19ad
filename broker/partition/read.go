package partition

import (
	"fmt"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
)

// Isolation says how far a reader may look.
type Isolation int8

// The isolation levels of consumers, and that of followers.
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

	slice commitlog.Slice
}

// AbortedTxn is an aborted transaction: a read_committed consumer drops ProducerID's records from FirstOffset on until
// its abort marker.
type AbortedTxn = commitlog.AbortedTxn

// Release gives the memory of Records back. It may be called once, or not at all at the cost of garbage.
func (r *ReadResult) Release() {
	r.Records = nil
	r.slice.Release()
}

// Read returns batches from the one that holds offset on, in maxBytes; with minOneBatch the first is returned even if
// it is larger (KIP-74). At the end of what isolation shows, up to the log end, the result has no records. Below the log
// start or above the log end: ErrOffsetOutOfRange, with the offsets of the result set. Corrupt bytes are never returned:
// ErrStorage.
func (p *Partition) Read(offset int64, maxBytes int, minOneBatch bool, isolation Isolation) (ReadResult, error) {
	b := p.bounds()
	res := ReadResult{HighWatermark: b.hw, LastStableOffset: b.stable, LogStartOffset: b.start}
	if offset < b.start || offset > b.end {
		return res, fmt.Errorf("offset %d, the log has %d to %d: %w", offset, b.start, b.end, ErrOffsetOutOfRange)
	}
	if isolation == ReadCommitted {
		res.AbortedTxns = []AbortedTxn{}
	}
	limit := b.limit(isolation)
	if offset >= limit {
		return res, p.closedErr()
	}
	slice, err := p.log.Read(offset, limit, maxBytes, minOneBatch)
	if err != nil {
		return res, err
	}
	res.slice, res.Records = slice, slice.Bytes
	if isolation == ReadCommitted && len(res.Records) > 0 {
		res.AbortedTxns = p.log.Aborted(offset, nextOffset(res.Records))
	}
	return res, nil
}

func (p *Partition) closedErr() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	return nil
}

// nextOffset is the offset after the last of some whole batches.
func nextOffset(records []byte) int64 {
	var next int64
	for len(records) > 0 {
		b, rest, err := batch.Frame(records)
		if err != nil {
			break // cannot be: the log returns whole batches
		}
		next, records = b.NextOffset(), rest
	}
	return next
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
	b := p.bounds()
	limit := b.limit(isolation)
	switch timestamp {
	case TimestampLatest:
		if isolation != ReadReplica && p.newLeader(b.hw) {
			return ListedOffset{-1, -1, -1}, ErrOffsetNotAvailable
		}
		return ListedOffset{limit, -1, p.LeaderEpoch()}, p.closedErr()
	case TimestampEarliest, TimestampEarliestLocal:
		epoch := p.log.EpochAt(b.start)
		if epoch < 0 {
			epoch = p.LeaderEpoch()
		}
		return ListedOffset{b.start, -1, epoch}, p.closedErr()
	case TimestampLatestTiered, TimestampEarliestPendingUpload:
		return ListedOffset{-1, -1, -1}, p.closedErr() // nothing is tiered
	case TimestampMax:
		found, err := p.log.MaxTime(limit)
		return ListedOffset(found), err
	}
	if timestamp < 0 {
		return ListedOffset{-1, -1, -1}, fmt.Errorf("timestamp %d: %w", timestamp, ErrInvalidTimestamp)
	}
	found, err := p.log.FindTime(timestamp, limit)
	return ListedOffset(found), err
}

// newLeader says that this leader's high watermark has not reached the offsets of its own epoch: the leader before may have
// shown a higher one (KIP-207).
func (p *Partition) newLeader(hw int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.following && !p.lead.alone() && hw < p.lead.epochStart
}

// OffsetForLeaderEpoch returns the largest epoch not above the one asked for and its end offset; (-1, -1) if there is
// none. An epoch above the current one is ErrUnknownLeaderEpoch.
func (p *Partition) OffsetForLeaderEpoch(epoch int32) (int32, int64, error) {
	current := p.LeaderEpoch()
	switch {
	case epoch > current:
		return -1, -1, epochError(epoch, current)
	case epoch == current && epoch >= 0:
		return current, p.log.End(), p.closedErr()
	}
	e, end := p.log.EndOfEpoch(epoch)
	return e, end, p.closedErr()
}

// DeleteRecordsBefore moves the log start up to offset (-1: the high watermark), durably, and returns the new log
// start. Segments that lie below it whole are removed later. ErrOffsetOutOfRange above the high watermark,
// ErrPolicyViolation if the topic is only compacted.
func (p *Partition) DeleteRecordsBefore(offset int64) (int64, error) {
	s := p.settings.Load()
	if s.Compact && !s.Delete {
		return -1, fmt.Errorf("delete records of %s: cleanup.policy has no delete: %w", p.topic, ErrPolicyViolation)
	}
	hw := p.HighWatermark()
	if offset == -1 {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return -1, fmt.Errorf("delete records before %d, the high watermark is %d: %w", offset, hw, ErrOffsetOutOfRange)
	}
	if err := p.log.AdvanceStart(offset); err != nil {
		return -1, err
	}
	if p.startMoved != nil {
		if err := p.startMoved(); err != nil {
			return -1, err
		}
	}
	return p.log.Start(), nil
}
