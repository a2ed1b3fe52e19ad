package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/offsets"
	"millrace/runtime/internal/killpoint"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/vitals"
)

// Config is what a Task needs. All fields are required except Topics, DeadLetters and Used.
type Config struct {
	Connector  string
	ID         int
	TaskConfig map[string]string
	// Class names the task's class in errors.
	Class    string
	Source   connectors.SourceTask
	Pipeline *pipeline.Pipeline
	// Producer may be shared by many tasks; its buffer must have no limit.
	Producer *kgo.Client
	Offsets  offsets.Store
	// Topics creates topics before their first record; nil leaves it to the broker.
	Topics *TopicCreation
	// DeadLetters gets records that fail.
	DeadLetters *pipeline.DeadLetterQueue
	// Used hears of each topic that the task writes to, again and again but not for each record.
	Used func(topic string)
	// Report hears of RUNNING and PAUSED.
	Report func(State)

	FlushInterval, FlushTimeout time.Duration
	// MaxRecords and MaxBytes bound what is under way.
	MaxRecords int
	MaxBytes   int64
	Counts     Counts
	Logger     connectors.Logger
}

// A State is what a running task reports.
type State string

// The states.
const (
	Running State = "RUNNING"
	Paused  State = "PAUSED"
)

// Counts count records and commits.
type Counts struct {
	Polled, Written, Dropped, CommitFailures prometheus.Counter
	CommitSeconds                            prometheus.Observer
}

// A Task is one life of a source task.
type Task struct {
	cfg     Config
	class   string
	budget  budget
	tracker tracker
	letters letters
	account vitals.Account
	started atomic.Bool
	// commits feeds CommitRecords; nil if the task has none.
	commits *commitQueue
	flushes sync.Mutex // one flush at a time

	// topics are the topics seen, lastTopic the one of the last record.
	topics    map[string]bool
	lastTopic string
	scratch   connectors.Record

	// changed holds a token when paused, stopped or err changed.
	changed chan struct{}

	mu      sync.Mutex
	paused  bool
	stopped bool
	err     error
	// polling is true during a poll, asked when it was asked to end first.
	polling bool
	asked   time.Time
	// interrupt ends the current poll, endWork whatever waits between polls. Both are nil before Run.
	interrupt, endWork context.CancelFunc
}

// New returns a task that is not running yet.
func New(cfg Config, paused bool) *Task {
	t := &Task{cfg: cfg, class: cfg.Class, topics: make(map[string]bool), paused: paused,
		changed: make(chan struct{}, 1)}
	t.budget.limit.records, t.budget.limit.bytes = cfg.MaxRecords, cfg.MaxBytes
	return t
}

// SetPaused pauses or resumes.
func (t *Task) SetPaused(paused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = paused
	t.wakeLocked()
}

// Stop asks the task to end: no more polls, what is under way is waited for, offsets are committed.
func (t *Task) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped && t.endWork != nil {
		// What was polled may still be sent, but nothing is waited for much longer.
		time.AfterFunc(stopPatience, t.endWork)
	}
	t.stopped = true
	t.wakeLocked()
}

const stopPatience = time.Second

// fail ends the task with err; it does not block.
func (t *Task) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	if t.endWork != nil {
		t.endWork()
	}
	t.wakeLocked()
}

func (t *Task) wakeLocked() {
	if t.polling && t.asked.IsZero() {
		t.asked = time.Now()
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
	if t.interrupt != nil {
		t.interrupt()
	}
}

// status returns what the loop must do next. ctx is good for a poll: it ends when the answer may have changed.
func (t *Task) status(life context.Context) (ctx context.Context, paused, stop bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.interrupt != nil {
		t.interrupt()
	}
	ctx, t.interrupt = context.WithCancel(life)
	return ctx, t.paused, t.stopped || life.Err() != nil, t.err
}

// Run runs the task until Stop, or until it fails, or until ctx ends: then at once, with nothing more committed. When it returns
// nothing of the task runs any more, unless a plugin call ignores its context; then it returns when that call does.
func (t *Task) Run(ctx context.Context) (err error) {
	life, end := context.WithCancel(ctx)
	work := t.begin(life)
	if c, ok := t.cfg.Source.(connectors.RecordCommitter); ok {
		t.commits = newCommitQueue(t, c)
	}
	var wg sync.WaitGroup
	if err = t.start(work); err == nil {
		t.started.Store(true)
		if t.commits != nil {
			wg.Go(func() { t.commits.run(life) })
		}
		flushing, stopFlushing := context.WithCancel(life)
		wg.Go(func() { t.flushLoop(flushing, life) })
		err = t.loop(life, work)
		stopFlushing()
		t.drain(life)
		if err == nil {
			err = t.failure() // a record that was under way when the task was asked to stop
		}
	}
	end()
	wg.Wait()
	if ctx.Err() == nil && t.interrupted(err) {
		err = nil
	}
	if serr := t.stop(ctx); err == nil {
		err = serr
	}
	return err
}

// begin returns the context of everything that may wait between polls.
func (t *Task) begin(life context.Context) context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	var work context.Context
	work, t.endWork = context.WithCancel(life)
	if t.stopped {
		t.endWork()
	}
	return work
}

// interrupted reports whether err only says that the task was asked to stop.
func (t *Task) interrupted(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped && errors.Is(err, context.Canceled)
}

func (t *Task) start(ctx context.Context) (err error) {
	defer pipeline.Recover(&err)
	return t.cfg.Source.Start(ctx, taskContext{t}, t.cfg.TaskConfig)
}

func (t *Task) stop(ctx context.Context) (err error) {
	defer pipeline.Recover(&err)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.FlushTimeout)
	defer cancel()
	if err := t.cfg.Source.Stop(stopCtx); err != nil {
		t.cfg.Logger.Warn("stopping the task failed", "err", err)
	}
	return nil
}

