package partition

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

// Partition is one replica of a topic partition. All methods may be called concurrently.
type Partition struct {
	topic  string
	index  int32
	id     [16]byte
	log    *commitlog.Log
	syncer *commitlog.Syncer
	clock  func() time.Time
	logger *slog.Logger

	settings    atomic.Pointer[Settings]
	leaderEpoch atomic.Int32
	replicated  atomic.Bool  // there are other replicas
	underMinISR atomic.Bool  // acks=all is refused
	uncleanable atomic.Bool  // compaction failed; not to be tried again
	flushing    atomic.Bool  // a sync after flush.ms is on its way
	startMoved  func() error // makes a new log start durable; nil: nothing to do

	onISRChange  func(*Partition)
	checkpointed int64 // the high watermark of the checkpoint, for the first role

	// role is held by whoever writes records, shared, and by whoever changes the role, alone. It is taken before the log's
	// locks and before mu; following, placed and leaderEpoch are changed with both role and mu held.
	role sync.RWMutex

	mu        sync.Mutex
	following bool        // another replica leads
	placed    bool        // the first role was taken
	lead      leading     // zero while following
	hw        int64       // the high watermark; goes back only when a follower is truncated. Invariant: log start <= hw <= log end
	visible   int64       // bytes appended since opening that lie below hw
	above     marks       // of what lies above hw, if there are other replicas
	acks      waitDurable // acks=all: for the high watermark
	durable   waitDurable // flush.messages: for the disk, before acks
	waiters   waitVisible // fetches of consumers
	tailing   waitVisible // fetches of followers
	closed    bool
}

// Open opens the log in cfg.Dir, recovering it if it was not closed cleanly, or makes a new one. A corrupt log is an
// error that matches ErrStorage and carries a *commitlog.CorruptError.
func Open(cfg Config) (*Partition, error) {
	p := &Partition{
		topic: cfg.Topic, index: cfg.Index, id: cfg.TopicID, syncer: cfg.Syncer, clock: cfg.Clock, logger: cfg.Logger,
		onISRChange: cfg.OnISRChange, checkpointed: cfg.HighWatermark,
	}
	if cfg.FS == nil {
		cfg.FS = vfs.OS
	}
	if p.clock == nil {
		p.clock = time.Now
	}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	p.logger = p.logger.With("topic", p.topic, "partition", p.index)
	if cfg.Settings == (Settings{}) {
		cfg.Settings = DefaultSettings()
	}
	p.settings.Store(&cfg.Settings)
	log, err := commitlog.Open(commitlog.Config{
		Dir: cfg.Dir, Settings: cfg.Settings.Settings, FS: cfg.FS, Files: cfg.Files, Clock: p.clock, Logger: p.logger,
		State: cfg.State, OnSync: p.onSync,
	})
	if err != nil {
		return nil, err
	}
	p.log = log
	if err := p.claim(cfg); err != nil {
		return nil, errors.Join(err, log.Drop())
	}
	p.leaderEpoch.Store(log.LastEpoch())
	p.hw = log.End() // recovery has synced what is there
	return p, nil
}

// claim checks, takes over or writes the topic id of the directory.
func (p *Partition) claim(cfg Config) error {
	id, err := commitlog.ReadTopicID(cfg.FS, cfg.Dir)
	switch {
	case err != nil:
		return err
	case cfg.TopicID == [16]byte{}:
		p.id = id
		return nil
	case id == cfg.TopicID:
		return nil
	case id != ([16]byte{}):
		return fmt.Errorf("%s belongs to topic id %s, not %s: %w", cfg.Dir, commitlog.FormatID(id),
			commitlog.FormatID(cfg.TopicID), ErrStorage)
	}
	return commitlog.WriteTopicID(cfg.FS, cfg.Dir, cfg.TopicID)
}

// Topic is the name of the partition's topic.
func (p *Partition) Topic() string { return p.topic }

// Index is the partition's number in its topic.
func (p *Partition) Index() int32 { return p.index }

// TopicID is the id in partition.metadata.
func (p *Partition) TopicID() [16]byte { return p.id }

