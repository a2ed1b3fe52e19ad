package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/broker/batch"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Log is one partition of __consumer_offsets. *partition.Partition is one.
type Log interface {
	Append(leaderEpoch int32, records []byte, o partition.AppendOptions) (partition.AppendResult, error)
	Read(offset int64, maxBytes int, minOneBatch bool, isolation partition.Isolation) (partition.ReadResult, error)
	WhenDurable(lastOffset int64, done func(error))
	LogStartOffset() int64
	LogEndOffset() int64
}

var _ Log = (*partition.Partition)(nil)

// shard runs the machine of one partition while this node leads it. Requests come through events, which has no buffer:
// what was sent is handled.
type shard struct {
	index int32
	epoch int32
	log   Log
	cfg   *Config
	image *atomic.Pointer[metadata.Image] // the coordinator's
	slog  *slog.Logger

	// after, if not nil, is closed when the shard of the former epoch has ended.
	after   <-chan struct{}
	cancel  context.CancelFunc // set when it runs; with stopped under the coordinator's mutex
	stopped bool
	events  chan event
	done    chan struct{} // closed when run has returned
	failed  chan error    // a sync failed; has room for one
	wake    chan struct{} // deleted is not empty; has room for one

	mu      sync.Mutex
	deleted []string // topics whose offsets are to be forgotten

	groups atomic.Int64 // how many there are

	begun  time.Time // of the loading
	loaded chan struct{}

	// The rest belongs to run.

	lastOffset int64 // of the newest append, -1: none
	builder    batch.Builder
	buf        []byte
}

// event is one request: run gives it to the machine, refuse answers it with an error.
type event struct {
	run    func(m *machine)
	refuse func(err error)
}

const (
	// maxRound is how many requests share one append.
	maxRound = 1000
	// batchBytes is the size at which records go into another batch.
	batchBytes = 1 << 20
	// loadGrace is how long requests wait for a load before they are told that one is in progress.
	loadGrace = 500 * time.Millisecond
	// reloadDelay is the pause after a load that failed.
	reloadDelay = time.Second
)

// submit hands a request over, or refuses it.
func (s *shard) submit(ev event) {
	select {
	case <-s.loaded:
	default:
		grace := time.NewTimer(loadGrace - s.cfg.Clock().Sub(s.begun))
		defer grace.Stop()
		select {
		case <-s.loaded:
		case <-grace.C:
			ev.refuse(kerr.CoordinatorLoadInProgress)
			return
		case <-s.done:
		}
	}
	select {
	case s.events <- ev:
	case <-s.done:
		ev.refuse(kerr.NotCoordinator)
	}
}

