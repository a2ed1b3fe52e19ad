package partition

import "errors"

// Partition is one replica of a topic partition. All methods may be called concurrently.
type Partition struct{}

// errBuilding is what methods of the published surface answer until their part of the package is in place.
var errBuilding = errors.New("partition: not in place yet")

// Open opens the log in cfg.Dir, recovering it if it was not closed cleanly, or makes a new one. A corrupt log is an
// error that matches ErrStorage and carries a *commitlog.CorruptError.
func Open(cfg Config) (*Partition, error) { return nil, errBuilding }

// Topic, Index and TopicID say which partition this is.
func (p *Partition) Topic() string { return "" }

// Index is the partition's number in its topic.
func (p *Partition) Index() int32 { return 0 }

// TopicID is the id in partition.metadata.
func (p *Partition) TopicID() [16]byte { return [16]byte{} }

// SetSettings changes the topic's keys; it takes effect with the next append or housekeeping round.
func (p *Partition) SetSettings(s Settings) {}

// Settings are the ones in force.
func (p *Partition) Settings() Settings { return Settings{} }

// BecomeLeader starts a leader epoch: appends carry it from now on. It is recorded durably before this returns. An
// epoch below the current one is ErrFencedLeaderEpoch, the current one again is no change.
func (p *Partition) BecomeLeader(epoch int32) error { return errBuilding }

// LeaderEpoch is the epoch of the last BecomeLeader or, before any, of the last batch in the log (-1 for none).
func (p *Partition) LeaderEpoch() int32 { return -1 }

// Offsets of the partition; see the package comment for their order.
func (p *Partition) LogStartOffset() int64 { return 0 }

// HighWatermark is the end of what consumers may read.
func (p *Partition) HighWatermark() int64 { return 0 }

// LastStableOffset is the end of what read_committed consumers may read: the high watermark or the first offset of the
// oldest open transaction.
func (p *Partition) LastStableOffset() int64 { return 0 }

// LogEndOffset is the offset the next record gets.
func (p *Partition) LogEndOffset() int64 { return 0 }

// DurableOffset is the end of what is known to be on the disk.
func (p *Partition) DurableOffset() int64 { return 0 }

// Size is the number of bytes in the log's segments, as DescribeLogDirs reports it.
func (p *Partition) Size() int64 { return 0 }

// Producers describes the idempotent and transactional producers with state here (DescribeProducers).
func (p *Partition) Producers() []ProducerInfo { return nil }

// Err is nil while the partition is in service, else why it is not (ErrStorage or ErrClosed).
func (p *Partition) Err() error { return nil }

// Close syncs the log, writes its producer snapshot and closes its files. Waiters are called with ErrClosed.
func (p *Partition) Close() error { return errBuilding }

// ProducerInfo is one producer's state in a partition.
type ProducerInfo struct {
	ProducerID            int64
	ProducerEpoch         int16
	CoordinatorEpoch      int32 // -1: none
	LastSequence          int32 // -1: none
	LastTimestamp         int64
	CurrentTxnStartOffset int64 // -1: no open transaction
}
