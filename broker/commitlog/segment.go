package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
)

// Suffixes of the files of a segment, and of files on their way in or out.
const (
	logSuffix      = ".log"
	indexSuffix    = ".index"
	timeSuffix     = ".timeindex"
	txnSuffix      = ".txnindex"
	snapshotSuffix = ".snapshot"

	cleanedSuffix = ".cleaned" // being written by the cleaner; means nothing
	swapSuffix    = ".swap"    // whole; replaces the segments it covers
	deletedSuffix = ".deleted" // Apache Kafka's: on its way out
	tmpSuffix     = ".tmp"     // being written; means nothing
)

// segment is one .log file and what is known about it. The log's mu guards the fields that change.
type segment struct {
	base int64
	dir  string
	file *cachedFile

	size int64 // bytes of batches in the file
	// trusted is the position from which the bytes were written or checked by this process; below it a reader checks.
	trusted int64

	// idx is in memory while the segment is the active one or its index files are not written yet; else nil, and loaded
	// through the cache when needed.
	idx        *sparse
	sinceIndex int64 // bytes since the last index entry

	maxTime    int64 // largest timestamp, -1 for none; known if idx is there or timeKnown
	maxTimeRel int32
	timeKnown  bool
	firstTime  int64 // time of the first batch, -1 unknown
	jitter     int64 // ms taken off segment.ms

	synced    int64        // bytes that are durable; more than these pin the file
	snapshot  []byte       // producer state at endOffset, to be written with the indexes; only of a closed segment
	endOffset int64        // where the next segment starts; only of a closed segment with idx
	aborted   []abortedTxn // transactions aborted in this segment
}

// fileName is a file of the segment (or a snapshot) that starts at base.
func fileName(dir string, base int64, suffix string) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", base, suffix))
}

// parseName is the offset in a file name with the suffix.
func parseName(name, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

func (l *Log) newSegment(base int64) *segment {
	return &segment{
		base: base, dir: l.dir, file: l.files.new(l.fs, fileName(l.dir, base, logSuffix)),
		maxTime: -1, firstTime: -1, jitter: l.jitter(),
	}
}

// fits says whether a batch up to lastOffset can be in the segment: entries hold 32-bit relative offsets.
func (s *segment) fits(lastOffset int64) bool { return lastOffset-s.base <= math.MaxInt32 }

// add takes note of a batch of which the bytes are at position s.size, and advances the segment by it. index says how
// many bytes apart index entries are.
func (s *segment) add(b batch.Batch, interval int64) {
	rel := int32(b.LastOffset() - s.base)
	ts := b.MaxTimestamp()
	if s.firstTime < 0 && s.size == 0 {
		s.firstTime = ts
	}
	if ts > s.maxTime {
		s.maxTime, s.maxTimeRel = ts, rel
	}
	if s.sinceIndex > interval {
		s.idx.addOffset(rel, s.size)
		s.idx.addTime(s.maxTime, s.maxTimeRel)
		s.sinceIndex = 0
	}
	s.sinceIndex += int64(len(b))
	s.size += int64(len(b))
}

// startIndex begins an empty index in memory.
func (s *segment) startIndex() {
	s.idx = &sparse{}
	s.sinceIndex, s.maxTime, s.maxTimeRel, s.firstTime = 0, -1, 0, -1
	s.timeKnown = true
}

// finish completes the indexes of a segment that gets no more batches, in memory.
func (s *segment) finish(endOffset int64, snapshot []byte) {
	s.idx.addTime(s.maxTime, s.maxTimeRel)
	s.snapshot, s.endOffset = snapshot, endOffset
}

// writeIndexes writes and syncs the index files, as they are when a segment is complete, and the producer snapshot. Their
// names are durable after SyncDir.
func (s *segment) writeIndexes(fsys vfs.FS) error {
	if err := writeWhole(fsys, fileName(s.dir, s.base, indexSuffix), s.idx.offsets); err != nil {
		return err
	}
	if err := writeWhole(fsys, fileName(s.dir, s.base, timeSuffix), s.idx.times); err != nil {
		return err
	}
	txn := fileName(s.dir, s.base, txnSuffix)
	if len(s.aborted) > 0 {
		if err := writeWhole(fsys, txn, encodeAborted(s.aborted)); err != nil {
			return err
		}
	} else if err := removeIfThere(fsys, txn); err != nil {
		return err
	}
	if s.snapshot == nil {
		return nil
	}
	return vfs.ReplaceFile(fsys, fileName(s.dir, s.endOffset, snapshotSuffix), s.snapshot)
}

// removeIndexes removes the index files, whole ones and what was begun of them.
func (s *segment) removeIndexes(fsys vfs.FS) error {
	var errs []error
	for _, suffix := range [...]string{indexSuffix, timeSuffix} {
		name := fileName(s.dir, s.base, suffix)
		errs = append(errs, removeIfThere(fsys, name), removeIfThere(fsys, name+tmpSuffix))
	}
	return errors.Join(errs...)
}

// writeWhole writes and syncs a file that is there with all its bytes or, until the directory is synced, perhaps not at
// all: half an index would pass for a whole one.
func writeWhole(fsys vfs.FS, name string, data []byte) error {
	if err := vfs.WriteFile(fsys, name+tmpSuffix, data); err != nil {
		return err
	}
	return fsys.Rename(name+tmpSuffix, name)
}

// removeFiles removes every file of the segment, the log first: without it the others mean nothing.
func (s *segment) removeFiles(fsys vfs.FS) error {
	errs := []error{s.file.close()}
	for _, suffix := range [...]string{logSuffix, indexSuffix, timeSuffix, txnSuffix, snapshotSuffix} {
		errs = append(errs, removeIfThere(fsys, fileName(s.dir, s.base, suffix)))
	}
	return errors.Join(errs...)
}

func removeIfThere(fsys vfs.FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