// forgetTopics has the offsets of deleted topics forgotten.
func (s *shard) forgetTopics(topics []string) {
	s.mu.Lock()
	s.deleted = append(s.deleted, topics...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run loads the partition and answers requests until ctx ends.
func (s *shard) run(ctx context.Context) {
	defer close(s.done)
	if s.after != nil {
		<-s.after
	}
	m := s.recover(ctx)
	if m == nil {
		return
	}
	close(s.loaded)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer s.groups.Store(0)
	for {
		s.groups.Store(int64(len(m.groups)))
		timer.Reset(m.timers.next().Sub(s.cfg.Clock()))
		var err error
		select {
		case <-ctx.Done():
			s.end(m, kerr.NotCoordinator)
			return
		case err = <-s.failed:
		case ev := <-s.events:
			m.now = s.cfg.Clock()
			s.round(m, ev)
		case <-timer.C:
		case <-s.wake:
			m.now = s.cfg.Clock()
			s.dropDeleted(m)
		}
		m.now = s.cfg.Clock()
		m.tick()
		if err == nil {
			err = s.flush(m)
		}
		if err != nil {
			s.slog.Error("group state is loaded again after a failed write", "err", err)
			s.end(m, kerr.CoordinatorNotAvailable)
			if m = s.recover(ctx); m == nil {
				return
			}
		}
	}
}

// round runs a request and those that wait behind it.
func (s *shard) round(m *machine, ev event) {
	for n := 1; ; n++ {
		ev.run(m)
		if n == maxRound {
			return
		}
		select {
		case ev = <-s.events:
		default:
			return
		}
	}
}

func (s *shard) dropDeleted(m *machine) {
	s.mu.Lock()
	gone := make(map[string]bool, len(s.deleted))
	for _, t := range s.deleted {
		gone[t] = true
	}
	s.deleted = nil
	s.mu.Unlock()
	m.dropOffsets(func(topic string) bool { return gone[topic] })
}

// end answers everything that waits.
func (s *shard) end(m *machine, err error) {
	m.unload(err)
	for _, answer := range m.take().answers {
		answer(err)
	}
}

// flush appends what the machine wrote and gives its answers when that, and all before it, is durable.
func (s *shard) flush(m *machine) error {
	out := m.take()
	if err := s.append(out.records, m.now); err != nil {
		for _, answer := range out.answers {
			answer(kerr.CoordinatorNotAvailable)
		}
		return err
	}
	if len(out.answers) == 0 && len(out.records) == 0 {
		return nil
	}
	if s.lastOffset < 0 {
		for _, answer := range out.answers {
			answer(nil)
		}
		return nil
	}
	s.log.WhenDurable(s.lastOffset, func(err error) {
		var failed error
		if err != nil {
			failed = kerr.CoordinatorNotAvailable
			select {
			case s.failed <- err:
			default:
			}
		}
		for _, answer := range out.answers {
			answer(failed)
		}
	})
	return nil
}

func (s *shard) append(records []record, now time.Time) error {
	for len(records) > 0 {
		s.builder.Reset(batch.NoProducer())
		n := 0
		for n < len(records) && (n == 0 || s.builder.Size() < batchBytes) {
			s.builder.Add(now.UnixMilli(), records[n].key, records[n].value)
			n++
		}
		records = records[n:]
		b, _, err := s.builder.Build(s.buf[:0])
		if err != nil {
			return fmt.Errorf("build offsets batch: %w", err)
		}
		s.buf = b
		res, err := s.log.Append(s.epoch, b, partition.AppendOptions{Internal: true, AllAcks: true})
		if err != nil {
			return err
		}
		s.lastOffset = res.LastOffset
	}
	if cap(s.buf) > 2*batchBytes {
		s.buf = nil
	}
	return nil
}

// recover loads a new machine, trying until it works. It returns nil when ctx ends first.
func (s *shard) recover(ctx context.Context) *machine {
	for logged := false; ; logged = true {
		m, err := s.load(ctx)
		if err == nil {
			return m
		}
		if ctx.Err() != nil {
			return nil
		}
		if !logged {
			s.slog.Error("group state cannot be loaded, trying again", "err", err)
		}
		retry := time.NewTimer(reloadDelay)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				waiting = false
			case <-retry.C:
				waiting = false
			case ev := <-s.events:
				ev.refuse(kerr.CoordinatorNotAvailable)
			}
		}
		retry.Stop()
	}
}

// load replays the partition into a new machine.
func (s *shard) load(ctx context.Context) (*machine, error) {
	select {
	case <-s.failed: // of the state that is thrown away
	default:
	}
	s.lastOffset = -1
	m := newMachine(s.cfg.Settings, s.cfg.Clock(), s.cfg.NewID)
	unknown := 0
	end := s.log.LogEndOffset()
	for next := s.log.LogStartOffset(); next < end; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		read, err := s.log.Read(next, batchBytes, true, partition.ReadReplica)
		if err != nil {
			return nil, fmt.Errorf("read offset %d: %w", next, err)
		}
		before := next
		next, err = s.replay(m, read.Records, next, &unknown)
		read.Release()
		if err != nil {
			return nil, err
		}
		if next == before {
			break // compaction took what was behind: the active segment is empty
		}
	}
	m.loaded(s.cfg.Gone)
	image := s.image.Load()
	m.dropOffsets(func(topic string) bool { return image.Topic(topic) == nil })
	if unknown > 0 {
		s.slog.Warn("records of kinds that this release does not know were skipped", "records", unknown)
	}
	s.lastOffset = end - 1
	return m, nil
}

func (s *shard) replay(m *machine, records []byte, next int64, unknown *int) (int64, error) {
	for len(records) > 0 {
		b, rest, err := batch.Frame(records)
		if errors.Is(err, batch.ErrShort) {
			break
		}
		if err != nil {
			return next, fmt.Errorf("offset %d: %w", next, err)
		}
		records, next = rest, b.NextOffset()
		if b.Control() {
			continue
		}
		err = b.Each(0, func(r *batch.Record) error {
			known, err := m.load(r.Key, r.Value)
			if err != nil {
				// One damaged record must not take all groups of the partition away.
				s.slog.Error("group record skipped", "offset", r.Offset, "err", err)
			} else if !known {
				*unknown++
			}
			return nil
		})
		if err != nil {
			return next, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
	}
	return next, nil
}
