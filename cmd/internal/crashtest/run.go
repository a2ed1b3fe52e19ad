package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"millrace/cmd/internal/proc"
)

// A Flow is one way of records through a worker.
type Flow struct {
	Name string
	// Connectors are created when the worker first runs, in this order.
	Connectors []Connector
	// Subscribed waits until nothing that is fed can be missed any more; nil if that is so from the start.
	Subscribed func(ctx context.Context) error
	// Backlog says to feed while the worker's process stands still: for a flow that keeps up with its feeding, and whose
	// records come out few at a time.
	Backlog bool
	// Feed hands over the records from up to but not including to, and returns when the foreign system has them safe.
	Feed func(ctx context.Context, from, to int) error
	// Collect calls seen for every record that comes out, again and again, until ctx ends. It outlives restarts of
	// the worker.
	Collect func(ctx context.Context, seen func(seq int)) error
}

// A Connector is a connector to create.
type Connector struct {
	Name   string
	Tasks  int
	Config map[string]string
}

// Options say how hard a Run is.
type Options struct {
	Records int
	Kills   int
	// Since and Outstanding are the records that must have come through since the last kill, and be under way, at a kill.
	Since, Outstanding int
	Seed               uint64
	Log                io.Writer
}

// A Result is what a Run found.
type Result struct {
	Kills, RecoveryKills int
	Lost, Duplicates     int
	FirstLost            []int // at most ten of the lost
	Took                 time.Duration
}

func (r Result) String() string {
	return fmt.Sprintf("%d kills (%d of them during recovery), %d lost, %d duplicates, %.0f s", r.Kills, r.RecoveryKills, r.Lost, r.Duplicates, r.Took.Seconds())
}

// silence is how long nothing may come out before what is missing counts as lost.
const silence = 20 * time.Second

// Run feeds a flow through w and kills w meanwhile. It returns an error if it could not do its work; losses are in the result.
func Run(ctx context.Context, w *proc.Worker, f Flow, o Options) (Result, error) {
	begin := time.Now()
	r := &run{flow: f, worker: w, opts: o, rand: rand.New(rand.NewPCG(o.Seed, 0)), counts: make([]uint16, o.Records),
		moved: make(chan struct{}, 1), granted: make(chan struct{}, 1)}
	if err := startWorker(ctx, w); err != nil {
		return Result{}, err
	}
	if err := createAll(ctx, w, f); err != nil {
		return Result{}, err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	wg.Go(func() {
		if err := f.Collect(ctx, r.seen); err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("collect: %w", err))
		}
	})
	wg.Go(func() {
		if err := r.feed(ctx); err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("feed: %w", err))
		}
	})
	result := Result{}
	for result.Kills+result.RecoveryKills < o.Kills {
		if err := r.killAtWork(ctx, result.Kills+result.RecoveryKills+1); err != nil {
			return result, err
		}
		result.Kills++
		if result.RecoveryKills == 0 && result.Kills >= o.Kills/2 {
			if err := r.killInRecovery(ctx); err != nil {
				return result, err
			}
			result.RecoveryKills++
		}
		if err := startWorker(ctx, w); err != nil {
			return result, err
		}
	}
	if err := r.drain(ctx); err != nil {
		return result, err
	}
	r.count(&result)
	result.Took = time.Since(begin)
	return result, nil
}

type run struct {
	flow    Flow
	worker  *proc.Worker
	opts    Options
	rand    *rand.Rand
	moved   chan struct{} // something was fed or came out
	granted chan struct{} // more may be fed

	mu      sync.Mutex
	allowed int // how far may be fed
	fed     int
	through int // records that came out at least once
	killed  int // through at the last kill
	counts  []uint16
}

// burst is how much is fed at once: a worker that is faster than the feeding has a backlog for a moment all the same.
func (r *run) burst() int { return r.opts.Since + r.opts.Outstanding + 1000 }

// grant allows one more burst to be fed, unless the last one is still being fed or the worker has enough to do.
func (r *run) grantLocked() {
	if r.fed < r.allowed || r.fed-r.through > 2*r.burst() {
		return
	}
	r.allowed = min(r.allowed+r.burst(), r.opts.Records)
	signal(r.granted)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// startWorker starts the worker and waits until it answers.
func startWorker(ctx context.Context, w *proc.Worker) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := w.Start(); err != nil {
		return err
	}
	return w.Ready(ctx)
}

