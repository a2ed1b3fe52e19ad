package commitlog

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"
)

// Sizes of index entries.
const (
	offsetEntrySize = 8
	timeEntrySize   = 12
)

// sparse is the two indexes of one segment, as they are in its files. Offsets in entries are relative to the segment's
// base offset.
//
//	.index      int32 relative last offset of a batch, int32 position of that batch; both ascending
//	.timeindex  int64 timestamp, int32 relative offset: up to that offset no record is later than the timestamp
type sparse struct {
	offsets []byte
	times   []byte
}

func (x *sparse) offsetEntry(i int) (rel int32, pos int64) {
	e := x.offsets[i*offsetEntrySize:]
	return int32(binary.BigEndian.Uint32(e)), int64(int32(binary.BigEndian.Uint32(e[4:])))
}

func (x *sparse) timeEntry(i int) (ts int64, rel int32) {
	e := x.times[i*timeEntrySize:]
	return int64(binary.BigEndian.Uint64(e)), int32(binary.BigEndian.Uint32(e[8:]))
}

func (x *sparse) offsetEntries() int { return len(x.offsets) / offsetEntrySize }
func (x *sparse) timeEntries() int   { return len(x.times) / timeEntrySize }

func (x *sparse) addOffset(rel int32, pos int64) {
	x.offsets = binary.BigEndian.AppendUint32(x.offsets, uint32(rel))
	x.offsets = binary.BigEndian.AppendUint32(x.offsets, uint32(pos))
}

// addTime adds an entry unless the last one says as much.
func (x *sparse) addTime(ts int64, rel int32) {
	if n := x.timeEntries(); n > 0 {
		if last, _ := x.timeEntry(n - 1); ts <= last {
			return
		}
	} else if ts < 0 {
		return
	}
	x.times = binary.BigEndian.AppendUint64(x.times, uint64(ts))
	x.times = binary.BigEndian.AppendUint32(x.times, uint32(rel))
}

// position is where to start looking for a record: at a batch at or before the one that holds it.
func (x *sparse) position(rel int64) int64 {
	// The first entry at or beyond rel may be the batch itself, but the record may also be in a batch before it that has
	// no entry. Entries name the last offset of their batch, so start at the entry before.
	i := sort.Search(x.offsetEntries(), func(i int) bool { r, _ := x.offsetEntry(i); return int64(r) >= rel })
	if i == 0 {
		return 0
	}
	_, pos := x.offsetEntry(i - 1)
	return pos
}

// batchBefore is the position of a batch at or before pos.
func (x *sparse) batchBefore(pos int64) int64 {
	i := sort.Search(x.offsetEntries(), func(i int) bool { _, p := x.offsetEntry(i); return p > pos })
	if i == 0 {
		return 0
	}
	_, pos = x.offsetEntry(i - 1)
	return pos
}

// timeFloor is the relative offset up to which no record is later than a time below ts, so where to look for the first
// record at or after ts.
func (x *sparse) timeFloor(ts int64) int64 {
	i := sort.Search(x.timeEntries(), func(i int) bool { t, _ := x.timeEntry(i); return t >= ts })
	if i == 0 {
		return 0
	}
	_, rel := x.timeEntry(i - 1)
	return int64(rel)
}

// check says what is wrong with indexes read from files of a segment of the given size, whose offsets reach up to end.
func (x *sparse) check(base, size, end int64) error {
	if len(x.offsets)%offsetEntrySize != 0 || len(x.times)%timeEntrySize != 0 {
		return fmt.Errorf("sizes %d and %d are not whole entries", len(x.offsets), len(x.times))
	}
	lastRel, lastPos := int32(math.MinInt32), int64(-1)
	for i := range x.offsetEntries() {
		rel, pos := x.offsetEntry(i)
		if rel <= lastRel || pos <= lastPos || pos >= size || rel < 0 || base+int64(rel) >= end {
			return fmt.Errorf("offset entry %d (%d at %d) is out of order or outside the segment", i, rel, pos)
		}
		lastRel, lastPos = rel, pos
	}
	lastTime := int64(-1)
	for i := range x.timeEntries() {
		ts, rel := x.timeEntry(i)
		if ts <= lastTime || rel < 0 || base+int64(rel) >= end {
			return fmt.Errorf("time entry %d (%d at %d) is out of order or outside the segment", i, ts, rel)
		}
		lastTime = ts
	}
	return nil
}
