package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

// ManagerConfig opens a data directory. Dir and NodeID are required.
type ManagerConfig struct {
	Dir       string
	NodeID    int32
	ClusterID string // empty: the one in meta.properties, or a new one
	// Undecided: a new directory belongs to no cluster until SetClusterID.
	Undecided bool

	FS     vfs.FS           // nil: the operating system
	Clock  func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: none

	RetentionCheckInterval time.Duration // log.retention.check.interval.ms; 0: 5 min
	CheckpointInterval     time.Duration // log.flush.offset.checkpoint.interval.ms; 0: 60 s
	CleanerBackoff         time.Duration // log.cleaner.backoff.ms; 0: 15 s
	CleanerBufferBytes     int64         // log.cleaner.dedupe.buffer.size; 0: 16 MiB
	SyncWorkers            int           // logs synced at the same time; 0: 4
	OpenFiles              int           // files kept open that nobody is using; 0: 512

	OnISRChange func(*Partition) // see Config

	Registerer prometheus.Registerer // nil: none
}

// Manager owns a data directory: its lock, meta.properties, checkpoints and the partitions in it.
type Manager struct {
	cfg    ManagerConfig
	dir    *commitlog.Dir
	files  *commitlog.FileCache
	syncer *commitlog.Syncer
	logger *slog.Logger

	metrics *metrics

	cleaner *commitlog.Cleaner

	// marking keeps the marks of a partition from being written after it was removed: they would be taken for those of the
	// next one of that name.
	marking sync.Mutex

	mu      sync.Mutex
	slots   map[commitlog.TopicPartition]*slot
	deletes []pendingDelete

	deleted chan struct{} // receives when deletes has grown
}

// slot is the place of one partition, open or not to be opened.
type slot struct {
	mu  sync.Mutex
	p   *Partition
	err error // why it cannot be opened
}

type pendingDelete struct {
	path string
	at   time.Time
}