// SetSettings changes the topic's keys; it takes effect with the next append or housekeeping round.
func (p *Partition) SetSettings(s Settings) {
	p.settings.Store(&s)
	p.log.SetSettings(s.Settings)
	p.mu.Lock()
	short := p.checkISRLocked()
	p.mu.Unlock()
	answer(short, ErrNotEnoughReplicasAfterAppend)
	if !s.groupCommit() || p.replicated.Load() {
		p.reached(p.log.Offsets())
	}
}

// Settings are the ones in force.
func (p *Partition) Settings() Settings { return *p.settings.Load() }

// LeaderEpoch is the epoch of the last Lead or Follow or, before any, of the last batch in the log (-1 for none).
func (p *Partition) LeaderEpoch() int32 { return p.leaderEpoch.Load() }

// LogStartOffset is the first offset that may be read.
func (p *Partition) LogStartOffset() int64 { return p.log.Start() }

// HighWatermark is the end of what consumers may read.
func (p *Partition) HighWatermark() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hw
}

// LastStableOffset is the end of what read_committed consumers may read: the high watermark or the first offset of the
// oldest open transaction.
func (p *Partition) LastStableOffset() int64 { return p.bounds().stable }

// LogEndOffset is the offset the next record gets.
func (p *Partition) LogEndOffset() int64 { return p.log.End() }

// DurableOffset is the end of what is known to be on the disk.
func (p *Partition) DurableOffset() int64 { return p.log.Durable() }

// Size is the number of bytes in the log's segments, as DescribeLogDirs reports it.
func (p *Partition) Size() int64 { return p.log.Size() }

// bounds are the offsets a reader is told.
type bounds struct {
	start, stable, hw, end int64
}

func (p *Partition) bounds() bounds {
	// The high watermark first: the log end read after it cannot be below it.
	hw := p.HighWatermark()
	o := p.log.Offsets()
	b := bounds{start: o.Start, hw: max(hw, o.Start), end: o.End}
	b.stable = b.hw
	if o.Unstable >= 0 {
		b.stable = min(b.hw, max(o.Unstable, o.Start))
	}
	return b
}

func (b bounds) limit(i Isolation) int64 {
	switch i {
	case ReadCommitted:
		return b.stable
	case ReadReplica:
		return b.end
	}
	return b.hw
}

// Producers describes the idempotent and transactional producers with state here (DescribeProducers), by id.
func (p *Partition) Producers() []ProducerInfo {
	list := p.log.Producers()
	infos := make([]ProducerInfo, len(list))
	for i := range list {
		x := &list[i]
		infos[i] = ProducerInfo{
			ProducerID: x.ID, ProducerEpoch: x.Epoch, CoordinatorEpoch: x.CoordinatorEpoch, LastSequence: x.LastSequence(),
			LastTimestamp: x.LastTimestamp, CurrentTxnStartOffset: x.TxnFirstOffset,
		}
	}
	slices.SortFunc(infos, func(a, b ProducerInfo) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return infos
}

// ProducerInfo is one producer's state in a partition.
type ProducerInfo struct {
	ProducerID            int64
	ProducerEpoch         int16
	CoordinatorEpoch      int32 // -1: none
	LastSequence          int32 // -1: none
	LastTimestamp         int64
	CurrentTxnStartOffset int64 // -1: no open transaction
}

// Err is nil while the partition is in service, else why it is not (ErrStorage or ErrClosed).
func (p *Partition) Err() error { return p.log.Err() }

// Sync makes everything appended so far durable.
func (p *Partition) Sync() error {
	_, err := p.log.Sync()
	return err
}

// Close syncs the log, writes its producer snapshot and closes its files. Whoever still waits is called.
func (p *Partition) Close() error {
	err := p.log.Close()
	p.end()
	return err
}

// drop closes the partition without writing anything: its directory is about to be deleted.
func (p *Partition) drop() error {
	err := p.log.Drop()
	p.end()
	return err
}

// end calls everybody who waits, for the last time.
func (p *Partition) end() {
	p.mu.Lock()
	p.closed = true
	acks := append(p.acks.takeAll(), p.durable.takeAll()...)
	parked := append(p.waiters.takeAll(), p.tailing.takeAll()...)
	p.mu.Unlock()
	answer(acks, fmt.Errorf("%s-%d: %w", p.topic, p.index, ErrClosed))
	call(parked)
}