// createAll creates a flow's connectors and waits until they run.
func createAll(ctx context.Context, w *proc.Worker, f Flow) error {
	for _, c := range f.Connectors {
		if err := w.Create(ctx, c.Name, c.Config); err != nil {
			return err
		}
		if err := w.Running(ctx, c.Name, c.Tasks); err != nil {
			return err
		}
	}
	if f.Subscribed == nil {
		return nil
	}
	return f.Subscribed(ctx)
}

// feedStep bounds what is fed at once: a flow may feed it in one transaction.
const feedStep = 3000

// feed hands over what is allowed.
func (r *run) feed(ctx context.Context) error {
	for fed := 0; fed < r.opts.Records; {
		r.mu.Lock()
		to := min(r.allowed, fed+feedStep)
		r.mu.Unlock()
		if fed == to {
			select {
			case <-r.granted:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := r.flow.Feed(ctx, fed, to); err != nil {
			return err
		}
		fed = to
		r.mu.Lock()
		r.fed = fed
		r.mu.Unlock()
		signal(r.moved)
	}
	return nil
}

func (r *run) seen(seq int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq < 0 || seq >= len(r.counts) {
		return
	}
	if r.counts[seq] == 0 {
		r.through++
	}
	r.counts[seq]++
	signal(r.moved)
}

// killAtWork waits for a random moment, until enough came through and enough is under way, and kills.
func (r *run) killAtWork(ctx context.Context, number int) error {
	timeout := time.NewTimer(2 * time.Minute)
	defer timeout.Stop()
	moment := time.NewTimer(time.Duration(r.rand.Int64N(int64(500 * time.Millisecond))))
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// Then a moment within the backlog: how much of it is done when the kill comes.
	done := r.rand.IntN(max(1, r.opts.Outstanding/4))
	working := 0 // through must get here first: the worker has stood still
	for {
		r.mu.Lock()
		since, outstanding, fed, through := r.through-r.killed, r.fed-r.through, r.fed, r.through
		due := since >= r.opts.Since+done && outstanding >= r.opts.Outstanding && through >= working
		still := false
		switch {
		case due:
			r.killed = r.through
		case r.flow.Backlog:
			still = outstanding < r.opts.Outstanding && r.fed == r.allowed && r.fed < r.opts.Records
		default:
			r.grantLocked()
		}
		r.mu.Unlock()
		if still {
			if err := r.refill(ctx); err != nil {
				return err
			}
			working = through + 50
			continue
		}
		if due {
			fmt.Fprintf(r.opts.Log, "%s: kill %d at fed %d, through %d: %d since the last kill, %d under way\n", r.flow.Name, number, fed, through, since, outstanding)
			return r.worker.Kill()
		}
		select {
		case <-r.moved:
		case <-timeout.C:
			return fmt.Errorf("kill %d: not enough moved: fed %d, through %d, %d since the last kill", number, fed, through, since)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refill has a burst fed while the worker's process stands still, so that it has a backlog when it goes on.
func (r *run) refill(ctx context.Context) (err error) {
	if err := r.worker.Pause(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.worker.Continue()) }()
	r.mu.Lock()
	r.grantLocked()
	r.mu.Unlock()
	for {
		r.mu.Lock()
		done := r.fed >= r.allowed
		r.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-r.moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// killInRecovery starts the worker and kills it when it says that it recovers a log.
func (r *run) killInRecovery(ctx context.Context) error {
	if err := r.worker.Start(); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := r.worker.Logged(wait, "recover"); err != nil {
		return fmt.Errorf("the worker did not say that it recovers a log: %w", err)
	}
	fmt.Fprintf(r.opts.Log, "%s: kill during recovery\n", r.flow.Name)
	return r.worker.Kill()
}

// drain waits until everything came out, or nothing does any more.
func (r *run) drain(ctx context.Context) error {
	r.mu.Lock()
	r.allowed = r.opts.Records
	r.mu.Unlock()
	signal(r.granted)
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		r.mu.Lock()
		done := r.fed == r.opts.Records && r.through == r.opts.Records
		r.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-r.moved:
			quiet.Reset(silence)
		case <-quiet.C:
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.fed < r.opts.Records {
				return errors.New("feeding stands still")
			}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *run) count(result *Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for seq, n := range r.counts {
		if n == 0 {
			result.Lost++
			if len(result.FirstLost) < 10 {
				result.FirstLost = append(result.FirstLost, seq)
			}
			continue
		}
		result.Duplicates += int(n) - 1
	}
}
