package commitlog

import (
	"errors"
	"log/slog"
	"time"

	"millrace/broker/internal/vfs"
)

// Config opens one log. Only Dir is required.
type Config struct {
	Dir      string           // the log's own directory, made if missing
	Settings Settings         // zero: DefaultSettings
	FS       vfs.FS           // nil: the operating system
	Files    *FileCache       // open files, shared between logs; nil: one of its own
	Clock    func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: none
	State    OpenState        // what is known from outside about how the log was left
}

// OpenState is what a data directory's checkpoints know about a log before it is opened.
type OpenState struct {
	// Clean: the process that last had the log closed it. Its end is checked, the rest is not read.
	Clean bool
	// SameBoot: the machine has not been restarted since the log was written, so whatever was written is there (nothing
	// but the last write can be torn, and any other damage is corruption).
	SameBoot bool
	// RecoveryPoint: records below it were synced. Damage there is never repaired by truncating.
	RecoveryPoint int64
	// LogStart is the log start offset, if it lies above the first segment's base.
	LogStart int64
}

// Log is one log on disk. Methods may be called concurrently; appends and truncations take turns.
//
// On its own (the quorum's log) its use is: Open, Append or AppendAt, Sync before anything is promised, Read,
// TruncateTo for a conflicting suffix, DeleteBefore after a snapshot, Close.
type Log struct{}

var errBuilding = errors.New("commitlog: not in place yet")

// Open opens the log in cfg.Dir or makes an empty one, recovering it as cfg.State says. Corruption is a *CorruptError.
func Open(cfg Config) (*Log, error) { return nil, errBuilding }

// Append gives b, one whole v2 record batch (already checked), the next offset and the leader epoch, in place, and
// writes it. It returns the first record's offset. It is readable at once, durable after Sync. Errors: ErrNoSpace (log
// unchanged, try again), ErrStorage (the log takes no more writes), ErrClosed.
func (l *Log) Append(epoch int32, b []byte) (base int64, err error) { return 0, errBuilding }

// AppendAt writes batches as they are, offsets and epochs included: one or more whole batches, the first starting at
// or above the log end (a gap is allowed, as after compaction elsewhere). For followers and the quorum.
func (l *Log) AppendAt(b []byte) error { return errBuilding }

// Read returns whole batches, from the one that holds offset on, below limit (an offset; a batch that reaches it is not
// returned), in maxBytes, the first one regardless of its size if minOne. No batch there: an empty slice. Below the log
// start or above the end: ErrOffsetOutOfRange. The slice is the caller's until release.
func (l *Log) Read(offset, limit int64, maxBytes int, minOne bool) (Slice, error) {
	return Slice{}, errBuilding
}

// Slice is bytes read from a log, in pooled memory.
type Slice struct {
	Bytes []byte
}

// Release gives the memory back; the zero Slice may be released too.
func (s *Slice) Release() {}

// Sync makes everything appended before the call durable and returns the offset it reaches. A failure is final for
// this log: ErrStorage.
func (l *Log) Sync() (durable int64, err error) { return 0, errBuilding }

// Start, End and Durable are the log start offset, the offset the next record gets, and the end of what is synced.
func (l *Log) Start() int64 { return 0 }

// End is the offset the next record gets.
func (l *Log) End() int64 { return 0 }

// Durable is the end of what is synced.
func (l *Log) Durable() int64 { return 0 }

// TruncateTo removes every batch that holds records at or above offset, durably, and returns the new end (which lies
// below offset if a batch straddled it). Producer state and epochs above it go too.
func (l *Log) TruncateTo(offset int64) (end int64, err error) { return 0, errBuilding }

// ResetTo empties the log and starts it anew at offset (an installed snapshot).
func (l *Log) ResetTo(offset int64) error { return errBuilding }

// DeleteBefore moves the log start up to offset, at most the end, and removes the closed segments below it.
func (l *Log) DeleteBefore(offset int64) error { return errBuilding }

// Close syncs, writes the producer snapshot and closes the files.
func (l *Log) Close() error { return errBuilding }