// OpenManager locks the directory (made if missing), checks whose it is, and reads its checkpoints. It opens no
// partition: Ensure does. Errors: commitlog.ErrDirInUse, commitlog.ErrWrongDir, each saying what to do.
func OpenManager(cfg ManagerConfig) (*Manager, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.OS
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range [...]struct {
		v   *time.Duration
		def time.Duration
	}{
		{&cfg.RetentionCheckInterval, 5 * time.Minute},
		{&cfg.CheckpointInterval, time.Minute},
		{&cfg.CleanerBackoff, 15 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	dir, err := commitlog.OpenDir(commitlog.DirConfig{
		Dir: cfg.Dir, NodeID: cfg.NodeID, ClusterID: cfg.ClusterID, Undecided: cfg.Undecided, FS: cfg.FS, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	if left, err := dir.Partitions(); err != nil {
		return nil, errors.Join(err, dir.Close(false))
	} else if len(left) > 0 && !dir.Clean() {
		cfg.Logger.Info("recovering after an unclean shutdown", "dir", cfg.Dir, "partitions", len(left))
	}
	m := &Manager{
		metrics: newMetrics(cfg.Registerer),
		cfg:     cfg, dir: dir, files: commitlog.NewFileCache(cfg.OpenFiles), syncer: commitlog.NewSyncer(cfg.SyncWorkers),
		cleaner: commitlog.NewCleaner(cfg.CleanerBufferBytes), logger: cfg.Logger, slots: make(map[commitlog.TopicPartition]*slot),
		deleted: make(chan struct{}, 1),
	}
	m.syncer.Observe = func(took time.Duration) { m.metrics.syncSeconds.Observe(took.Seconds()) }
	return m, nil
}

// ClusterID is the one of meta.properties; empty if it is undecided.
func (m *Manager) ClusterID() string { return m.dir.ClusterID() }

// SetClusterID decides to which cluster the directory belongs.
func (m *Manager) SetClusterID(id string) error { return m.dir.SetClusterID(m.cfg.NodeID, id) }

// Clean says that the process that had the directory before closed it: nothing its logs held is missing.
func (m *Manager) Clean() bool { return m.dir.Clean() }

// Recovered is to be called when all partitions there are have been opened. Without it the next start after a crash takes
// more damage for a power failure's.
func (m *Manager) Recovered() error { return m.dir.Recovered() }

// DirectoryID is the id of this data directory.
func (m *Manager) DirectoryID() [16]byte { return m.dir.ID() }

// Found lists the partition directories on disk, open or not.
func (m *Manager) Found() ([]FoundPartition, error) {
	list, err := m.dir.Partitions()
	if err != nil {
		return nil, err
	}
	found := make([]FoundPartition, 0, len(list))
	for _, tp := range list {
		id, err := commitlog.ReadTopicID(m.cfg.FS, m.dir.Path(tp))
		if err != nil {
			return nil, err
		}
		found = append(found, FoundPartition{tp.Topic, tp.Index, id})
	}
	return found, nil
}

// FoundPartition is a partition directory. TopicID is zero if it has no partition.metadata.
type FoundPartition struct {
	Topic   string
	Index   int32
	TopicID [16]byte
}

// Ensure opens the partition, or creates it durably. A directory of the same name with another topic id is moved aside
// and deleted first: the topic was deleted and made again. Already open: its settings are changed. A log that cannot be
// opened is ErrStorage, and the same again until the process restarts or the partition is deleted. If only the disk is full, it
// is ErrNoSpace, and worth another try.
func (m *Manager) Ensure(topic string, id [16]byte, index int32, s Settings) (*Partition, error) {
	tp := commitlog.TopicPartition{Topic: topic, Index: index}
	sl := m.slot(tp)
	sl.mu.Lock()
	defer sl.mu.Unlock()
	switch {
	case sl.p != nil && (sl.p.TopicID() == id || id == [16]byte{}):
		sl.p.SetSettings(s)
		return sl.p, nil
	case sl.p != nil || sl.err != nil && m.foreign(tp, id):
		if err := m.remove(tp, sl); err != nil {
			return nil, err
		}
	case sl.err != nil:
		return nil, sl.err
	}
	p, err := m.open(tp, id, s)
	if err != nil {
		if commitlog.NoSpace(err) {
			return nil, fmt.Errorf("open partition %s-%d: %w: %w", topic, index, ErrNoSpace, err)
		}
		sl.err = fmt.Errorf("partition %s-%d is out of service: %w: %w", topic, index, ErrStorage, err)
		m.logger.Error("partition not opened", "topic", topic, "partition", index, "err", err)
		return nil, sl.err
	}
	m.mu.Lock()
	sl.p = p
	m.mu.Unlock()
	return p, nil
}

func (m *Manager) slot(tp commitlog.TopicPartition) *slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	sl := m.slots[tp]
	if sl == nil {
		sl = &slot{}
		m.slots[tp] = sl
	}
	return sl
}

// foreign says whether the directory of a partition has another topic id than id.
func (m *Manager) foreign(tp commitlog.TopicPartition, id [16]byte) bool {
	found, err := commitlog.ReadTopicID(m.cfg.FS, m.dir.Path(tp))
	return err == nil && found != ([16]byte{}) && id != ([16]byte{}) && found != id
}

func (m *Manager) open(tp commitlog.TopicPartition, id [16]byte, s Settings) (*Partition, error) {
	path := m.dir.Path(tp)
	if m.foreign(tp, id) {
		m.logger.Info("directory of a deleted topic moved aside", "topic", tp.Topic, "partition", tp.Index)
		if err := m.moveAside(tp, s.FileDeleteDelay); err != nil {
			return nil, err
		}
	}
	there, err := vfs.Exists(m.cfg.FS, path)
	if err != nil {
		return nil, err
	}
	if !there {
		if err := m.dir.Forget(tp); err != nil {
			return nil, err
		}
	}
	p, err := Open(Config{
		Dir: path, Topic: tp.Topic, Index: tp.Index, TopicID: id, Settings: s, FS: m.cfg.FS, Files: m.files,
		Syncer: m.syncer, Clock: m.cfg.Clock, Logger: m.logger, State: m.dir.State(tp),
		HighWatermark: m.dir.HighWatermark(tp), OnISRChange: m.cfg.OnISRChange,
	})
	if err != nil {
		return nil, err
	}
	p.startMoved = func() error { return m.checkpoint(map[commitlog.TopicPartition]*Partition{tp: p}) }
	return p, nil
}

// marks are what the checkpoints say about the partition.
func (p *Partition) marks() commitlog.Marks {
	b, o := p.bounds(), p.log.Offsets()
	m := commitlog.Marks{RecoveryPoint: o.Durable, HighWatermark: min(b.hw, o.End)}
	if o.Start > p.log.FirstBase() {
		m.LogStart = o.Start
	}
	return m
}

// Get returns an open partition, or nil.
func (m *Manager) Get(topic string, index int32) *Partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sl := m.slots[commitlog.TopicPartition{Topic: topic, Index: index}]; sl != nil {
		return sl.p
	}
	return nil
}

// open partitions, in no order.
func (m *Manager) all() map[commitlog.TopicPartition]*Partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[commitlog.TopicPartition]*Partition, len(m.slots))
	for tp, sl := range m.slots {
		if sl.p != nil {
			all[tp] = sl.p
		}
	}
	return all
}

