package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// linger is how long a shared process that nobody uses is kept.
	linger = 30 * time.Second
	// A program whose process ended by itself is started again after firstDelay, then twice that and so on up to lastDelay,
	// until one has lived for settled.
	firstDelay = 250 * time.Millisecond
	lastDelay  = 30 * time.Second
	settled    = time.Minute
)

// A Supervisor starts plugin processes when they are needed and ends them all.
type Supervisor struct {
	log *slog.Logger

	mu        sync.Mutex
	closed    bool
	programs  map[*program]*programState
	processes map[*process]bool
	closing   sync.WaitGroup // processes being closed
}

// programState is what is known of a program while the worker runs.
type programState struct {
	failures int
	notUntil time.Time

	// starting is held while the shared process is started, so that it is started once. It nests outside of Supervisor.mu.
	starting chan struct{}
	shared   *process
	users    int
	timer    *time.Timer // closes shared; nil while there are users
}

func newSupervisor(log *slog.Logger) *Supervisor {
	return &Supervisor{log: log, programs: make(map[*program]*programState), processes: make(map[*process]bool)}
}

var errClosed = errors.New("the worker is stopping")

func (s *Supervisor) state(p *program) *programState {
	st := s.programs[p]
	if st == nil {
		st = &programState{starting: make(chan struct{}, 1)}
		s.programs[p] = st
	}
	return st
}

// own starts a process for one user, who ends it with the returned function.
func (s *Supervisor) own(ctx context.Context, p *program) (*process, func(), error) {
	proc, err := s.start(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	return proc, sync.OnceFunc(func() { s.end(proc) }), nil
}

// share returns the process that all who call share use, starting it if there is none. The returned function gives it back.
func (s *Supervisor) share(ctx context.Context, p *program) (*process, func(), error) {
	s.mu.Lock()
	st := s.state(p)
	s.mu.Unlock()
	select {
	case st.starting <- struct{}{}:
		defer func() { <-st.starting }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	s.mu.Lock()
	proc := st.shared
	if proc != nil && proc.alive() {
		s.use(st)
		s.mu.Unlock()
		return proc, sync.OnceFunc(func() { s.giveBack(st, proc) }), nil
	}
	s.mu.Unlock()
	if proc != nil {
		s.end(proc)
	}
	proc, err := s.start(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	st.shared, st.users = proc, 0
	s.use(st)
	s.mu.Unlock()
	return proc, sync.OnceFunc(func() { s.giveBack(st, proc) }), nil
}

// use counts a user; mu is held.
func (s *Supervisor) use(st *programState) {
	st.users++
	if st.timer != nil {
		st.timer.Stop()
		st.timer = nil
	}
}

func (s *Supervisor) giveBack(st *programState, proc *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.shared != proc { // it ended, another has its place
		return
	}
	if st.users--; st.users > 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(linger, func() {
		s.mu.Lock()
		if st.timer != timer || st.shared != proc || s.closed {
			s.mu.Unlock()
			return
		}
		st.shared, st.timer = nil, nil
		s.mu.Unlock()
		s.end(proc)
	})
	st.timer = timer
}

// start starts a process once the program's delay is over.
func (s *Supervisor) start(ctx context.Context, p *program) (*process, error) {
	s.mu.Lock()
	wait := time.Until(s.state(p).notUntil)
	s.mu.Unlock()
	if wait > 0 {
		s.log.Info("plugin process ended by itself, waiting before the next", "plugin", p.file, "delay", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("plugin %s: wait to start it again: %w", p.file, ctx.Err())
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	s.closing.Add(1) // Close waits for a start that is under way
	s.mu.Unlock()
	defer s.closing.Done()
	proc, err := startProcess(p, s.log.With("plugin", p.file))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed(p)
		return nil, err
	}
	if s.closed {
		s.closing.Go(proc.close)
		return nil, errClosed
	}
	s.processes[proc] = true
	proc.log.Debug("plugin process started")
	return proc, nil
}

// failed makes the next start of a program wait; mu is held.
func (s *Supervisor) failed(p *program) {
	st := s.state(p)
	delay := min(firstDelay<<min(st.failures, 10), lastDelay)
	st.failures++
	st.notUntil = time.Now().Add(delay)
}

// end closes a process that its last user has left.
func (s *Supervisor) end(proc *process) {
	s.mu.Lock()
	if !s.processes[proc] {
		s.mu.Unlock()
		return
	}
	delete(s.processes, proc)
	if time.Since(proc.began) > settled {
		s.state(proc.program).failures = 0
	}
	if !proc.alive() {
		s.failed(proc.program)
	}
	s.closing.Add(1)
	s.mu.Unlock()
	defer s.closing.Done()
	proc.close()
}

// Close ends all processes and waits for them. What still uses one gets an error.
func (s *Supervisor) Close() error {
	s.mu.Lock()
	s.closed = true
	for proc := range s.processes {
		delete(s.processes, proc)
		s.closing.Go(proc.close)
	}
	for _, st := range s.programs {
		if st.timer != nil {
			st.timer.Stop()
		}
	}
	s.mu.Unlock()
	s.closing.Wait()
	return nil
}
