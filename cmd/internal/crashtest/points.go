package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/cmd/internal/proc"
)

// recordPoints are the points of runtime/internal/killpoint that records pass; all connectors pass them together.
var recordPoints = []string{"after-poll", "after-produce", "after-ack", "before-offsets", "after-offsets",
	"after-put", "pre-commit", "before-sink-commit", "after-sink-commit"}

// The points of a config write; midWrite is any moment of one, and the kill comes from outside.
var configPoints = []string{"after-config", "amid-tasks", midWrite}

const midWrite = "amid-config-write"

// PointOptions say how RunPoints kills.
type PointOptions struct {
	Kills int
	Seed  uint64
	Log   io.Writer
}

// A PointResult is what RunPoints found.
type PointResult struct {
	Kills map[string]int // by point
	Flows []FlowResult
	// Verified is how many records the connector whose configuration is written had in its topic, and Gaps how many it left out.
	Verified, Gaps int
	// Before and After count the config writes that left the configuration before and the one after.
	Before, After int
	Took          time.Duration
}

// A FlowResult is what became of one flow's records.
type FlowResult struct {
	Name                  string
	Fed, Lost, Duplicates int
}

// Lost is the number of all records that are lost.
func (r PointResult) Lost() int {
	lost := r.Gaps
	for _, f := range r.Flows {
		lost += f.Lost
	}
	return lost
}

func (r PointResult) String() string {
	var b strings.Builder
	total := 0
	for _, p := range slices.Concat(recordPoints, configPoints) {
		total += r.Kills[p]
		fmt.Fprintf(&b, "%-20s %4d kills\n", p, r.Kills[p])
	}
	for _, f := range r.Flows {
		fmt.Fprintf(&b, "%-32s %8d records, %d lost, %d duplicates\n", f.Name, f.Fed, f.Lost, f.Duplicates)
	}
	fmt.Fprintf(&b, "%-32s %8d records, %d lost\n", "VerifiableSource -> topic", r.Verified, r.Gaps)
	fmt.Fprintf(&b, "%d config writes cut off: %d left the configuration before, %d the one after\n", r.Before+r.After, r.Before, r.After)
	fmt.Fprintf(&b, "%d kills at %d points, %d lost, %.0f s", total, len(r.Kills), r.Lost(), r.Took.Seconds())
	return b.String()
}

// RunPoints feeds all flows through one worker, whose binary has the tag killpoints, and has it killed at its points, each as often as
// the others. It returns an error if it could not do its work, or if a config write that was cut off left something else than the
// configuration before or the one after; losses are in the result.
func RunPoints(ctx context.Context, w *proc.Worker, flows []Flow, o PointOptions) (PointResult, error) {
	begin := time.Now()
	r := &pointRun{worker: w, opts: o, rand: rand.New(rand.NewPCG(o.Seed, 1)), config: &rewritten{worker: w}}
	w.Env = nil
	if err := startWorker(ctx, w); err != nil {
		return PointResult{}, err
	}
	for _, f := range flows {
		if err := createAll(ctx, w, f); err != nil {
			return PointResult{}, err
		}
	}
	if err := r.config.create(ctx); err != nil {
		return PointResult{}, err
	}
	if err := w.Kill(); err != nil {
		return PointResult{}, err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	background := func(what string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	feeding, stopFeeding := context.WithCancel(ctx)
	defer stopFeeding()
	for _, f := range flows {
		s := &stream{flow: f, moved: make(chan struct{}, 1), stopped: make(chan struct{})}
		r.streams = append(r.streams, s)
		background("collect "+f.Name, func(ctx context.Context) error { return f.Collect(ctx, s.seen) })
		background("feed "+f.Name, func(ctx context.Context) error { return s.feed(ctx, feeding.Done()) })
	}
	background("collect verifiable records", r.config.collect)

	result := PointResult{Kills: make(map[string]int)}
	for i, point := range r.plan() {
		n, err := r.kill(ctx, point)
		if err != nil {
			return result, fmt.Errorf("kill %d, %s: %w", i+1, point, err)
		}
		result.Kills[point]++
		fmt.Fprintf(o.Log, "kill %d: %s:%d\n", i+1, point, n)
	}
	w.Env = nil
	if err := startWorker(ctx, w); err != nil {
		return result, err
	}
	stopFeeding()
	for _, s := range r.streams {
		f, err := s.drain(ctx)
		if err != nil {
			return result, err
		}
		result.Flows = append(result.Flows, f)
	}
	result.Verified, result.Gaps = r.config.count()
	result.Before, result.After = r.config.before, r.config.after
	result.Took = time.Since(begin)
	return result, context.Cause(ctx)
}

type pointRun struct {
	worker  *proc.Worker
	opts    PointOptions
	rand    *rand.Rand
	streams []*stream
	config  *rewritten
}

// plan lists the point of each kill, in a random order.
func (r *pointRun) plan() []string {
	all := slices.Concat(recordPoints, configPoints)
	plan := make([]string, r.opts.Kills)
	for i := range plan {
		plan[i] = all[i%len(all)]
	}
	r.rand.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	return plan
}

// kill starts the worker and returns when it has died at point, in the how-manieth passing.
func (r *pointRun) kill(ctx context.Context, point string) (passing int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the worker does not come there within a minute"))
	defer cancel()
	if slices.Contains(configPoints, point) {
		return 1, r.config.kill(ctx, point, r.rand)
	}
	passing = 1 + r.rand.IntN(20)
	r.worker.Env = []string{fmt.Sprintf("MILLRACE_KILL=%s:%d", point, passing)}
	if err := r.worker.Start(); err != nil {
		return passing, err
	}
	if err := r.worker.Ended(ctx); err != nil {
		return passing, errors.Join(err, r.worker.Kill())
	}
	return passing, r.worker.Killed()
}

// A stream is a flow that is fed as long as it gets through.
type stream struct {
	flow    Flow
	moved   chan struct{}
	stopped chan struct{} // closed when nothing more is fed

	mu                  sync.Mutex
	counts              []uint16 // of each record that was fed
	through, duplicates int
}

const (
	// feedEach and feedEvery make 5000 records a second at most, feedAhead is how many may be under way.
	feedEach  = 100
	feedEvery = 20 * time.Millisecond
	feedAhead = 4000
)

func (s *stream) feed(ctx context.Context, stop <-chan struct{}) error {
	defer close(s.stopped)
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-stop:
			return nil
		}
		s.mu.Lock()
		fed := len(s.counts)
		wanted := fed-s.through < feedAhead
		if wanted {
			s.counts = append(s.counts, make([]uint16, feedEach)...) // before they come out
		}
		s.mu.Unlock()
		if wanted {
			if err := s.flow.Feed(ctx, fed, fed+feedEach); err != nil {
				return err
			}
		}
	}
}

func (s *stream) seen(seq int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < 0 || seq >= len(s.counts) {
		return
	}
	if s.counts[seq] == 0 {
		s.through++
		signal(s.moved)
	} else {
		s.duplicates++
	}
	s.counts[seq] = 1
}

// drain waits until everything came out, or nothing does any more.
func (s *stream) drain(ctx context.Context) (FlowResult, error) {
	<-s.stopped
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		s.mu.Lock()
		r := FlowResult{Name: s.flow.Name, Fed: len(s.counts), Lost: len(s.counts) - s.through, Duplicates: s.duplicates}
		s.mu.Unlock()
		if r.Lost == 0 {
			return r, nil
		}
		select {
		case <-s.moved:
			quiet.Reset(silence)
		case <-quiet.C:
			return r, nil
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}