// Delete closes the partition and deletes its directory; the files go after its FileDeleteDelay. It is durable on return.
// No such partition is no error.
func (m *Manager) Delete(topic string, index int32) error {
	tp := commitlog.TopicPartition{Topic: topic, Index: index}
	sl := m.slot(tp)
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return m.remove(tp, sl)
}

func (m *Manager) remove(tp commitlog.TopicPartition, sl *slot) error {
	p := sl.p
	m.mu.Lock()
	sl.p, sl.err = nil, nil
	m.mu.Unlock()
	var err error
	delay := DefaultSettings().FileDeleteDelay
	if p != nil {
		delay = p.settings.Load().FileDeleteDelay
		err = p.drop()
	}
	return errors.Join(err, m.moveAside(tp, delay))
}

func (m *Manager) moveAside(tp commitlog.TopicPartition, delay time.Duration) error {
	m.marking.Lock()
	defer m.marking.Unlock()
	path, err := m.dir.Remove(tp)
	if path != "" {
		m.mu.Lock()
		m.deletes = append(m.deletes, pendingDelete{path, m.cfg.Clock().Add(delay)})
		m.mu.Unlock()
		select {
		case m.deleted <- struct{}{}:
		default: // it will look at this one too
		}
	}
	return err
}

// TotalBytes is the size of the volume, for DescribeLogDirs; -1 if unknown.
func (m *Manager) TotalBytes() int64 {
	total, _ := m.dir.Space()
	return total
}

// UsableBytes is what is free of the volume; -1 if unknown.
func (m *Manager) UsableBytes() int64 {
	_, usable := m.dir.Space()
	return usable
}

// Run syncs, applies retention, compacts and writes checkpoints until ctx ends; everything it started has ended by
// then. Acknowledgements with acks=all need it running.
func (m *Manager) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.syncer.Run(ctx) })
	g.Go(func() error { return m.houseKeeping(ctx) })
	g.Go(func() error { return m.cleaning(ctx) })
	return g.Wait()
}

// closersAtOnce is how many partitions are closed side by side: each waits for the disk several times, and the file system
// merges syncs that wait together.
const closersAtOnce = 16

// Close closes every partition, writes the checkpoints and the clean-shutdown marker, and gives the lock back. Call it
// after Run returned.
func (m *Manager) Close() error {
	var errs []error
	marks := make(map[commitlog.TopicPartition]commitlog.Marks)
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(closersAtOnce)
	for tp, p := range m.all() {
		g.Go(func() error {
			err := p.Close()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("close %s-%d: %w", tp.Topic, tp.Index, err))
				return nil // the others must be closed all the same
			}
			marks[tp] = p.marks()
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	errs = append(errs, m.dir.Checkpoint(marks))
	for _, d := range m.deletes {
		errs = append(errs, m.dir.Purge(d.path))
	}
	// A log that could not be opened, or not be closed, is to be looked at again in full.
	clean := errors.Join(errs...) == nil && !m.anyRefused()
	return errors.Join(append(errs, m.dir.Close(clean))...)
}

func (m *Manager) anyRefused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, sl := range m.slots {
		if sl.err != nil {
			return true
		}
	}
	return false
}
