package partition

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
	"millrace/broker/internal/vfs"
)

// Config opens one partition. Only Dir and Topic are required.
type Config struct {
	Dir     string // its directory, by convention <log dir>/<topic>-<index>; made if missing
	Topic   string
	Index   int32
	TopicID [16]byte // written to partition.metadata; a directory with another id is refused

	Settings Settings
	FS       vfs.FS               // nil: the operating system
	Files    *commitlog.FileCache // shared between the partitions of a process; nil: one of its own
	Syncer   *commitlog.Syncer    // group commit; nil: WhenDurable syncs on the caller's goroutine
	Clock    func() time.Time     // nil: time.Now
	Logger   *slog.Logger         // nil: none
	State    commitlog.OpenState  // what the data directory's checkpoints know; zero: nothing

	// HighWatermark is the checkpointed one. It counts where there are other replicas: what lies above it may be theirs to
	// take back.
	HighWatermark int64
	// OnISRChange is called, without locks held, when the leader wants another ISR: see ISRRequest. Nil: the ISR stays.
	OnISRChange func(*Partition)
}

// Settings are the topic's keys: those of the log and the rules for produced batches.
type Settings struct {
	commitlog.Settings

	// MaxMessageBytes is max.message.bytes: the largest batch a client may produce. Default 1048588.
	MaxMessageBytes int32
	// FileDeleteDelay is file.delete.delay.ms: how long the files of a deleted partition stay. Default 60 s.
	FileDeleteDelay time.Duration
	// LogAppendTime is message.timestamp.type=LogAppendTime: the broker's clock replaces the records' times.
	LogAppendTime bool
	// TimestampBefore and TimestampAfter are message.timestamp.before.max.ms (default: no limit) and
	// message.timestamp.after.max.ms (default 1 h): how far a record's time may lie from the broker's clock.
	TimestampBefore, TimestampAfter time.Duration
	// Compression is compression.type: batch.CodecProducer, the default, keeps what the client chose.
	Compression batch.Codec
	// FlushMessages and FlushInterval are flush.messages and flush.ms where somebody set them explicitly, else 0. With
	// both 0 acknowledgements wait for a group-committed sync; otherwise Kafka's meaning: sync after so many records or
	// so much time, and acknowledge from the page cache in between.
	FlushMessages int64
	FlushInterval time.Duration
	// MinInSyncReplicas is min.insync.replicas, at least 1: the in-sync replicas that acks=all needs, at most all there are.
	MinInSyncReplicas int32
	// ReplicaLagMax is the broker's replica.lag.time.max.ms: a follower that has not caught up for so long leaves the ISR. 0: 30 s.
	ReplicaLagMax time.Duration
}

// DefaultSettings are Kafka's defaults, with group commit.
func DefaultSettings() Settings {
	return Settings{
		Settings:        commitlog.DefaultSettings(),
		MaxMessageBytes: 1048588,
		FileDeleteDelay: time.Minute,
		TimestampBefore: math.MaxInt64,
		TimestampAfter:  time.Hour,
		Compression:     batch.CodecProducer,

		MinInSyncReplicas: 1,
	}
}

// Validate names every setting that is out of its range.
func (s Settings) Validate() error {
	errs := []error{s.Settings.Validate()}
	if s.MaxMessageBytes < 0 {
		errs = append(errs, fmt.Errorf("max.message.bytes: must not be negative, got %d", s.MaxMessageBytes))
	}
	if s.TimestampBefore < 0 || s.TimestampAfter < 0 {
		errs = append(errs, errors.New("message.timestamp.before.max.ms and message.timestamp.after.max.ms: must not be negative"))
	}
	if s.FlushMessages < 0 || s.FlushInterval < 0 {
		errs = append(errs, errors.New("flush.messages and flush.ms: must not be negative"))
	}
	return errors.Join(errs...)
}

// groupCommit says whether acknowledgements wait for the disk.
func (s Settings) groupCommit() bool { return s.FlushMessages == 0 && s.FlushInterval == 0 }
