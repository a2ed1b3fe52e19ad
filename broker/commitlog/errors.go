package commitlog

import (
	"errors"
	"fmt"
)

// Conditions that callers branch on; the errors that carry them name the file and the cause.
var (
	// ErrOffsetOutOfRange: an offset below the log start offset or above the log end offset.
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrStorage: a write or sync failed, or bytes on the disk are corrupt. After a failed write or sync the log takes
	// no more writes: what the page cache holds is unknown, only opening it again (which recovers it) helps.
	ErrStorage = errors.New("log storage failed")
	// ErrNoSpace: the disk is full. The log is as it was before the call and works again once there is space.
	ErrNoSpace = errors.New("no space left for the log")
	// ErrClosed: the log was closed or deleted.
	ErrClosed = errors.New("log closed")
	// ErrDirInUse: another process works on the data directory.
	ErrDirInUse = errors.New("data directory in use")
	// ErrWrongDir: the data directory belongs to another cluster or node.
	ErrWrongDir = errors.New("data directory belongs to another broker")
)

// CorruptError says what is wrong with a file. It matches ErrStorage.
type CorruptError struct {
	File     string
	Position int64
	Offset   int64 // the offset expected at Position, -1 if unknown
	Expected string
	Found    string
	Hint     string // what to do about it, may be empty
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("corrupt log: %s at position %d", e.File, e.Position)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" (offset %d)", e.Offset)
	}
	s += fmt.Sprintf(": expected %s, found %s", e.Expected, e.Found)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Is makes a CorruptError an ErrStorage.
func (e *CorruptError) Is(target error) bool { return target == ErrStorage }
