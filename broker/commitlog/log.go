package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
)

// Config opens one log. Only Dir is required.
type Config struct {
	Dir      string           // the log's own directory, made if missing
	Settings Settings         // zero: DefaultSettings
	FS       vfs.FS           // nil: the operating system
	Files    *FileCache       // open files, shared between logs; nil: one of its own
	Clock    func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: none
	State    OpenState        // what is known from outside about how the log was left
	// OnSync is called after every Sync, without locks held: what it reached, or the error that ended the log. Nil: not.
	OnSync func(Synced, error)
}

// Synced is how far a log is on the disk.
type Synced struct {
	Offset int64 // the durable end
	Bytes  int64 // of the bytes appended since the log was opened, those that are durable
}

// OpenState is what a data directory's checkpoints know about a log before it is opened.
type OpenState struct {
	// Clean: the process that last had the log closed it. Its end is checked, the rest is not read.
	Clean bool
	// SameBoot: the machine has not been restarted since the log was written, so whatever was written is there (nothing
	// but the last write can be torn, and any other damage is corruption).
	SameBoot bool
	// RecoveryPoint: records below it were synced. Damage there is never repaired by truncating.
	RecoveryPoint int64
	// LogStart is the log start offset, if it lies above the first segment's base.
	LogStart int64
}

// Log is one log on disk. Methods may be called concurrently; appends and truncations take turns.
//
// On its own (the quorum's log) its use is: Open, Append or AppendAt, Sync before anything is promised, Read,
// TruncateTo for a conflicting suffix, DeleteBefore after a snapshot, Close.
//
// Locks are taken in the order cleanMu, syncMu, appendMu, mu. Files are read without any of them.
type Log struct {
	dir    string
	fs     vfs.FS
	files  *FileCache
	clock  func() time.Time
	logger *slog.Logger
	onSync func(Synced, error)

	cleanMu sync.Mutex // one cleaning at a time
	syncMu  sync.Mutex // one sync at a time
	// appendMu lets one append, roll, truncation or swap of segments happen at a time. Whoever holds it may read what mu
	// guards; whoever changes that holds both.
	appendMu  sync.Mutex
	producers producers // guarded by appendMu
	full      bool      // guarded by appendMu: the last write found no space

	mu       sync.RWMutex
	settings Settings
	segments []*segment // by base, never empty; the last is the active one
	start    int64      // Invariant: start <= durable <= end
	durable  int64
	end      int64
	appended int64 // bytes since the log was opened
	size     int64
	unstable int64 // first offset of the oldest open transaction, -1: none
	epochs   epochs
	newNames bool  // the directory has entries that are not durable
	failed   error // ErrStorage or ErrClosed: no more writes
}

// Append gives b, one whole v2 record batch (already checked), the next offset and the leader epoch, in place, and
// writes it. It returns the first record's offset. It is readable at once, durable after Sync. Errors: ErrNoSpace (log
// unchanged, try again), ErrStorage (the log takes no more writes), ErrClosed.
func (l *Log) Append(epoch int32, b []byte) (base int64, err error) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	return l.appendLocked(epoch, batch.Batch(b))
}

func (l *Log) appendLocked(epoch int32, b batch.Batch) (int64, error) {
	base := l.end
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(epoch)
	if err := l.write(b); err != nil {
		return 0, err
	}
	return base, nil
}

