package partition

import (
	"context"
	"log/slog"
	"time"

	"millrace/broker/internal/vfs"
)

// ManagerConfig opens a data directory. Dir and NodeID are required.
type ManagerConfig struct {
	Dir       string
	NodeID    int32
	ClusterID string // empty: the one in meta.properties, or a new one

	FS     vfs.FS           // nil: the operating system
	Clock  func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: none

	RetentionCheckInterval time.Duration // log.retention.check.interval.ms; 0: 5 min
	CheckpointInterval     time.Duration // log.flush.offset.checkpoint.interval.ms; 0: 60 s
	CleanerBackoff         time.Duration // log.cleaner.backoff.ms; 0: 15 s
	CleanerBufferBytes     int64         // log.cleaner.dedupe.buffer.size; 0: 16 MiB
	FileDeleteDelay        time.Duration // file.delete.delay.ms; 0: 60 s
	SyncWorkers            int           // logs synced at the same time; 0: 4
}

// Manager owns a data directory: its lock, meta.properties, checkpoints and the partitions in it.
type Manager struct{}

// OpenManager locks the directory (made if missing), checks whose it is, and reads its checkpoints. It opens no
// partition: Ensure does. Errors: commitlog.ErrDirInUse, commitlog.ErrWrongDir, each saying what to do.
func OpenManager(cfg ManagerConfig) (*Manager, error) { return nil, errBuilding }

// ClusterID and DirectoryID are those of meta.properties.
func (m *Manager) ClusterID() string { return "" }

// DirectoryID is the id of this data directory.
func (m *Manager) DirectoryID() [16]byte { return [16]byte{} }

// Found lists the partition directories on disk, open or not.
func (m *Manager) Found() []FoundPartition { return nil }

// FoundPartition is a partition directory. TopicID is zero if it has no partition.metadata.
type FoundPartition struct {
	Topic   string
	Index   int32
	TopicID [16]byte
}

// Ensure opens the partition, or creates it durably. A directory of the same name with another topic id is moved aside
// and deleted first: the topic was deleted and made again. Already open: its settings are changed. A log that cannot be
// opened is ErrStorage, and the same again until the process restarts.
func (m *Manager) Ensure(topic string, id [16]byte, index int32, s Settings) (*Partition, error) {
	return nil, errBuilding
}

// Get returns an open partition, or nil.
func (m *Manager) Get(topic string, index int32) *Partition { return nil }

// Delete closes the partition and deletes its directory; the files go after FileDeleteDelay. It is durable on return.
func (m *Manager) Delete(topic string, index int32) error { return errBuilding }

// TotalBytes and UsableBytes describe the volume for DescribeLogDirs; -1 if unknown.
func (m *Manager) TotalBytes() int64 { return -1 }

// UsableBytes is the free space of the volume.
func (m *Manager) UsableBytes() int64 { return -1 }

// Run syncs, applies retention, compacts and writes checkpoints until ctx ends; everything it started has ended by
// then. Acknowledgements with acks=all need it running.
func (m *Manager) Run(ctx context.Context) error { return errBuilding }

// Close closes every partition, writes the checkpoints and the clean-shutdown marker, and gives the lock back. Call it
// after Run returned.
func (m *Manager) Close() error { return errBuilding }
