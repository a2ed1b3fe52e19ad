package partition

import (
	"errors"
	"fmt"

	"millrace/broker/commitlog"
)

// Conditions a caller answers a client with. Test with errors.Is; the text says what was found and what was expected.
var (
	// ErrOffsetOutOfRange: an offset below the log start or above the end the reader may see.
	ErrOffsetOutOfRange = commitlog.ErrOffsetOutOfRange
	// ErrCorruptBatch: a produced batch with a wrong length, magic or CRC. A resend may succeed.
	ErrCorruptBatch = errors.New("corrupt record batch")
	// ErrInvalidRecord: a produced batch that breaks a rule of the format or the topic; a *RecordsError may say which
	// records. A resend cannot succeed.
	ErrInvalidRecord = errors.New("invalid record")
	// ErrInvalidTimestamp: a record's time lies outside message.timestamp.before/after.max.ms.
	ErrInvalidTimestamp = errors.New("invalid timestamp")
	// ErrMessageTooLarge: a batch above max.message.bytes.
	ErrMessageTooLarge = errors.New("message too large")
	// ErrUnsupportedCompression: a codec number above 4.
	ErrUnsupportedCompression = errors.New("unsupported compression type")
	// ErrOutOfOrderSequence: an idempotent producer's batch does not follow its last one.
	ErrOutOfOrderSequence = commitlog.ErrOutOfOrderSequence
	// ErrInvalidProducerEpoch: a batch of an older epoch than one already in the log.
	ErrInvalidProducerEpoch = commitlog.ErrInvalidProducerEpoch
	// ErrInvalidTxnState: a transactional batch outside a transaction this partition takes part in.
	ErrInvalidTxnState = commitlog.ErrInvalidTxnState
	// ErrCoordinatorFenced: a transaction marker of an older coordinator than one already seen.
	ErrCoordinatorFenced = commitlog.ErrCoordinatorFenced
	// ErrFencedLeaderEpoch: the caller's leader epoch is older than the partition's.
	ErrFencedLeaderEpoch = errors.New("fenced leader epoch")
	// ErrUnknownLeaderEpoch: the caller's leader epoch is newer than the partition's.
	ErrUnknownLeaderEpoch = errors.New("unknown leader epoch")
	// ErrNotLeader: another replica leads this partition now, or the caller is no replica of it.
	ErrNotLeader = errors.New("not the leader of the partition")
	// ErrNotEnoughReplicas: fewer replicas are in sync than min.insync.replicas. Nothing was written.
	ErrNotEnoughReplicas = errors.New("fewer in-sync replicas than min.insync.replicas")
	// ErrNotEnoughReplicasAfterAppend: the same, found while waiting: the batch is in the leader's log and may or may not stay.
	ErrNotEnoughReplicasAfterAppend = errors.New("fewer in-sync replicas than min.insync.replicas, after the append")
	// ErrTimedOut: the in-sync replicas did not get the batch in time. It may or may not stay in the log.
	ErrTimedOut = errors.New("not replicated in time")
	// ErrOffsetNotAvailable: the high watermark is not known well enough yet, or lies below an offset the leader may have.
	ErrOffsetNotAvailable = errors.New("offset not available yet")
	// ErrPolicyViolation: records of a topic that is only compacted cannot be deleted.
	ErrPolicyViolation = errors.New("policy violation")
	// ErrStorage: the disk failed or the log is corrupt; this partition stays out of service until it is opened again.
	ErrStorage = commitlog.ErrStorage
	// ErrNoSpace: the disk is full. Nothing of the batch is kept; a resend succeeds when space returns.
	ErrNoSpace = commitlog.ErrNoSpace
	// ErrClosed: the partition was closed or deleted.
	ErrClosed = commitlog.ErrClosed
)

// RecordsError is an ErrInvalidRecord or ErrInvalidTimestamp with the records at fault (Produce v8 and later report
// them one by one).
type RecordsError struct {
	Kind    error // ErrInvalidRecord or ErrInvalidTimestamp
	Message string
	Records []RecordError
}

// RecordError names one record of a refused batch.
type RecordError struct {
	Index   int32 // position in the batch, from 0
	Message string
}

func (e *RecordsError) Error() string { return fmt.Sprintf("%v: %s", e.Kind, e.Message) }
func (e *RecordsError) Unwrap() error { return e.Kind }