// AppendAt writes batches as they are, offsets and epochs included: one or more whole batches, the first starting at
// or above the log end (a gap is allowed, as after compaction elsewhere). For followers and the quorum. A batch that is
// not whole, or starts below the one before, is an error, with the batches before it written.
func (l *Log) AppendAt(b []byte) error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	for len(b) > 0 {
		first, rest, err := batch.Parse(b)
		if err != nil {
			return fmt.Errorf("append to %s at offset %d: %w", l.dir, l.end, err)
		}
		if first.BaseOffset() < l.end || first.LastOffsetDelta() < 0 {
			return fmt.Errorf("append to %s: batch of offsets %d to %d, the log ends at %d: %w", l.dir,
				first.BaseOffset(), first.LastOffset(), l.end, ErrOffsetOutOfRange)
		}
		if err := l.write(first); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// write puts a batch that has its offsets at the end of the log: one pwrite, then everything in memory. If it fails,
// memory and file are as before. appendMu is held.
func (l *Log) write(b batch.Batch) error {
	err := l.put(b)
	if full := errors.Is(err, ErrNoSpace); full != l.full {
		l.full = full
		if full {
			l.logger.Warn("no space on the disk; records are refused until there is some", "dir", l.dir, "err", err)
		} else if err == nil {
			l.logger.Info("space on the disk again", "dir", l.dir)
		}
	}
	return err
}

func (l *Log) put(b batch.Batch) error {
	if l.failed != nil {
		return l.failed
	}
	s := l.active()
	if l.mustRoll(s, b) {
		if err := l.roll(b.BaseOffset()); err != nil {
			return err
		}
		s = l.active()
	}
	if err := l.beginEpoch(b.LeaderEpoch(), b.BaseOffset()); err != nil {
		return err
	}
	file, err := s.file.acquire()
	if err != nil {
		return l.fail("open", err)
	}
	defer s.file.release()
	if n, err := file.WriteAt(b, s.size); err != nil {
		return l.undoWrite(file, s, n, err)
	}
	aborted, err := l.producers.apply(b)
	if err != nil {
		return l.undoWrite(file, s, len(b), fmt.Errorf("control batch at offset %d: %w", b.BaseOffset(), err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.synced == s.size { // under the lock: a sync may be setting synced, and unpins what it has covered
		s.file.pin(true)
	}
	s.add(b, l.settings.IndexIntervalBytes)
	if aborted != nil {
		s.aborted = append(s.aborted, *aborted)
	}
	if b.Transactional() {
		l.unstable = l.producers.firstOpen()
	}
	l.end = b.NextOffset()
	l.appended += int64(len(b))
	l.size += int64(len(b))
	return nil
}

// undoWrite takes a failed write back, so that the file ends where memory says it does. A full disk is then no more
// than a refused batch; after any other error the log takes no more writes.
func (l *Log) undoWrite(file vfs.File, s *segment, written int, cause error) error {
	if written > 0 {
		if err := file.Truncate(s.size); err != nil {
			return l.fail("take back a failed write", errors.Join(cause, err))
		}
	}
	if NoSpace(cause) {
		return fmt.Errorf("append to %s: %w: %w", s.file.path, ErrNoSpace, cause)
	}
	return l.fail("append", cause)
}

// NoSpace reports whether err is that of a full disk.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// fail ends the log's writes: after a failed write or sync nobody knows what the disk has.
func (l *Log) fail(doing string, cause error) error {
	if NoSpace(cause) {
		return fmt.Errorf("%s %s: %w: %w", doing, l.dir, ErrNoSpace, cause)
	}
	return l.failAnyway(doing, cause)
}

// failAnyway is fail where even a full disk leaves the log in an unknown state.
func (l *Log) failAnyway(doing string, cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failLocked(doing, cause)
}

func (l *Log) failLocked(doing string, cause error) error {
	err := fmt.Errorf("%s %s: %w: %w", doing, l.dir, ErrStorage, cause)
	if l.failed == nil {
		l.failed = err
		l.logger.Error("log taken out of service", "dir", l.dir, "err", err)
	}
	return err
}

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// mustRoll says whether b needs a new segment.
func (l *Log) mustRoll(s *segment, b batch.Batch) bool {
	if !s.fits(b.LastOffset()) {
		return true
	}
	if s.size == 0 {
		return false
	}
	set := &l.settings
	if s.size+int64(len(b)) > set.SegmentBytes {
		return true
	}
	if ts := b.MaxTimestamp(); ts >= 0 && s.firstTime >= 0 && ts-s.firstTime > set.maxSegmentAge()-s.jitter {
		return true
	}
	return int64(len(s.idx.offsets)+offsetEntrySize) > set.SegmentIndexBytes ||
		int64(len(s.idx.times)+2*timeEntrySize) > set.SegmentIndexBytes // one more for the end of the segment
}

func (l *Log) jitter() int64 {
	if ms := l.settings.SegmentJitter.Milliseconds(); ms > 0 {
		return rand.Int64N(ms)
	}
	return 0
}

// roll closes the active segment and starts one at base. Its indexes and the producer snapshot are written by the next
// Sync: the append path makes no more than the new file. appendMu is held.
func (l *Log) roll(base int64) error {
	s := l.newSegment(base)
	s.startIndex()
	_, err := s.file.create()
	if err != nil {
		return l.fail("roll", err)
	}
	s.file.release()
	snapshot := l.producers.snapshot()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active().finish(base, snapshot)
	l.segments = append(l.segments, s)
	l.newNames = true
	return nil
}

// Roll closes the active segment, if it has records, so that retention and compaction can have it.
func (l *Log) Roll() error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	if l.active().size == 0 {
		return nil
	}
	return l.roll(l.end)
}

// BeginEpoch records that a leader epoch starts at the log end, durably. A known epoch is no change.
func (l *Log) BeginEpoch(epoch int32) error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	return l.beginEpoch(epoch, l.end)
}

func (l *Log) beginEpoch(epoch int32, start int64) error {
	next, changed := l.epochs.assign(epoch, start)
	if !changed {
		return nil
	}
	return l.saveEpochs(next)
}

// saveEpochs makes the history durable, then current. appendMu is held.
func (l *Log) saveEpochs(next epochs) error {
	if err := next.save(l.fs, l.dir); err != nil {
		return l.fail("write leader epochs of", err)
	}
	l.mu.Lock()
	l.epochs = next
	l.mu.Unlock()
	return nil
}

// LastEpoch is the leader epoch of the newest entry in the epoch history, -1 for none.
func (l *Log) LastEpoch() int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.latest()
}

// EpochAt is the leader epoch of the record at offset, -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.at(offset)
}

