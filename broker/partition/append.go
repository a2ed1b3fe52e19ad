package partition

import (
	"errors"
	"fmt"
	"math"
	"time"

	"millrace/broker/batch"
)

// AppendOptions say who appends.
type AppendOptions struct {
	// Internal marks batches built by this process (coordinators): control batches are allowed, and no size limit,
	// timestamp bounds or recompression apply.
	Internal bool
	// AllAcks refuses the batch while fewer replicas are in sync than min.insync.replicas (acks=all).
	AllAcks bool
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
// its last five batches is not written again: the answer has its old offset and Duplicate. Errors: ErrCorruptBatch,
// ErrInvalidRecord, ErrInvalidTimestamp (these two perhaps as *RecordsError), ErrMessageTooLarge,
// ErrUnsupportedCompression, ErrOutOfOrderSequence, ErrInvalidProducerEpoch, ErrInvalidTxnState, ErrNoSpace,
// ErrStorage, ErrClosed, ErrNotLeader, ErrNotEnoughReplicas. After any of them the log is as it was before.
func (p *Partition) Append(leaderEpoch int32, records []byte, o AppendOptions) (AppendResult, error) {
	p.role.RLock()
	defer p.role.RUnlock()
	epoch := p.leaderEpoch.Load()
	switch {
	case p.following:
		return AppendResult{}, ErrNotLeader
	case leaderEpoch >= 0 && leaderEpoch != epoch:
		return AppendResult{}, epochError(leaderEpoch, epoch)
	case o.AllAcks && p.underMinISR.Load():
		return AppendResult{}, ErrNotEnoughReplicas
	}
	s := p.settings.Load()
	b, err := validate(records, s, o)
	if err != nil {
		return AppendResult{}, err
	}
	if !o.Internal {
		if err := checkTimestamps(b, s, p.clock()); err != nil {
			return AppendResult{}, err
		}
		if b, err = recompress(b, s.Compression); err != nil {
			return AppendResult{}, err
		}
	}
	appendTime := int64(-1)
	if s.LogAppendTime {
		appendTime = p.clock().UnixMilli()
		b.SetLogAppendTime(appendTime)
	}
	done, err := p.log.AppendProduced(epoch, b)
	if err != nil {
		return AppendResult{}, err
	}
	at := p.log.Offsets()
	if p.replicated.Load() {
		p.appended(at)
	}
	if !s.groupCommit() {
		p.advance(at.End, at.Appended)
	}
	if p.syncDue(s, done.Rolled, at.End-at.Durable) && !done.Duplicate {
		p.scheduleSync()
	}
	if s.FlushInterval > 0 {
		p.flushIn(s.FlushInterval)
	}
	if done.Duplicate && s.LogAppendTime {
		appendTime = done.Timestamp
	}
	return AppendResult{
		BaseOffset: done.Base, LastOffset: done.Last, LogAppendTimeMs: appendTime, LogStartOffset: at.Start,
		Duplicate: done.Duplicate,
	}, nil
}

// syncDue says whether an append asks for a sync: with group commit each does, for the high watermark moves with it.
// Without a syncer WhenDurable does.
func (p *Partition) syncDue(s *Settings, rolled bool, unsynced int64) bool {
	if p.syncer == nil {
		return false
	}
	return rolled || s.groupCommit() || (s.FlushMessages > 0 && unsynced >= s.FlushMessages)
}

// flushIn has the log synced after flush.ms, unless that is on its way.
func (p *Partition) flushIn(d time.Duration) {
	if p.syncer == nil || !p.flushing.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(d, func() {
		p.flushing.Store(false)
		p.syncer.Schedule(p.log)
	})
}

func epochError(got, current int32) error {
	if got < current {
		return fmt.Errorf("leader epoch %d, the partition has %d: %w", got, current, ErrFencedLeaderEpoch)
	}
	return fmt.Errorf("leader epoch %d, the partition has %d: %w", got, current, ErrUnknownLeaderEpoch)
}

// validate checks everything about a batch that can be known without the log.
func validate(records []byte, s *Settings, o AppendOptions) (batch.Batch, error) {
	b, rest, err := batch.Frame(records)
	if err != nil {
		return nil, frameError(records, err)
	}
	if !o.Internal && len(b) > int(s.MaxMessageBytes) {
		return nil, fmt.Errorf("batch of %d bytes, max.message.bytes is %d: %w", len(b), s.MaxMessageBytes, ErrMessageTooLarge)
	}
	if err := b.CheckCRC(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorruptBatch, err)
	}
	if _, _, err := batch.Frame(rest); err == nil {
		return nil, invalid("more than one record batch")
	}
	switch {
	case b.BaseOffset() != 0 && !o.Internal:
		return nil, invalid("base offset %d, 0 expected", b.BaseOffset())
	case b.Count() <= 0 || b.LastOffsetDelta() < 0 || int64(b.LastOffsetDelta())+1 != int64(b.Count()):
		return nil, invalid("%d records with last offset delta %d", b.Count(), b.LastOffsetDelta())
	case b.Control() && !o.Internal:
		return nil, invalid("a control batch from a client")
	case b.ProducerID() >= 0 && b.BaseSequence() < 0 && !o.Internal:
		return nil, invalid("producer id %d with sequence %d", b.ProducerID(), b.BaseSequence())
	case b.ProducerID() >= 0 && b.ProducerEpoch() < 0:
		return nil, invalid("producer id %d with epoch %d", b.ProducerID(), b.ProducerEpoch())
	case b.Codec() > batch.CodecZstd:
		return nil, fmt.Errorf("compression type %d: %w", b.Codec(), ErrUnsupportedCompression)
	}
	if s.Compact && !b.Control() {
		if err := checkKeys(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidRecord, fmt.Sprintf(format, args...))
}

// frameError names what is wrong with bytes that do not begin with a batch. Kafka refuses the older formats and batches
// that are not all there for good, and asks for a resend where the bytes cannot be a batch.
func frameError(records []byte, err error) error {
	f, ok := errors.AsType[*batch.FormatError](err)
	switch {
	case !ok:
		return invalid("no whole record batch in %d bytes", len(records))
	case f.Kind == batch.ErrMagic && (f.Found == "0" || f.Found == "1"):
		return fmt.Errorf("%w: %w", ErrInvalidRecord, err)
	}
	return fmt.Errorf("%w: %w", ErrCorruptBatch, err)
}

// maxReported is how many records of a refused batch are named.
const maxReported = 100

// checkKeys wants a key on every record: without one compaction could not tell what a record replaces.
func checkKeys(b batch.Batch) error {
	var bad []RecordError
	i := int32(0)
	err := b.Each(0, func(r *batch.Record) error {
		if r.Key == nil && len(bad) < maxReported {
			bad = append(bad, RecordError{i, "Compacted topic cannot accept message without key"})
		}
		i++
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidRecord, err)
	}
	if len(bad) > 0 {
		return &RecordsError{ErrInvalidRecord, "Compacted topic cannot accept message without key", bad}
	}
	return nil
}

// checkTimestamps wants every record's time within the topic's bounds. The latest one is in the header. A client must not
// stamp append times itself: where the broker does not, they become the times they were made of, as on Apache Kafka.
func checkTimestamps(b batch.Batch, s *Settings, now time.Time) error {
	switch {
	case s.LogAppendTime && b.LogAppendTime():
		return refuseAll(b, "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime.")
	case s.LogAppendTime:
		return nil
	case b.LogAppendTime():
		b.SetCreateTime()
	}
	ms := now.UnixMilli()
	latest := int64(math.MaxInt64)
	if after := s.TimestampAfter.Milliseconds(); after < math.MaxInt64-ms {
		latest = ms + after
	}
	earliest := ms - s.TimestampBefore.Milliseconds()
	tooLate := b.MaxTimestamp() > latest
	if !tooLate && s.TimestampBefore == math.MaxInt64 {
		return nil
	}
	var bad []RecordError
	i := int32(0)
	err := b.Each(0, func(r *batch.Record) error {
		if r.Timestamp != -1 && (r.Timestamp > latest || r.Timestamp < earliest) && len(bad) < maxReported {
			bad = append(bad, RecordError{i, timestampMessage(r.Timestamp, earliest, latest)})
		}
		i++
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidRecord, err)
	}
	if len(bad) == 0 && !tooLate {
		return nil
	}
	return &RecordsError{ErrInvalidTimestamp, timestampMessage(b.MaxTimestamp(), earliest, latest), bad}
}

// refuseAll is ErrInvalidTimestamp for every record of a batch.
func refuseAll(b batch.Batch, message string) error {
	bad := make([]RecordError, min(b.Count(), maxReported))
	for i := range bad {
		bad[i] = RecordError{int32(i), message}
	}
	return &RecordsError{ErrInvalidTimestamp, message, bad}
}

func timestampMessage(ts, earliest, latest int64) string {
	return fmt.Sprintf("Timestamp %d of message is out of range. The timestamp should be within [%d, %d]", ts, earliest, latest)
}

// recompress gives the batch the topic's codec.
func recompress(b batch.Batch, c batch.Codec) (batch.Batch, error) {
	if c == batch.CodecProducer || c == b.Codec() {
		return b, nil
	}
	var w batch.Builder
	out, err := w.Recompress(b, c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidRecord, err)
	}
	return out, nil
}
