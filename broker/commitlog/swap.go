package commitlog

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

// A cleaned segment replaces one or more others in steps that a crash may interrupt anywhere:
//
//	1. <base>.log.cleaned is written and synced                   crash: removed on open
//	2. renamed to <base>.log.swap, directory synced               from here on it is what counts
//	3. the replaced segments' other files are removed, synced     crash: 3 and 4 are done again on open
//	4. <base>.log.swap is renamed to <base>.log, synced           replaces the segment of the same base
//	5. its index files are written, synced                        crash: made anew when first needed
//
// On open a swap covers the segments whose base lies between its own and its last offset. Segments of the group behind
// that, of which nothing was left, stay as they were: everything in them is overwritten further on, and as the cleaner's
// checkpoint moves only after a pass, the next one has them again.

// finishSwaps completes replacements that a crash interrupted after step 2.
func (l *Log) finishSwaps() error {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name, swapSuffix)
		if !ok {
			continue
		}
		path := filepath.Join(l.dir, e.Name)
		base, ok := parseName(name, logSuffix)
		if !ok { // an index on its way, made by Apache Kafka; they are made anew
			if err := l.fs.Remove(path); err != nil {
				return err
			}
			continue
		}
		swap := &segment{base: base, dir: l.dir, file: l.files.new(l.fs, path)}
		last := base
		_, err := l.walk(swap, 0, e.Size, true, func(f frame) error { last = f.LastOffset(); return nil })
		if err = errors.Join(err, swap.file.close()); err != nil {
			return err
		}
		var covered []int64
		for _, o := range entries {
			if b, ok := parseName(o.Name, logSuffix); ok && b >= base && b <= last {
				covered = append(covered, b)
			}
		}
		if err := l.replaceFiles(base, covered); err != nil {
			return err
		}
		l.logger.Info("interrupted compaction completed", "file", path, "replaced_segments", len(covered))
	}
	return nil
}

// replaceFiles does steps 3 and 4.
func (l *Log) replaceFiles(base int64, covered []int64) error {
	for _, b := range covered {
		suffixes := []string{indexSuffix, timeSuffix, txnSuffix, logSuffix, snapshotSuffix}
		if b == base {
			suffixes = suffixes[:3]
		}
		for _, suffix := range suffixes {
			if err := removeIfThere(l.fs, fileName(l.dir, b, suffix)); err != nil {
				return err
			}
		}
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	name := fileName(l.dir, base, logSuffix)
	if err := l.fs.Rename(name+swapSuffix, name); err != nil {
		return err
	}
	return l.fs.SyncDir(l.dir)
}

// swap puts a cleaned segment, whole and synced in <base>.log.cleaned, in the place of old ones. fresh has its index and
// size. cleanMu is held, so old are still segments of the log, or retention has removed some of them or is about to; then
// nothing happens and false comes back.
func (l *Log) swap(fresh *segment, old []*segment) (bool, error) {
	name := fileName(l.dir, fresh.base, logSuffix)
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	i := slices.Index(l.segments, old[0])
	if l.failed != nil || i < 0 || l.start >= l.segments[i+1].base { // there is one: the active segment is not cleaned
		return false, l.failed
	}
	if err := l.fs.Rename(name+cleanedSuffix, name+swapSuffix); err != nil {
		return false, l.fail("swap segments of", err)
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return false, l.failAnyway("swap segments of", err)
	}
	covered := make([]int64, len(old))
	for j, s := range old {
		covered[j] = s.base
	}
	// Readers of the old segments have their files open, or find that they are gone and look again. They must not come upon
	// the new file by the old name, so the old files are closed first.
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range old {
		_ = s.file.close() // only read from
	}
	if err := l.replaceFiles(fresh.base, covered); err != nil {
		return false, l.failLocked("swap segments of", err)
	}
	for _, s := range old {
		l.size -= s.size
		l.files.dropIndex(s)
	}
	l.size += fresh.size
	l.segments = slices.Concat(l.segments[:i], []*segment{fresh}, l.segments[i+len(old):])
	if err := l.writeSwappedIndex(fresh); err != nil {
		return true, l.failLocked("swap segments of", err)
	}
	return true, nil
}

// writeSwappedIndex does step 5. What the disk does not take is left out.
func (l *Log) writeSwappedIndex(s *segment) error {
	err := s.writeIndexes(l.fs)
	if NoSpace(err) {
		l.logger.Warn("indexes not written", "file", s.file.path, "err", err)
		err = nil
	}
	s.idx = nil
	return errors.Join(err, l.fs.SyncDir(l.dir))
}
