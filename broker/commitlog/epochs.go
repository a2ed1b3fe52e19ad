package commitlog

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"millrace/broker/internal/vfs"
)

// epochFile holds the leader epochs: "0\n", the number of entries, and "<epoch> <start offset>" per line.
const epochFile = "leader-epoch-checkpoint"

const maxCheckpointBytes = 64 << 20

type epochEntry struct {
	epoch int32
	start int64
}

// epochs is the history of leader epochs of a log. Invariant: both columns ascend strictly, apart from equal starts
// being collapsed into the later epoch on assign.
type epochs struct {
	entries []epochEntry
}

func (e *epochs) latest() int32 {
	if len(e.entries) == 0 {
		return -1
	}
	return e.entries[len(e.entries)-1].epoch
}

// assign returns the history with epoch starting at offset, and whether that is a change.
func (e epochs) assign(epoch int32, start int64) (epochs, bool) {
	if epoch < 0 || epoch <= e.latest() {
		return e, false
	}
	kept := slices.Clone(e.entries)
	for len(kept) > 0 && kept[len(kept)-1].start >= start {
		kept = kept[:len(kept)-1] // an epoch that got no records
	}
	return epochs{append(kept, epochEntry{epoch, start})}, true
}

// truncateFrom drops the epochs that start at or above offset.
func (e epochs) truncateFrom(offset int64) (epochs, bool) {
	i := sort.Search(len(e.entries), func(i int) bool { return e.entries[i].start >= offset })
	return epochs{slices.Clone(e.entries[:i])}, i < len(e.entries)
}

// truncateBefore moves the history up to a new log start.
func (e epochs) truncateBefore(offset int64) (epochs, bool) {
	i := sort.Search(len(e.entries), func(i int) bool { return e.entries[i].start > offset })
	if i == 0 || (i == 1 && e.entries[0].start == offset) {
		return e, false
	}
	kept := slices.Clone(e.entries[i-1:])
	kept[0].start = offset
	return epochs{kept}, true
}

// endOffset is the largest known epoch not above the given one and where it ends.
func (e *epochs) endOffset(epoch int32, logStart, logEnd int64) (int32, int64) {
	i := sort.Search(len(e.entries), func(i int) bool { return e.entries[i].epoch > epoch })
	switch {
	case len(e.entries) == 0:
		return -1, -1
	case i == len(e.entries):
		return e.entries[i-1].epoch, logEnd
	case i == 0:
		return epoch, max(logStart, e.entries[0].start)
	}
	return e.entries[i-1].epoch, e.entries[i].start
}

// at is the epoch of an offset, -1 if unknown.
func (e *epochs) at(offset int64) int32 {
	i := sort.Search(len(e.entries), func(i int) bool { return e.entries[i].start > offset })
	if i == 0 {
		return -1
	}
	return e.entries[i-1].epoch
}

func (e epochs) save(fsys vfs.FS, dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "0\n%d\n", len(e.entries))
	for _, x := range e.entries {
		fmt.Fprintf(&b, "%d %d\n", x.epoch, x.start)
	}
	return vfs.ReplaceFile(fsys, filepath.Join(dir, epochFile), []byte(b.String()))
}

func loadEpochs(fsys vfs.FS, dir string) (epochs, error) {
	name := filepath.Join(dir, epochFile)
	lines, err := readCheckpoint(fsys, name)
	if err != nil {
		return epochs{}, err
	}
	var e epochs
	for i, fields := range lines {
		if len(fields) != 2 {
			return epochs{}, lineError(name, i, "2 fields", strings.Join(fields, " "))
		}
		epoch, err1 := strconv.ParseInt(fields[0], 10, 32)
		start, err2 := strconv.ParseInt(fields[1], 10, 64)
		if err1 != nil || err2 != nil || int32(epoch) <= e.latest() {
			return epochs{}, lineError(name, i, "an epoch above the one before, and an offset", strings.Join(fields, " "))
		}
		e.entries = append(e.entries, epochEntry{int32(epoch), start})
	}
	return e, nil
}
