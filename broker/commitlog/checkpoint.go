package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/broker/internal/vfs"
)

// TopicPartition names a partition in a checkpoint file.
type TopicPartition struct {
	Topic string
	Index int32
}

// Checkpoint files are text: version 0, the number of lines that follow, and one line for each entry.

// readCheckpoint returns the fields of each line; a missing file has none.
func readCheckpoint(fsys vfs.FS, name string) ([][]string, error) {
	data, err := vfs.ReadFile(fsys, name, maxCheckpointBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if lines[0] != "0" {
		return nil, lineError(name, -2, "version 0", lines[0])
	}
	if len(lines) < 2 {
		return nil, lineError(name, -1, "the number of entries", "the end of the file")
	}
	n, err := strconv.Atoi(lines[1])
	if err != nil || n != len(lines)-2 {
		return nil, lineError(name, -1, fmt.Sprintf("%d, the number of lines that follow", len(lines)-2), lines[1])
	}
	entries := make([][]string, n)
	for i, line := range lines[2:] {
		entries[i] = strings.Fields(line)
	}
	return entries, nil
}

func lineError(name string, entry int, expected, found string) error {
	return fmt.Errorf("%s line %d: expected %s, found %q", name, entry+3, expected, found)
}

// readOffsets reads a checkpoint of "<topic> <partition> <offset>" lines.
func readOffsets(fsys vfs.FS, name string) (map[TopicPartition]int64, error) {
	lines, err := readCheckpoint(fsys, name)
	if err != nil {
		return nil, err
	}
	offsets := make(map[TopicPartition]int64, len(lines))
	for i, f := range lines {
		if len(f) != 3 {
			return nil, lineError(name, i, "topic, partition and offset", strings.Join(f, " "))
		}
		index, err1 := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil || index < 0 || offset < 0 {
			return nil, lineError(name, i, "topic, partition and offset", strings.Join(f, " "))
		}
		offsets[TopicPartition{f[0], int32(index)}] = offset
	}
	return offsets, nil
}

func writeOffsets(fsys vfs.FS, name string, offsets map[TopicPartition]int64) error {
	keys := slices.SortedFunc(maps.Keys(offsets), func(a, b TopicPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Index - b.Index)
	})
	var b strings.Builder
	fmt.Fprintf(&b, "0\n%d\n", len(keys))
	for _, k := range keys {
		fmt.Fprintf(&b, "%s %d %d\n", k.Topic, k.Index, offsets[k])
	}
	return vfs.ReplaceFile(fsys, name, []byte(b.String()))
}
