package commitlog

import (
	"container/list"
	"errors"
	"io/fs"

	"millrace/broker/internal/vfs"
)

// indexCacheBytes bounds the indexes of closed segments that are kept in memory, all logs together.
const indexCacheBytes = 16 << 20

// indexCache keeps the indexes of closed segments that were used last.
type indexCache struct {
	bytes  int
	recent *list.List // of cachedIndex, most recently used first
	bySeg  map[*segment]*list.Element
}

type cachedIndex struct {
	seg *segment
	idx *sparse
}

func (x *sparse) bytes() int { return len(x.offsets) + len(x.times) }

func (c *FileCache) cachedIndex(s *segment) *sparse {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.indexes.bySeg[s]
	if e == nil {
		return nil
	}
	c.indexes.recent.MoveToFront(e)
	return e.Value.(cachedIndex).idx
}

func (c *FileCache) keepIndex(s *segment, idx *sparse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := &c.indexes
	if x.bySeg[s] != nil {
		return
	}
	x.bySeg[s] = x.recent.PushFront(cachedIndex{s, idx})
	x.bytes += idx.bytes()
	for x.bytes > indexCacheBytes && x.recent.Len() > 1 {
		c.removeIndexLocked(x.recent.Back())
	}
}

func (c *FileCache) dropIndex(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.indexes.bySeg[s]; e != nil {
		c.removeIndexLocked(e)
	}
}

func (c *FileCache) removeIndexLocked(e *list.Element) {
	v := c.indexes.recent.Remove(e).(cachedIndex)
	delete(c.indexes.bySeg, v.seg)
	c.indexes.bytes -= v.idx.bytes()
}

// index returns the indexes of a segment that has none in memory of its own: a closed one of the given size, whose
// offsets lie below end. Files that are missing or do not fit the segment are made anew from it.
func (l *Log) index(s *segment, size, end int64) (*sparse, error) {
	if idx := l.files.cachedIndex(s); idx != nil {
		return idx, nil
	}
	idx, err := l.loadIndex(s, size, end)
	if err != nil {
		return nil, err
	}
	l.files.keepIndex(s, idx)
	return idx, nil
}

func (l *Log) loadIndex(s *segment, size, end int64) (*sparse, error) {
	idx, err := l.readIndexFiles(s, size, end)
	if err == nil {
		return idx, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		l.logger.Info("index missing, made anew", "file", s.file.path)
	} else {
		l.logger.Warn("index unusable, made anew", "file", s.file.path, "err", err)
	}
	fresh := &segment{base: s.base, dir: s.dir, file: s.file}
	fresh.startIndex()
	interval := l.Settings().IndexIntervalBytes
	_, err = l.walk(s, 0, size, false, func(b frame) error { fresh.add(b.Batch, interval); return nil })
	if err != nil {
		return nil, err
	}
	fresh.idx.addTime(fresh.maxTime, fresh.maxTimeRel)
	return fresh.idx, nil
}

func (l *Log) readIndexFiles(s *segment, size, end int64) (*sparse, error) {
	offsets, err := vfs.ReadFile(l.fs, fileName(s.dir, s.base, indexSuffix), maxCheckpointBytes)
	if err != nil {
		return nil, err
	}
	times, err := vfs.ReadFile(l.fs, fileName(s.dir, s.base, timeSuffix), maxCheckpointBytes)
	if err != nil {
		return nil, err
	}
	idx := &sparse{offsets: offsets, times: times}
	return idx, idx.check(s.base, size, end)
}
