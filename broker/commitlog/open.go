package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
)

// Open opens the log in cfg.Dir or makes an empty one, recovering it as cfg.State says. Corruption that must not be
// repaired is a *CorruptError.
func Open(cfg Config) (*Log, error) {
	if cfg.Settings == (Settings{}) {
		cfg.Settings = DefaultSettings()
	}
	l := &Log{
		dir: filepath.Clean(cfg.Dir), fs: cfg.FS, files: cfg.Files, clock: cfg.Clock, logger: cfg.Logger,
		onSync: cfg.OnSync, settings: cfg.Settings, producers: newProducers(), unstable: -1,
	}
	if l.fs == nil {
		l.fs = vfs.OS
	}
	if l.files == nil {
		l.files = NewFileCache(0)
	}
	if l.clock == nil {
		l.clock = time.Now
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if err := l.open(cfg.State); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: %w", l.dir, err), l.closeFiles())
	}
	return l, nil
}

func (l *Log) closeFiles() error {
	var errs []error
	for _, s := range l.segments {
		errs = append(errs, s.file.close())
		l.files.dropIndex(s)
	}
	return errors.Join(errs...)
}

func (l *Log) open(state OpenState) error {
	if err := l.makeDir(); err != nil {
		return err
	}
	if err := l.finishSwaps(); err != nil {
		return err
	}
	if err := l.findSegments(); err != nil {
		return err
	}
	var err error
	if l.epochs, err = loadEpochs(l.fs, l.dir); err != nil {
		// It follows from the batches, so it is rebuilt from them.
		l.logger.Warn("leader epoch checkpoint unusable, made anew", "dir", l.dir, "err", err)
		l.epochs = epochs{}
		state.Clean = false
	}
	if len(l.segments) == 0 {
		return l.startAt(max(state.LogStart, 0))
	}
	if err := l.recover(state); err != nil {
		return err
	}
	l.start = max(state.LogStart, l.segments[0].base)
	if l.start > l.end {
		// The log start moved by order of a client or a leader; records up to it are not wanted any more.
		l.logger.Warn("log ends below its start offset, emptied", "dir", l.dir, "log_end", l.end, "log_start", l.start)
		return l.resetTo(l.start)
	}
	l.durable = l.end
	l.unstable = l.producers.firstOpen()
	return l.trimEpochs()
}

func (l *Log) makeDir() error {
	there, err := vfs.Exists(l.fs, l.dir)
	if err != nil || there {
		return err
	}
	if err := l.fs.MkdirAll(l.dir); err != nil {
		return err
	}
	return l.fs.SyncDir(filepath.Dir(l.dir))
}

// startAt makes the first segment of an empty log.
func (l *Log) startAt(base int64) error {
	s := l.newSegment(base)
	s.startIndex()
	if _, err := s.file.create(); err != nil {
		return err
	}
	s.file.release()
	l.segments = []*segment{s}
	l.start, l.durable, l.end, l.size = base, base, base, 0
	return l.fs.SyncDir(l.dir)
}