// loop polls until the task must end.
func (t *Task) loop(life, work context.Context) (err error) {
	defer pipeline.Recover(&err)
	ctx, paused, stop, err := t.status(life)
	reported := State("")
	pause := firstPause
	for err == nil && !stop {
		if want := state(paused); want != reported {
			t.cfg.Report(want)
			reported = want
		}
		if paused {
			t.sleep(life, 0)
		} else {
			polled, perr := t.poll(ctx)
			switch {
			case perr == nil:
				pause = firstPause
			case ctx.Err() != nil && errors.Is(perr, ctx.Err()):
			case connectors.Retriable(perr):
				t.cfg.Logger.Warn("poll failed, trying again", "err", perr)
				t.sleep(life, pause)
				pause = min(2*pause, lastPause)
			default:
				return perr
			}
			if err := t.send(work, polled); err != nil {
				return err
			}
			if ctx.Err() == nil {
				// Nothing has changed: the same context serves the next poll.
				continue
			}
		}
		ctx, paused, stop, err = t.status(life)
	}
	return err
}

func (t *Task) poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	t.mu.Lock()
	t.polling = true
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.polling, t.asked = false, time.Time{}
		t.mu.Unlock()
	}()
	return t.cfg.Source.Poll(ctx)
}

// Vitals may be called at any time.
func (t *Task) Vitals() vitals.Vitals {
	v := vitals.Vitals{Records: t.account.Records(), Lag: -1}
	if since := t.account.Oldest(); !since.IsZero() {
		v.Waits = append(v.Waits, vitals.Wait{What: "the log has not acknowledged records", Since: since})
	}
	t.mu.Lock()
	asked := t.asked
	t.mu.Unlock()
	if !asked.IsZero() {
		v.Waits = append(v.Waits, vitals.Wait{What: "a poll does not end though it was asked to", Since: asked})
	}
	if p, ok := t.cfg.Source.(connectors.PeerReporter); ok && t.started.Load() {
		v.Waits = append(v.Waits, vitals.Unreachable(p)...)
	}
	return v
}

const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

func state(paused bool) State {
	if paused {
		return Paused
	}
	return Running
}

// sleep waits for d, or until something changes; 0 is forever.
func (t *Task) sleep(ctx context.Context, d time.Duration) {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-t.changed:
	case <-after:
	case <-ctx.Done():
	}
}

// send produces a polled batch. When work ends, what was not produced comes again at the task's next start.
func (t *Task) send(work context.Context, polled []connectors.SourceRecord) error {
	t.cfg.Counts.Polled.Add(float64(len(polled)))
	t.account.Take(len(polled))
	for len(polled) > 0 {
		killpoint.Pass(killpoint.AfterPoll)
		n := min(len(polled), chunkRecords)
		c, err := t.prepare(work, polled[:n:n])
		if err == nil {
			err = t.produce(work, c)
		}
		if work.Err() != nil {
			return t.failure()
		}
		if err != nil {
			return err
		}
		polled = polled[n:]
	}
	return nil
}

func (t *Task) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// drain waits for what is under way and commits it.
func (t *Task) drain(life context.Context) {
	ctx, cancel := context.WithTimeout(life, t.cfg.FlushTimeout)
	defer cancel()
	if err := t.letters.await(ctx); err != nil && life.Err() == nil {
		t.cfg.Logger.Warn("records were still on their way to the dead letter queue when the task ended; they may come again")
	}
	if err := t.budget.await(ctx); err != nil && life.Err() == nil {
		t.cfg.Logger.Warn("records were still on their way to the log when the task ended; they may come again",
			"records", t.budget.used())
	}
	if life.Err() == nil {
		t.flush(life)
	}
}

// ensureTopic makes sure that a topic exists, once per topic, and tells that it is used, for each chunk.
func (t *Task) ensureTopic(ctx context.Context, topic string) error {
	if topic == t.lastTopic {
		return nil
	}
	if !t.topics[topic] {
		if t.cfg.Topics != nil {
			if err := t.createTopic(ctx, topic); err != nil {
				return err
			}
		}
		t.topics[topic] = true
	}
	if t.cfg.Used != nil {
		t.cfg.Used(topic)
	}
	t.lastTopic = topic
	return nil
}

func (t *Task) createTopic(ctx context.Context, topic string) error {
	for {
		err := t.cfg.Topics.Ensure(ctx, topic)
		if err == nil || !connectors.Retriable(err) {
			return err
		}
		t.cfg.Logger.Warn("topic cannot be created, trying again", "topic", topic, "err", err)
		t.sleep(ctx, topicPause)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

const topicPause = 100 * time.Millisecond

// taskContext is what the task is given.
type taskContext struct{ t *Task }

var _ connectors.SourceTaskContext = taskContext{}

func (c taskContext) Offset(ctx context.Context, p *connectors.SourcePartition) (map[string]any, error) {
	found, err := c.Offsets(ctx, []*connectors.SourcePartition{p})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (c taskContext) Offsets(ctx context.Context, ps []*connectors.SourcePartition) ([]map[string]any, error) {
	maps := make([]map[string]any, len(ps))
	for i, p := range ps {
		maps[i] = p.Map()
	}
	found, err := c.t.cfg.Offsets.Get(ctx, c.t.cfg.Connector, maps)
	if err != nil {
		return nil, fmt.Errorf("read source offsets: %w", err)
	}
	return found, nil
}

func (c taskContext) ConnectorName() string     { return c.t.cfg.Connector }
func (c taskContext) TaskID() int               { return c.t.cfg.ID }
func (c taskContext) Logger() connectors.Logger { return c.t.cfg.Logger }
