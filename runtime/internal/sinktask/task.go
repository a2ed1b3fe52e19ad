package sinktask

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
	"millrace/plugins/javaregex"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/vitals"
)

// Config is what a Task needs. DeadLetters and Used may be nil.
type Config struct {
	Connector  string
	ID         int
	TaskConfig map[string]string
	Sink       connectors.SinkTask
	Pipeline   *pipeline.Pipeline
	// Consumer are the options of the consumer, without group and topics.
	Consumer []kgo.Opt
	Group    string
	// Topics, or TopicsRegex in Java's syntax, which must match the whole name of a topic. RegexInterval is how often topics
	// are looked for; 0 is a minute.
	Topics        []string
	TopicsRegex   string
	RegexInterval time.Duration
	// NoAutoCreate keeps the consumer from having missing Topics made.
	NoAutoCreate bool
	// MaxPoll is the most records of a Put.
	MaxPoll     int
	DeadLetters *DeadLetters
	// Used hears of each topic that the task reads from, again and again but not for each record.
	Used func(topic string)
	// Report hears of RUNNING and PAUSED.
	Report func(State)

	CommitInterval, CommitTimeout time.Duration
	Counts                        Counts
	Logger                        connectors.Logger
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
	Read, Put, CommitFailures prometheus.Counter
	CommitSeconds             prometheus.Observer
}

// A Task is one life of a sink task.
type Task struct {
	cfg      Config
	consumer *kgo.Client
	pattern  *javaregex.Regexp // TopicsRegex; nil for a list of topics

	// What follows belongs to Run's goroutine.
	parts      map[connectors.TopicPartition]*partition
	batch      batch
	rewinds    map[connectors.TopicPartition]int64
	timeout    time.Duration // SinkTaskContext.SetTimeout, 0 unset
	nextCommit time.Time
	committing *commit // the commit under way
	seq        int

	account vitals.Account
	pace    pace
	started atomic.Bool

	// changed holds a token when something below changed.
	changed chan struct{}
	// ended is closed when requests are not served any more.
	ended chan struct{}

	mu        sync.Mutex
	paused    bool
	stopped   bool
	commitNow bool
	err       error
	requests  []*rebalance
	finished  []*commit
	interrupt context.CancelFunc // ends the current poll
}

// New returns a task that is not running yet.
func New(cfg Config, paused bool) *Task {
	return &Task{
		cfg: cfg, paused: paused,
		parts:   make(map[connectors.TopicPartition]*partition),
		changed: make(chan struct{}, 1),
		ended:   make(chan struct{}),
	}
}

// SetPaused pauses or resumes.
func (t *Task) SetPaused(paused bool) { t.change(func() { t.paused = paused }) }

// Stop asks the task to end: what was put is flushed and committed.
func (t *Task) Stop() { t.change(func() { t.stopped = true }) }

// Fail ends the task with err; it does not block.
func (t *Task) Fail(err error) {
	t.change(func() {
		if t.err == nil {
			t.err = err
		}
	})
}

func (t *Task) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	select {
	case t.changed <- struct{}{}:
	default:
	}
	if t.interrupt != nil {
		t.interrupt()
	}
}

// Run runs the task until Stop, or until it fails, or until ctx ends: then at once, with nothing more committed.
func (t *Task) Run(ctx context.Context) (err error) {
	defer close(t.ended)
	opts, err := t.subscription()
	if err != nil {
		return err
	}
	if err = t.start(ctx); err == nil {
		t.started.Store(true)
		err = t.consume(ctx, opts)
	}
	if serr := t.stop(ctx); err == nil {
		err = serr
	}
	return err
}

func (t *Task) start(ctx context.Context) (err error) {
	defer pipeline.Recover(&err)
	startCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.mu.Lock()
	t.interrupt = func() { // called with the lock held
		if t.stopped {
			cancel()
		}
	}
	t.interrupt()
	t.mu.Unlock()
	err = t.cfg.Sink.Start(startCtx, taskContext{t}, t.cfg.TaskConfig)
	if t.isStopped() && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (t *Task) stop(ctx context.Context) (err error) {
	defer pipeline.Recover(&err)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.CommitTimeout)
	defer cancel()
	if err := t.cfg.Sink.Stop(stopCtx); err != nil {
		t.cfg.Logger.Warn("stopping the task failed", "err", err)
	}
	return nil
}

func (t *Task) consume(ctx context.Context, opts []kgo.Opt) (err error) {
	if t.consumer, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("consumer: %w", err)
	}
	defer t.leave(ctx)
	defer t.refuseRequests()
	if t.pattern != nil {
		watching, end := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() { t.watchTopics(watching) })
		defer watch.Wait()
		defer end()
	}
	err = t.loop(ctx)
	if ctx.Err() == nil {
		if cerr := t.closeAll(ctx); cerr != nil {
			t.cfg.Logger.Error("closing partitions failed", "err", cerr)
		}
	}
	return err
}

// leaveTimeout bounds leaving the group: with nobody to answer, a consumer that is still joining would wait for ever. It is
// above the 3 s that a coordinator lets the first member of a group wait, before which a joining one cannot leave.
const leaveTimeout = 4 * time.Second

// leave leaves the group and closes the consumer. Members that could not leave in time are missed at the session timeout.
func (t *Task) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	t.consumer.AllowRebalance()
	if err := t.consumer.LeaveGroupContext(ctx); err != nil {
		t.cfg.Logger.Info("the consumer could not leave its group", "group", t.cfg.Group, "err", err)
	}
	t.consumer.CloseAllowingRebalance()
}

// subscription returns the consumer's options.
func (t *Task) subscription() ([]kgo.Opt, error) {
	opts := append([]kgo.Opt{
		kgo.ConsumerGroup(t.cfg.Group),
		kgo.OnPartitionsAssigned(func(ctx context.Context, _ *kgo.Client, m map[string][]int32) { t.request(ctx, assigned, m) }),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, m map[string][]int32) { t.request(ctx, revoked, m) }),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, m map[string][]int32) { t.request(ctx, lost, m) }),
	}, t.cfg.Consumer...)
	if t.cfg.TopicsRegex == "" {
		if !t.cfg.NoAutoCreate {
			opts = append(opts, kgo.AllowAutoTopicCreation())
		}
		return append(opts, kgo.ConsumeTopics(t.cfg.Topics...)), nil
	}
	re, err := javaregex.Compile(t.cfg.TopicsRegex)
	if err != nil {
		return nil, connectors.InvalidValue("topics.regex", t.cfg.TopicsRegex, "Invalid regex: "+err.Error())
	}
	t.pattern = re
	return opts, nil
}

// interruptible returns a context that ends with ctx, or when something changes; what changed before is in t.changed.
func (t *Task) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interrupt = cancel
	return ctx, cancel
}

func (t *Task) isStopped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped
}
