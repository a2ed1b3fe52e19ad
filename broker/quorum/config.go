package quorum

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"time"

	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

// Config opens one member. ID and Dir are required.
type Config struct {
	// ID is this member's id, above 0. It must never be used again with an empty disk.
	ID uint64
	// Voters are the ids of the first voters, equal on all of them that have any, and Genesis is the state they begin with. They
	// count only when Dir is empty. Without Voters an empty member waits for a leader to bring it everything.
	Voters  []uint64
	Genesis []byte
	// Dir holds everything of the member.
	Dir string
	FS  vfs.FS // nil: the operating system
	// Transport reaches the other members; nil for one that is alone.
	Transport Transport

	// TickInterval is raft's unit of time. An election begins after 10 to 20 ticks without a leader. 0: 100 ms.
	TickInterval time.Duration
	// CompactEntries and CompactBytes bound what is kept, in memory and on disk, beside a snapshot. 0: 8192 entries, 8 MiB.
	CompactEntries int
	CompactBytes   int
	// KeepEntries stay after a snapshot for followers that are a little behind. 0: 1024.
	KeepEntries uint64
	// SegmentBytes is the size of a log segment. 0: 4 MiB.
	SegmentBytes int64

	Logger *slog.Logger // nil: none
}

// Transport carries messages between voters. Send must not block and may lose, repeat and reorder messages; message
// belongs to the transport. The receiving side gives it to Node.Receive.
type Transport interface {
	Send(to uint64, message []byte)
}

// MaxEntry is the largest proposal.
const MaxEntry = 64 << 20

func (c Config) withDefaults() (Config, error) {
	if c.FS == nil {
		c.FS = vfs.OS
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.TickInterval == 0 {
		c.TickInterval = 100 * time.Millisecond
	}
	if c.CompactEntries == 0 {
		c.CompactEntries = 8192
	}
	if c.CompactBytes == 0 {
		c.CompactBytes = 8 << 20
	}
	if c.KeepEntries == 0 {
		c.KeepEntries = 1024
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 4 << 20
	}
	switch {
	case c.ID == 0 || slices.Contains(c.Voters, 0):
		return c, errors.New("quorum: voter id 0 is reserved")
	case c.Dir == "":
		return c, errors.New("quorum: no directory")
	case len(c.Voters) != 1 && c.Transport == nil:
		return c, fmt.Errorf("quorum: %d voters need a transport", len(c.Voters))
	}
	return c, nil
}

// openLog opens the log of entries; those below synced must be there.
func (c Config) openLog(synced int64) (*commitlog.Log, error) {
	settings := commitlog.DefaultSettings()
	settings.SegmentBytes = c.SegmentBytes
	settings.SegmentAge = 1<<63 - 1
	settings.Delete, settings.Compact = false, false
	return commitlog.Open(commitlog.Config{
		Dir: path.Join(c.Dir, "log"), Settings: settings, FS: c.FS, Logger: c.Logger,
		State: commitlog.OpenState{RecoveryPoint: synced},
	})
}
