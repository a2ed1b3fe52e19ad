package connectors

import (
	"context"
	"time"
)

// A Source is a source connector: it splits the work into task configurations.
//
// Calls come one at a time: Start, TaskConfigs (any number of times), Stop; after Stop the same instance may be started again
// (pause and resume). New instances are also made only to call the optional methods; they are never started.
type Source interface {
	Start(ctx ConnectorContext, config map[string]string) error
	TaskConfigs(maxTasks int) ([]map[string]string, error)
	NewTask() SourceTask
	Stop() error
}

// A SourceTask reads a part of the foreign system.
//
// Life: Start, then Poll again and again from one goroutine, then Stop from the same goroutine. A cancelled ctx makes Poll
// return soon, with what it has or with nothing.
type SourceTask interface {
	// Start must return when ctx ends. It may be slow; a foreign system that is away is better waited for in Poll.
	Start(ctx context.Context, tc SourceTaskContext, config map[string]string) error
	// Poll blocks until it has records, for at most about a second, so that the runtime stays responsive. The runtime owns the
	// returned slice until every record in it is committed; the task does not reuse it. An error for which Retriable is
	// true is logged and Poll called again; any other fails the task.
	Poll(ctx context.Context) ([]SourceRecord, error)
	Stop(ctx context.Context) error
}

// RecordCommitter is an optional ability of a SourceTask: to hear which records the log has acknowledged, so that it can
// acknowledge them to the foreign system. Calls are batched and never overlap each other, but run beside Poll. Records come in the
// order of acknowledgement, each exactly once unless the task fails first. Start comes before the first call, Stop after the last.
type RecordCommitter interface {
	CommitRecords(ctx context.Context, records []CommittedRecord) error
}

// A CommittedRecord is a polled record, as it was before transforms, and where it is in the log. Offset is -1 when
// the record was dropped: filtered by a transform, or skipped under errors.tolerance.
type CommittedRecord struct {
	Record *SourceRecord
	Topic  string
	// Partition and Offset are -1 for a dropped record.
	Partition int32
	Offset    int64
}

// OffsetCommitter is an optional ability of a SourceTask: Commit is called after each successful flush of source offsets.
// It runs beside Poll.
type OffsetCommitter interface {
	Commit(ctx context.Context) error
}

// PeerReporter is an optional ability of source and sink tasks: to say that their foreign system cannot be reached, which they go on
// trying. Unreachable returns a nil error while it answers, else what is wrong and since when. It may be called at any time after Start,
// from any goroutine, and must not block.
type PeerReporter interface {
	Unreachable() (since time.Time, err error)
}

// OffsetAlterer is an optional ability of a Source: to check and apply what PATCH and DELETE /connectors/{c}/offsets ask
// (KIP-875). offsets pairs partitions with new offsets; a nil offset removes. It returns whether the change was also made
// outside of the offset store where that is needed. An error refuses the change.
type OffsetAlterer interface {
	AlterOffsets(config map[string]string, offsets []PartitionOffset) (bool, error)
}

// A PartitionOffset pairs a source partition with a source offset; both as JSON-like maps, numbers as int64 or float64.
type PartitionOffset struct {
	Partition map[string]any
	Offset    map[string]any
}

// ExactlyOnceSupport is what a Source says about exactly-once delivery for a configuration (KIP-618).
type ExactlyOnceSupport int8

// A Source without ExactlyOnceSupporter has said nothing.
const (
	ExactlyOnceUnknown ExactlyOnceSupport = iota
	ExactlyOnceSupported
	ExactlyOnceUnsupported
)

// ExactlyOnceSupporter is an optional ability of a Source.
type ExactlyOnceSupporter interface {
	ExactlyOnceSupport(config map[string]string) (ExactlyOnceSupport, error)
}

// TransactionBoundariesSupporter is an optional ability of a Source: whether it can define its own transaction boundaries (KIP-618).
type TransactionBoundariesSupporter interface {
	CanDefineTransactionBoundaries(config map[string]string) (bool, error)
}

// A ConnectorContext is what the runtime offers a connector instance.
type ConnectorContext interface {
	// RequestTaskReconfiguration asks for TaskConfigs to be called again soon. It does not block.
	RequestTaskReconfiguration()
	// RaiseError fails the connector instance.
	RaiseError(err error)
	Logger() Logger
}

// A SourceTaskContext is what the runtime offers a source task.
type SourceTaskContext interface {
	// Offset returns the last committed source offset of p, nil if there is none.
	Offset(ctx context.Context, p *SourcePartition) (map[string]any, error)
	// Offsets is Offset for many partitions at once; the result has the order of the question.
	Offsets(ctx context.Context, ps []*SourcePartition) ([]map[string]any, error)
	// ConnectorName and TaskID name the task.
	ConnectorName() string
	TaskID() int
	Logger() Logger
}
