package commitlog

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// TruncateTo removes every batch that holds records at or above offset, durably, and returns the new end (which lies
// below offset if a batch straddled it). Producer state and epochs above it go too. At or below the log start the log
// is emptied and starts at offset.
func (l *Log) TruncateTo(offset int64) (end int64, err error) {
	l.cleanMu.Lock()
	defer l.cleanMu.Unlock()
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	switch {
	case l.failed != nil:
		return l.end, l.failed
	case offset < 0:
		return l.end, fmt.Errorf("truncate %s to %d: %w", l.dir, offset, ErrOffsetOutOfRange)
	case offset <= l.start:
		err = l.resetTo(offset)
	case offset < l.end:
		err = l.truncate(offset)
	}
	if err != nil {
		return l.end, l.failAnyway("truncate", err)
	}
	// Also when no record went: an epoch may have begun beyond offset without any (KAFKA-10706).
	if next, changed := l.epochs.truncateFrom(offset); changed {
		err = l.saveEpochs(next)
	}
	return l.end, err
}

// truncate removes from the back: at any moment what is left is a prefix of the log.
func (l *Log) truncate(offset int64) error {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base >= offset }) - 1
	s := l.segments[max(i, 0)]
	size := s.size
	cut := size
	if _, err := l.walk(s, 0, size, false, func(f frame) error {
		if f.LastOffset() >= offset {
			cut = f.pos
			return errStopWalk
		}
		return nil
	}); err != nil {
		return err
	}
	later := l.segments[i+1:]
	l.mu.Lock() // readers must not look while files shrink
	defer l.mu.Unlock()
	for _, t := range slices.Backward(later) {
		if err := t.removeFiles(l.fs); err != nil {
			return err
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
	}
	l.segments = slices.Clone(l.segments[:i+1])
	s.size = cut
	if err := l.truncateFile(s); err != nil {
		return err
	}
	l.files.dropIndex(s)
	if err := l.dropSnapshotsAbove(max(offset-1, s.base)); err != nil {
		return err
	}
	if err := l.replay(len(l.segments)-1, math.MaxInt64, OpenState{}); err != nil {
		return err
	}
	l.unstable = l.producers.firstOpen()
	l.durable = l.end
	l.start = min(l.start, l.end)
	return nil
}

// ResetTo empties the log and starts it anew at offset (an installed snapshot).
func (l *Log) ResetTo(offset int64) error {
	l.cleanMu.Lock()
	defer l.cleanMu.Unlock()
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	if err := l.resetTo(offset); err != nil {
		return l.failAnyway("reset", err)
	}
	return nil
}

func (l *Log) resetTo(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range slices.Backward(l.segments) {
		if err := t.removeFiles(l.fs); err != nil {
			return err
		}
		l.files.dropIndex(t)
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	if err := l.dropSnapshotsAbove(-1); err != nil {
		return err
	}
	l.producers, l.unstable = newProducers(), -1
	l.epochs = epochs{}
	if err := l.epochs.save(l.fs, l.dir); err != nil {
		return err
	}
	return l.startAt(offset)
}

// DeleteBefore moves the log start up to offset, at most the end, and removes the closed segments below it.
func (l *Log) DeleteBefore(offset int64) error {
	if err := l.AdvanceStart(offset); err != nil {
		return err
	}
	_, err := l.RemoveBelowStart()
	return err
}

// AdvanceStart moves the log start up to offset, in memory: whoever keeps it in a checkpoint writes it there before
// RemoveBelowStart. Below the present start it changes nothing; above the end it is ErrOffsetOutOfRange.
func (l *Log) AdvanceStart(offset int64) error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	if offset > l.end {
		return fmt.Errorf("log start %d of %s beyond the log end %d: %w", offset, l.dir, l.end, ErrOffsetOutOfRange)
	}
	if offset <= l.start {
		return nil
	}
	if next, changed := l.epochs.truncateBefore(offset); changed {
		if err := l.saveEpochs(next); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = offset
	return nil
}

// RemoveBelowStart removes the closed segments that lie below the log start whole, oldest first and each durably, so
// that a crash never leaves a hole. It returns the number of bytes that went.
func (l *Log) RemoveBelowStart() (int64, error) {
	var bytes int64
	for {
		s := l.detachFirst()
		if s == nil {
			return bytes, nil
		}
		bytes += s.size
		if err := s.removeFiles(l.fs); err != nil {
			return bytes, fmt.Errorf("remove segment %s: %w", s.file.path, err)
		}
		l.files.dropIndex(s)
		if err := l.fs.SyncDir(l.dir); err != nil {
			return bytes, fmt.Errorf("remove segment %s: %w", s.file.path, err)
		}
	}
}

// detachFirst takes the first segment out of the log if it is closed, finished, and below the log start.
func (l *Log) detachFirst() *segment {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil || len(l.segments) < 2 || l.segments[1].base > l.start || l.segments[0].idx != nil {
		return nil
	}
	s := l.segments[0]
	l.segments = slices.Clone(l.segments[1:])
	l.size -= s.size
	return s
}
