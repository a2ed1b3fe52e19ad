package connectors

import (
	"context"
	"log/slog"
	"time"
)

// Logger is what connectors log with; it carries the connector's name and task already.
type Logger = *slog.Logger

// A Sink is a sink connector. Its life is that of a Source.
type Sink interface {
	Start(ctx ConnectorContext, config map[string]string) error
	TaskConfigs(maxTasks int) ([]map[string]string, error)
	NewTask() SinkTask
	Stop() error
}

// A SinkTask writes records to the foreign system. All calls come from one goroutine.
//
// Life: Start, then Put and Flush (or PreCommit) in any number, then Stop.
type SinkTask interface {
	Start(ctx context.Context, tc SinkTaskContext, config map[string]string) error
	// Put hands over a batch, possibly empty. The records stay valid until the next Flush that covers them. After an
	// error for which Retriable is true the same batch comes again; any other fails the task.
	Put(ctx context.Context, records []SinkRecord) error
	// Flush returns when all records put so far are safe at the target. offsets are the next offsets to read.
	// An error means that nothing is committed and the records come again.
	Flush(ctx context.Context, offsets map[TopicPartition]int64) error
	Stop(ctx context.Context) error
}

// PreCommitter is an optional ability of a SinkTask: it replaces Flush and says itself which offsets are safe to commit.
// Partitions not returned keep their committed offset.
type PreCommitter interface {
	PreCommit(ctx context.Context, offsets map[TopicPartition]int64) (map[TopicPartition]int64, error)
}

// PartitionListener is an optional ability of a SinkTask: to hear of partitions before their first record comes and after
// their last was flushed.
type PartitionListener interface {
	OpenPartitions(ctx context.Context, partitions []TopicPartition) error
	ClosePartitions(ctx context.Context, partitions []TopicPartition) error
}

// SinkOffsetAlterer is OffsetAlterer for a Sink. A nil offset resets the partition.
type SinkOffsetAlterer interface {
	AlterOffsets(config map[string]string, offsets map[TopicPartition]*int64) (bool, error)
}

// A SinkTaskContext is what the runtime offers a sink task. Its methods are called from the task's goroutine, within its calls,
// except where said.
type SinkTaskContext interface {
	// SetOffsets moves the consumer before the next Put.
	SetOffsets(offsets map[TopicPartition]int64)
	// SetTimeout bounds the wait before the batch of a retriable Put error comes again.
	SetTimeout(d time.Duration)
	Assignment() []TopicPartition
	Pause(partitions ...TopicPartition)
	Resume(partitions ...TopicPartition)
	// RequestCommit asks for an offset commit soon; any goroutine may call it.
	RequestCommit()
	// ErrantRecordReporter is nil when neither a dead letter queue nor error logging is configured (KIP-610).
	ErrantRecordReporter() ErrantRecordReporter
	ConnectorName() string
	TaskID() int
	Logger() Logger
}

// An ErrantRecordReporter takes records that the task cannot write. Report does not wait for the dead letter queue, but
// no offset of the partition is committed before it has the record. It fails when errors.tolerance is none.
type ErrantRecordReporter interface {
	Report(ctx context.Context, r *SinkRecord, err error) error
}
