package commitlog

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"millrace/broker/batch"
)

// TimedOffset is a record found by its time; Offset -1 if there is none.
type TimedOffset struct {
	Offset      int64
	Timestamp   int64
	LeaderEpoch int32
}

var noOffset = TimedOffset{-1, -1, -1}

// FindTime returns the first record at or above the log start and below limit whose timestamp is at least ts.
func (l *Log) FindTime(ts, limit int64) (TimedOffset, error) {
	return retryGone(func() (TimedOffset, error) { return l.findTime(ts, limit) })
}

// retryGone does something with the segments of the log again if one of them was removed or replaced meanwhile.
func retryGone[T any](fn func() (T, error)) (v T, err error) {
	for range 10 {
		if v, err = fn(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return v, err
}

func (l *Log) findTime(ts, limit int64) (TimedOffset, error) {
	start, views := l.views()
	for _, v := range views {
		if v.base >= limit {
			break
		}
		newest, _, err := l.maxTime(v)
		if err != nil {
			return noOffset, err
		}
		if newest < ts {
			continue
		}
		from, err := l.timeFloor(v, ts)
		if err != nil {
			return noOffset, err
		}
		found, err := l.firstAt(v, from, start, limit, ts)
		if err != nil || found.Offset >= 0 {
			return found, err
		}
	}
	return noOffset, nil
}

// views are all segments and the log start.
func (l *Log) views() (int64, []view) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	views := make([]view, len(l.segments))
	for i := range l.segments {
		views[i] = l.viewLocked(i)
	}
	return l.start, views
}

// maxTime is the largest timestamp in a segment, -1 for none, and the relative offset of its batch.
func (l *Log) maxTime(v view) (int64, int32, error) {
	l.mu.RLock()
	known, ts, rel := v.seg.timeKnown, v.seg.maxTime, v.seg.maxTimeRel
	l.mu.RUnlock()
	if known {
		return ts, rel, nil
	}
	idx, err := l.index(v.seg, v.size, v.end)
	if err != nil {
		return -1, 0, err
	}
	ts = -1
	if n := idx.timeEntries(); n > 0 {
		ts, rel = idx.timeEntry(n - 1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v.seg.maxTime, v.seg.maxTimeRel, v.seg.timeKnown = ts, rel, true
	return ts, rel, nil
}

// timeFloor is a position in the segment before which every record is older than ts.
func (l *Log) timeFloor(v view, ts int64) (int64, error) {
	l.mu.RLock()
	if idx := v.seg.idx; idx != nil {
		pos := idx.position(idx.timeFloor(ts))
		l.mu.RUnlock()
		return pos, nil
	}
	l.mu.RUnlock()
	idx, err := l.index(v.seg, v.size, v.end)
	if err != nil {
		return 0, err
	}
	return idx.position(idx.timeFloor(ts)), nil
}

// firstAt walks a segment from a position to the first record of offset start to limit whose time is at least ts.
func (l *Log) firstAt(v view, from, start, limit, ts int64) (TimedOffset, error) {
	found := noOffset
	_, err := l.walk(v.seg, from, v.size, false, func(f frame) error {
		if f.BaseOffset() >= limit {
			return errStopWalk
		}
		if f.MaxTimestamp() < ts || f.LastOffset() < start {
			return nil
		}
		err := f.Each(0, func(r *batch.Record) error {
			if r.Timestamp >= ts && r.Offset >= start && r.Offset < limit {
				found = TimedOffset{r.Offset, r.Timestamp, f.LeaderEpoch()}
				return errStopWalk
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopWalk) {
			return l.badFrame(v.seg, f.pos, err)
		}
		return err
	})
	return found, err
}

// MaxTime returns the record below limit with the largest timestamp, the first if several have it.
func (l *Log) MaxTime(limit int64) (TimedOffset, error) {
	return retryGone(func() (TimedOffset, error) { return l.findMaxTime(limit) })
}

func (l *Log) findMaxTime(limit int64) (TimedOffset, error) {
	best := noOffset
	_, views := l.views()
	var in *view
	newest := int64(-1)
	for i := range views {
		v := &views[i]
		if v.base >= limit {
			break
		}
		ts, _, err := l.maxTime(*v)
		if err != nil {
			return best, err
		}
		if ts > newest {
			newest, in = ts, v
		}
	}
	if in == nil {
		return best, nil
	}
	found, err := l.FindTime(newest, limit)
	if err != nil || found.Offset >= 0 {
		return found, err
	}
	// The newest record is not below limit: find the newest that is.
	_, err = l.walk(in.seg, 0, in.size, false, func(f frame) error {
		if f.NextOffset() > limit {
			return errStopWalk
		}
		best.Timestamp = max(best.Timestamp, f.MaxTimestamp())
		return nil
	})
	for i := range views {
		if v := &views[i]; v.base < in.base {
			ts, _, err := l.maxTime(*v)
			if err != nil {
				return noOffset, err
			}
			best.Timestamp = max(best.Timestamp, ts)
		}
	}
	if err != nil || best.Timestamp < 0 {
		return noOffset, err
	}
	return l.FindTime(best.Timestamp, limit)
}

// RetentionStart is where retention.ms and retention.bytes put the log start now: at the base of a segment, at most at
// limit (the high watermark). The active segment is closed first if all of it has expired.
func (l *Log) RetentionStart(limit int64) (int64, error) {
	return retryGone(func() (int64, error) { return l.retentionStart(limit) })
}

func (l *Log) retentionStart(limit int64) (int64, error) {
	now := l.clock()
	set := l.Settings()
	start, views := l.views()
	if !set.Delete {
		return start, nil
	}
	if set.RetentionAge >= 0 {
		if err := l.rollExpired(views, now, limit); err != nil {
			return start, err
		}
		start, views = l.views()
	}
	size := int64(0)
	for _, v := range views {
		size += v.size
	}
	for _, v := range views {
		if v.last || v.end > limit {
			break
		}
		expired, err := l.expired(v, set.RetentionAge, now)
		if err != nil {
			return start, err
		}
		if !expired && (set.RetentionBytes < 0 || size-v.size < set.RetentionBytes) {
			break
		}
		size -= v.size
		start = max(start, v.end)
	}
	return start, nil
}

func (l *Log) rollExpired(views []view, now time.Time, limit int64) error {
	v := views[len(views)-1]
	expired, err := l.expired(v, l.Settings().RetentionAge, now)
	if err != nil || !expired || v.size == 0 || v.end > limit {
		return err
	}
	return l.Roll()
}

// expired says whether every record of a segment is older than age. Records without a timestamp never are.
func (l *Log) expired(v view, age time.Duration, now time.Time) (bool, error) {
	if age < 0 {
		return false, nil
	}
	if v.size == 0 && !v.last { // compaction took everything
		return true, nil
	}
	ts, _, err := l.maxTime(v)
	return err == nil && ts >= 0 && now.UnixMilli()-ts > age.Milliseconds(), err
}

// Aborted returns the aborted transactions that have records in offsets from to limit, by first offset.
func (l *Log) Aborted(from, limit int64) []AbortedTxn {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := []AbortedTxn{}
	for _, s := range l.segments {
		for _, a := range s.aborted {
			if a.last >= from && a.first < limit {
				list = append(list, AbortedTxn{a.producerID, a.first})
			}
		}
	}
	sortAborted(list)
	return list
}

// AbortedTxn is an aborted transaction: a read_committed consumer drops ProducerID's records from FirstOffset on until
// its abort marker.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
}

func sortAborted(list []AbortedTxn) {
	slices.SortFunc(list, func(a, b AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
}