// EndOfEpoch is the largest epoch not above the given one, and its end offset; -1, -1 if there is none.
func (l *Log) EndOfEpoch(epoch int32) (int32, int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.endOffset(epoch, l.start, l.end)
}

// Offsets is a consistent view of a log's positions.
type Offsets struct {
	Start    int64 // log start offset
	Durable  int64 // end of what is synced
	End      int64 // the offset the next record gets
	Unstable int64 // first offset of the oldest open transaction, -1 for none
	Appended int64 // bytes appended since the log was opened
	Size     int64 // bytes in segments
}

// Offsets returns all positions at once.
func (l *Log) Offsets() Offsets {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Offsets{l.start, l.durable, l.end, l.unstable, l.appended, l.size}
}

// Start is the log start offset.
func (l *Log) Start() int64 { return l.Offsets().Start }

// End is the offset the next record gets.
func (l *Log) End() int64 { return l.Offsets().End }

// Durable is the end of what is synced.
func (l *Log) Durable() int64 { return l.Offsets().Durable }

// Size is the number of bytes in the log's segments.
func (l *Log) Size() int64 { return l.Offsets().Size }

// Dir is the directory of the log.
func (l *Log) Dir() string { return l.dir }

// Err is nil while the log takes writes, else why it does not.
func (l *Log) Err() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.failed
}

// Settings are the ones in force.
func (l *Log) Settings() Settings {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.settings
}

// SetSettings changes them; the next append, retention or cleaning goes by them.
func (l *Log) SetSettings(s Settings) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings = s
}

// Close syncs, writes the indexes and the producer snapshot, and closes the files. A log that failed before is closed
// without writing; its error comes back.
func (l *Log) Close() error {
	l.cleanMu.Lock()
	defer l.cleanMu.Unlock()
	_, syncErr := l.Sync()
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if errors.Is(l.failed, ErrClosed) {
		return nil
	}
	err := l.failed
	if err == nil {
		err = syncErr
	}
	if err == nil {
		err = l.writeEnd()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = fmt.Errorf("%s: %w", l.dir, ErrClosed)
	for _, s := range l.segments {
		err = errors.Join(err, s.file.close())
		l.files.dropIndex(s)
	}
	return err
}

// writeEnd writes what makes the next open quick.
func (l *Log) writeEnd() error {
	a := l.active()
	l.mu.Lock()
	a.finish(l.end, l.producers.snapshot())
	l.mu.Unlock()
	if err := a.writeIndexes(l.fs); err != nil {
		return err
	}
	if err := l.dropSnapshots(l.end); err != nil {
		return err
	}
	return l.fs.SyncDir(l.dir)
}

// Drop closes the log without writing anything: its directory is about to be deleted.
func (l *Log) Drop() error {
	l.cleanMu.Lock()
	defer l.cleanMu.Unlock()
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = fmt.Errorf("%s: %w", l.dir, ErrClosed)
	var errs []error
	for _, s := range l.segments {
		errs = append(errs, s.file.close())
		l.files.dropIndex(s)
	}
	return errors.Join(errs...)
}

// dropSnapshots removes producer snapshots that are no longer needed: all but those at the start of a segment and the
// one at keep.
func (l *Log) dropSnapshots(keep int64) error {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	bases := map[int64]bool{keep: true}
	for _, s := range l.segments {
		bases[s.base] = true
	}
	for _, e := range entries {
		offset, ok := parseName(e.Name, snapshotSuffix)
		if !ok || bases[offset] {
			continue
		}
		if err := l.fs.Remove(filepath.Join(l.dir, e.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// FirstBase is the base offset of the first segment.
func (l *Log) FirstBase() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.segments[0].base
}