// findSegments lists the segments and clears away files that mean nothing.
func (l *Log) findSegments() error {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name) {
		case cleanedSuffix, deletedSuffix, tmpSuffix:
			if err := l.fs.Remove(filepath.Join(l.dir, e.Name)); err != nil {
				return err
			}
			continue
		}
		base, ok := parseName(e.Name, logSuffix)
		if !ok || e.Dir {
			continue
		}
		s := l.newSegment(base)
		s.size, s.trusted, s.synced = e.Size, e.Size, e.Size
		l.segments = append(l.segments, s)
		l.size += e.Size
	}
	slices.SortFunc(l.segments, func(a, b *segment) int {
		if a.base < b.base {
			return -1
		}
		return 1
	})
	for _, s := range l.segments {
		s.aborted, err = loadAborted(l.fs, fileName(l.dir, s.base, txnSuffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// recover finds the end of the log, checks what may be damaged, and brings the producers' state to the end.
//
// The log is walked from the newest producer snapshot that can be trusted, or from the first segment that has to be
// checked, whichever comes first. After a clean close that is nothing but the tail of the last segment.
func (l *Log) recover(state OpenState) error {
	checkFrom := len(l.segments) - 1
	if !state.Clean {
		// A segment that ends at the recovery point is synced, but perhaps not its indexes.
		for checkFrom > 0 && l.segments[checkFrom].base >= state.RecoveryPoint {
			checkFrom--
		}
	}
	limit := l.segments[checkFrom].base
	if state.Clean {
		limit = math.MaxInt64
	}
	if err := l.replay(checkFrom, limit, state); err != nil {
		return err
	}
	if l.end < state.RecoveryPoint && state.RecoveryPoint > l.segments[0].base {
		s := l.active()
		return &CorruptError{File: s.file.path, Position: s.size, Offset: l.end,
			Expected: fmt.Sprintf("records up to offset %d, which were synced", state.RecoveryPoint),
			Found:    "the end of the log", Hint: hintRestore}
	}
	return nil
}

// replay walks the log up to its end, checking segments from number checkFrom on, and takes the producers' state from
// the newest snapshot at or below limit and the batches above it.
func (l *Log) replay(checkFrom int, limit int64, state OpenState) error {
	from, err := l.loadSnapshot(limit)
	if err != nil {
		return err
	}
	walkFrom := checkFrom
	for walkFrom > 0 && l.segments[walkFrom].base > from {
		walkFrom--
	}
	r := recovery{log: l, state: state, replayFrom: from, next: l.segments[walkFrom].base, epochs: l.epochs}
	for i := walkFrom; i < len(l.segments); i++ {
		if err := r.segment(i, i >= checkFrom); err != nil {
			return err
		}
	}
	l.end = r.next
	return r.finish()
}

const hintRestore = "put the file back from a copy, or move the partition's directory away to start it empty"

// loadSnapshot takes the newest usable producer snapshot at or below limit and returns its offset. Without one the
// state is empty, to be rebuilt from the first segment on.
func (l *Log) loadSnapshot(limit int64) (int64, error) {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range slices.Backward(entries) {
		offset, ok := parseName(e.Name, snapshotSuffix)
		if !ok || offset > limit {
			continue
		}
		name := filepath.Join(l.dir, e.Name)
		data, err := vfs.ReadFile(l.fs, name, maxCheckpointBytes)
		if err != nil {
			return 0, err
		}
		state, err := decodeSnapshot(data)
		if err != nil {
			l.logger.Warn("producer snapshot unusable, skipped", "file", name, "err", err)
			continue
		}
		l.producers = state
		return offset, nil
	}
	l.producers = newProducers()
	return l.segments[0].base, nil
}

// recovery walks segments in order.
type recovery struct {
	log        *Log
	state      OpenState
	truncated  bool
	replayFrom int64 // batches from here on change the producers' state
	next       int64 // the offset expected next
	epochs     epochs
}

// segment walks segment i. With check everything in it is verified and its indexes are rebuilt; the last segment's
// are rebuilt in any case.
func (r *recovery) segment(i int, check bool) error {
	l := r.log
	s := l.segments[i]
	last := i == len(l.segments)-1
	if s.base < r.next {
		return &CorruptError{File: s.file.path, Offset: r.next, Expected: fmt.Sprintf("offset %d or above", r.next),
			Found: fmt.Sprintf("a segment that starts at %d", s.base), Hint: hintRestore}
	}
	r.next = s.base
	size := s.size
	if last && r.state.Clean && r.resume(s) {
		return nil
	}
	if check {
		s.startIndex()
		if s.base >= r.replayFrom {
			s.aborted = nil // they come again with the markers
		}
	}
	s.size = 0
	pos, err := l.walk(s, 0, size, check, func(f frame) error { return r.batch(s, f, check) })
	s.size, s.trusted = pos, size
	if check {
		s.trusted = 0
	}
	if err == nil {
		if check && !last {
			s.finish(l.segments[i+1].base, nil)
		}
		return nil
	}
	return r.damage(i, pos, size, err)
}

// resume takes up the active segment after a clean close: from its index files, and the batches behind the last entry.
// It says false, with nothing changed, if there is anything odd.
func (r *recovery) resume(s *segment) bool {
	l := r.log
	idx, err := l.readIndexFiles(s, s.size, math.MaxInt64)
	if err != nil || idx.offsetEntries() == 0 {
		return false
	}
	rel, pos := idx.offsetEntry(idx.offsetEntries() - 1)
	if r.replayFrom <= s.base+int64(rel) {
		return false // the producers' snapshot is not that of the end
	}
	first := int64(-1)
	if _, err := l.walk(s, 0, s.size, true, func(f frame) error { first = f.MaxTimestamp(); return errStopWalk }); err != nil {
		return false
	}
	t := &segment{base: s.base, dir: s.dir, file: s.file, idx: idx, size: pos, maxTime: -1, firstTime: first}
	if n := idx.timeEntries(); n > 0 {
		t.maxTime, t.maxTimeRel = idx.timeEntry(n - 1)
	}
	tail := recovery{log: l, state: r.state, replayFrom: math.MaxInt64, next: s.base, epochs: r.epochs}
	end, err := l.walk(s, pos, s.size, true, func(f frame) error { return tail.batch(t, f, true) })
	if err != nil || end != s.size || tail.next != r.replayFrom {
		return false
	}
	s.idx, s.sinceIndex, s.maxTime, s.maxTimeRel = t.idx, t.sinceIndex, t.maxTime, t.maxTimeRel
	s.firstTime, s.timeKnown, s.trusted = t.firstTime, true, pos
	r.next, r.epochs = tail.next, tail.epochs
	return true
}

func (r *recovery) batch(s *segment, f frame, check bool) error {
	l := r.log
	if f.BaseOffset() < r.next && check {
		return l.badBatch(s, f.pos, fmt.Sprintf("offset %d or above", r.next), fmt.Sprint(f.BaseOffset()))
	}
	if !s.fits(f.LastOffset()) {
		return l.badBatch(s, f.pos, fmt.Sprintf("an offset within 2^31 of %d", s.base), fmt.Sprint(f.LastOffset()))
	}
	if check {
		s.add(f.Batch, l.settings.IndexIntervalBytes)
		r.epochs, _ = r.epochs.assign(f.LeaderEpoch(), f.BaseOffset())
	}
	if f.BaseOffset() >= r.replayFrom {
		aborted, err := l.producers.apply(f.Batch)
		if err != nil {
			return l.badBatch(s, f.pos, "a transaction marker", err.Error())
		}
		if aborted != nil && check {
			s.aborted = append(s.aborted, *aborted)
		}
	}
	r.next = f.NextOffset()
	return nil
}

// damage decides what a place that is not a batch means: the torn end of what was never promised, which is cut off, or
// corruption, which is not touched.
func (r *recovery) damage(i int, pos, size int64, cause error) error {
	l := r.log
	s := l.segments[i]
	bad, ok := errors.AsType[*CorruptError](cause)
	if !ok {
		return cause // an I/O error says nothing about the bytes
	}
	bad.Offset = r.next
	if r.next < r.state.RecoveryPoint {
		bad.Hint = fmt.Sprintf("records below offset %d were synced, so this is no torn write; %s", r.state.RecoveryPoint, hintRestore)
		return bad
	}
	if r.state.SameBoot || r.state.Clean {
		at, offset, err := l.batchAfter(i, pos, size, r.next)
		if err != nil {
			return err
		}
		if at != "" {
			bad.Hint = fmt.Sprintf("a whole batch at offset %d follows (%s), so this is no torn end; %s", offset, at, hintRestore)
			return bad
		}
	}
	var later int64
	for _, t := range l.segments[i+1:] {
		later += t.size
		if err := t.removeFiles(l.fs); err != nil {
			return err
		}
	}
	l.segments = l.segments[:i+1]
	s.size = pos
	if err := l.truncateFile(s); err != nil {
		return err
	}
	l.logger.Warn("torn end of log cut off", "file", s.file.path, "position", pos, "offset", r.next,
		"bytes", size-pos, "later_segment_bytes", later, "expected", bad.Expected, "found", bad.Found)
	r.truncated = true
	return nil
}

func (l *Log) truncateFile(s *segment) error {
	f, err := s.file.acquire()
	if err != nil {
		return err
	}
	defer s.file.release()
	return f.Truncate(s.size)
}

// finish makes what recovery found and repaired durable. After a clean close it is.
func (r *recovery) finish() error {
	l := r.log
	l.size = 0
	for _, s := range l.segments {
		l.size += s.size
	}
	if r.state.Clean && !r.truncated && slices.Equal(r.epochs.entries, l.epochs.entries) {
		return nil
	}
	for i, s := range l.segments {
		if s.idx == nil {
			continue
		}
		f, err := s.file.acquire()
		if err != nil {
			return err
		}
		err = f.Sync()
		s.file.release()
		if err != nil {
			return err
		}
		s.synced = s.size
		if i < len(l.segments)-1 {
			if err := s.writeIndexes(l.fs); err != nil {
				return err
			}
			s.idx = nil
		}
	}
	if err := l.dropSnapshotsAbove(l.end); err != nil {
		return err
	}
	if !slices.Equal(r.epochs.entries, l.epochs.entries) {
		if err := r.epochs.save(l.fs, l.dir); err != nil {
			return err
		}
		l.epochs = r.epochs
	}
	return l.fs.SyncDir(l.dir)
}

// trimEpochs takes epochs off the history that start beyond the end of the log or end below its start. One that starts
// at the very end stays: its leader may not have written yet.
func (l *Log) trimEpochs() error {
	next, a := l.epochs.truncateFrom(l.end + 1)
	next, b := next.truncateBefore(l.start)
	if !a && !b {
		return nil
	}
	return l.saveEpochs(next)
}

func (l *Log) dropSnapshotsAbove(end int64) error {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if offset, ok := parseName(e.Name, snapshotSuffix); ok && offset > end {
			if err := l.fs.Remove(filepath.Join(l.dir, e.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// batchAfter looks for a whole batch behind a damaged place: in the rest of segment i, or at the start of a later one.
// It returns where, or "".
func (l *Log) batchAfter(i int, pos, size, next int64) (where string, offset int64, err error) {
	s := l.segments[i]
	file, err := s.file.acquire()
	if err != nil {
		return "", 0, err
	}
	defer s.file.release()
	const overlap = batch.HeaderSize - 1
	buf := make([]byte, walkChunk)
	for at := pos + 1; size-at >= batch.HeaderSize; at += int64(len(buf)) - overlap {
		chunk := buf[:min(int64(len(buf)), size-at)]
		if err := readFull(file, chunk, at); err != nil {
			return "", 0, l.readError(s, at, err)
		}
		for j := 0; j+batch.HeaderSize <= len(chunk); j++ {
			n, err := batch.Size(chunk[j:])
			if err != nil || int64(n) > size-at-int64(j) {
				continue
			}
			if base := batch.Batch(chunk[j:]).BaseOffset(); base < next || base > next+1<<31 {
				continue
			}
			whole := make([]byte, n)
			if err := readFull(file, whole, at+int64(j)); err != nil {
				return "", 0, l.readError(s, at+int64(j), err)
			}
			if b, _, err := batch.Parse(whole); err == nil {
				return fmt.Sprintf("position %d", at+int64(j)), b.BaseOffset(), nil
			}
		}
	}
	for _, t := range l.segments[i+1:] {
		found := int64(-1)
		if _, err := l.walk(t, 0, t.size, true, func(f frame) error { found = f.BaseOffset(); return errStopWalk }); err != nil {
			if _, ok := errors.AsType[*CorruptError](err); !ok {
				return "", 0, err
			}
		}
		if found >= 0 {
			return "file " + strings.TrimPrefix(t.file.path, l.dir+"/"), found, nil
		}
	}
	return "", 0, nil
}
