package commitlog

import (
	"context"
	"sync"
	"time"
)

// Sync makes everything appended before the call durable and returns the offset it reaches. Segments closed since the
// last call get their index files and producer snapshot. A failure is final for this log: ErrStorage. That there is no space
// for those files is no failure.
func (l *Log) Sync() (durable int64, err error) {
	synced, err := l.sync()
	if l.onSync != nil {
		l.onSync(synced, err)
	}
	return synced.Offset, err
}

func (l *Log) sync() (Synced, error) {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.RLock()
	reach := Synced{l.end, l.appended}
	failed, newNames := l.failed, l.newNames
	var room [4]*segment
	todo := room[:0]
	for i := len(l.segments) - 1; i >= 0; i-- {
		s := l.segments[i]
		closed := i < len(l.segments)-1
		if s.synced == s.size && (!closed || s.idx == nil) {
			if closed {
				break // closed segments are finished in order
			}
			continue
		}
		todo = append(todo, s)
	}
	active := l.segments[len(l.segments)-1]
	l.mu.RUnlock()
	if failed != nil {
		return Synced{}, failed
	}
	for i := len(todo) - 1; i >= 0; i-- {
		if err := l.syncSegment(todo[i], todo[i] != active); err != nil {
			return Synced{}, l.failSync(err)
		}
	}
	if newNames {
		if err := l.fs.SyncDir(l.dir); err != nil {
			return Synced{}, l.failSync(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if newNames && l.segments[len(l.segments)-1] == active {
		l.newNames = false
	}
	l.durable = max(l.durable, reach.Offset)
	return reach, nil
}

// syncSegment syncs one segment, and if it is closed writes what belongs beside it. syncMu is held.
func (l *Log) syncSegment(s *segment, closed bool) error {
	l.mu.RLock()
	size := s.size
	l.mu.RUnlock()
	file, err := s.file.acquire()
	if err != nil {
		return err
	}
	err = file.Sync()
	s.file.release()
	if err != nil {
		return err
	}
	written := false
	if closed && s.idx != nil {
		if written, err = l.writeBeside(s); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.synced = size
	if s.size == size {
		s.file.pin(false)
	}
	if closed {
		l.newNames = true // index files; SyncDir follows, in this round or the next
	}
	if written {
		s.idx, s.snapshot = nil, nil
	}
	return nil
}

// writeBeside writes the index files and the producer snapshot of a closed segment. On a full disk there are none for now:
// they follow from the batches, which are synced, so they stay in memory for the next sync to try again.
func (l *Log) writeBeside(s *segment) (written bool, err error) {
	err = s.writeIndexes(l.fs)
	if err == nil || !NoSpace(err) || len(s.aborted) > 0 {
		return err == nil, err
	}
	if s.synced < s.size {
		l.logger.Warn("no space for the index of a segment; it stays in memory", "file", s.file.path, "err", err)
	}
	// What is there may be from before the last batches of the segment, and would be taken for whole after a crash.
	return false, s.removeIndexes(l.fs)
}

// failSync is fail for a sync. Even a full disk is final here: which pages made it is unknown.
func (l *Log) failSync(cause error) error {
	return l.failAnyway("sync", cause)
}

// Syncer is the group commit of a process: appends of many connections and partitions share the syncs that make them
// durable. While one sync of a log runs, whatever is appended to it waits for the next, together. Different logs sync
// side by side, and the file system merges what it can.
type Syncer struct {
	// Observe, if not nil, is told how long each sync took. Set it before Run.
	Observe func(took time.Duration)

	workers int

	mu      sync.Mutex
	ready   sync.Cond
	queue   []*Log // logs to sync, each once
	state   map[*Log]syncState
	stopped bool
}

type syncState int8

const (
	syncQueued  syncState = iota + 1 // in the queue
	syncRunning                      // being synced
	syncAgain                        // being synced, and asked for once more since
)

// NewSyncer makes a Syncer that syncs up to workers logs at the same time; 0 is 4.
func NewSyncer(workers int) *Syncer {
	if workers <= 0 {
		workers = 4
	}
	s := &Syncer{workers: workers, state: make(map[*Log]syncState)}
	s.ready.L = &s.mu
	return s
}

// Schedule asks for a sync of l that starts after this call; its OnSync says when it is done. It does not block.
func (s *Syncer) Schedule(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state[l] {
	case 0:
		s.state[l] = syncQueued
		s.queue = append(s.queue, l)
		s.ready.Signal()
	case syncRunning:
		s.state[l] = syncAgain
	}
}

// Run syncs the logs that were scheduled until ctx ends. What is scheduled and not begun by then stays so; closing a
// log syncs it.
func (s *Syncer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopped = true
		s.ready.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(s.work)
	}
	wg.Wait()
	return nil
}

func (s *Syncer) work() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.queue) == 0 && !s.stopped {
			s.ready.Wait()
		}
		if s.stopped {
			return
		}
		l := s.queue[0]
		s.queue = append(s.queue[:0], s.queue[1:]...)
		s.state[l] = syncRunning
		s.mu.Unlock()
		began := time.Now()
		_, _ = l.Sync() // the log keeps its error and OnSync has been told
		if s.Observe != nil {
			s.Observe(time.Since(began))
		}
		s.mu.Lock()
		if s.state[l] == syncAgain {
			s.state[l] = syncQueued
			s.queue = append(s.queue, l)
		} else {
			delete(s.state, l)
		}
	}
}
