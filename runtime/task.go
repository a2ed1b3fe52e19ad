package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/connectors"
	"millrace/plugins/clients"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/sinktask"
	"millrace/runtime/internal/sourcetask"
	"millrace/runtime/internal/vitals"
	"millrace/runtime/state"
)

// runner is a source or sink task's loop.
type runner interface {
	Run(ctx context.Context) error
	Stop()
	SetPaused(paused bool)
	Vitals() vitals.Vitals
}

// A task is a task that runs here, or ran and failed.
type task struct {
	id          int
	tasksOffset int64
	began       time.Time
	paused      bool
	version     *string
	log         *slog.Logger
	// config and taskConfig are what it runs with, if they have values of config providers.
	config, taskConfig map[string]string
	runner             runner // nil if it could not even be built
	cancel             context.CancelFunc
	done               chan struct{}

	mu sync.Mutex
	// abandoned tasks report nothing any more.
	abandoned bool
	failed    bool
}

func (t *task) setPaused(paused bool) {
	t.paused = paused
	if t.runner != nil {
		t.runner.SetPaused(paused)
	}
}

func (t *task) hasFailed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// putTask sets a task's status.
func (i *instance) putTask(id int, st State, err error, version *string) {
	generation := i.h.work().generation
	if i.h.statuses.Superseded(i.h.statuses.Task(i.name, id), generation) && (st == StateFailed || st == StateUnassigned) {
		return
	}
	s := &state.Status{State: string(st), WorkerID: i.h.cfg.WorkerID, Generation: generation, Version: version}
	if err != nil {
		s.Trace = i.scrub(pipeline.Trace(err))
	}
	i.h.statuses.PutTask(i.name, id, s)
}

func (i *instance) taskVersion(c *state.Connector) *string {
	config := c.Config.Strings()
	p, err := i.h.registry.Connector(config["connector.class"], config["connector.plugin.version"])
	if err != nil {
		return nil
	}
	return versionOf(p)
}

// startTask builds and starts a task. An error is in the status already.
func (i *instance) startTask(c *state.Connector, id int, paused bool) error {
	ctx, cancel := context.WithCancel(i.h.life)
	t := &task{
		id: id, tasksOffset: c.TasksOffset, began: time.Now(), paused: paused, version: i.taskVersion(c), log: i.log.With("task", id),
		cancel: cancel, done: make(chan struct{}),
	}
	report := func(st State) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.abandoned {
			i.putTask(id, st, nil, t.version)
		}
	}
	runner, closeAll, err := i.build(ctx, c, id, t, paused, report)
	t.runner = runner
	i.mu.Lock()
	i.tasks[id] = t
	i.mu.Unlock()
	if err != nil {
		cancel()
		t.failed = true
		close(t.done)
		i.putTask(id, StateFailed, err, t.version)
		i.taskFailed(t, err)
		return err
	}
	go func() { // waited for by stopTasks, through done
		defer close(t.done)
		defer cancel()
		defer closeAll()
		err := runner.Run(ctx)
		if err != nil && t.fail(i, err) {
			i.h.enqueue(i.name, func(i *instance) { i.taskFailed(t, err) })
		}
	}()
	return nil
}

// fail notes that the task has ended with err; it returns false if nobody is interested any more.
func (t *task) fail(i *instance, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.abandoned {
		return false
	}
	t.failed = true
	log := t.log
	if cause := errors.Unwrap(err); cause != nil {
		log = log.With("cause", cause)
	}
	log.Error("task failed", "err", err)
	i.putTask(t.id, StateFailed, err, t.version)
	return true
}

// stopTasks stops tasks side by side. One that has not ended at the deadline is left to itself.
func (i *instance) stopTasks(ids []int, deadline time.Time, report bool) {
	for _, id := range ids {
		if t := i.tasks[id]; t != nil && t.runner != nil {
			t.runner.Stop()
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	for _, id := range ids {
		t := i.tasks[id]
		if t == nil {
			continue
		}
		i.mu.Lock()
		delete(i.tasks, id)
		i.mu.Unlock()
		i.setRecovery(id, nil)
		select {
		case <-t.done:
		case <-ctx.Done():
			t.abandon()
		}
		if report && !t.hasFailed() {
			i.putTask(id, StateUnassigned, nil, t.version)
		}
	}
}

func (t *task) abandon() {
	t.mu.Lock()
	t.abandoned = true
	t.mu.Unlock()
	t.cancel()
	t.log.Warn("task did not stop in time and is left to itself; its last records may come again")
}

// build makes the runner of a task and what to close after it.
func (i *instance) build(ctx context.Context, c *state.Connector, id int, t *task, paused bool, report func(State)) (_ runner, closeAll func(), err error) {
	defer pipeline.Recover(&err)
	raw := c.Config.Strings()
	config, err := i.resolve(raw, raw)
	if err != nil {
		return nil, nil, err
	}
	taskConfig, err := i.resolve(c.Tasks[id].Strings(), raw)
	if err != nil {
		return nil, nil, err
	}
	if !maps.Equal(config, raw) || !equalConfig(connectors.Raw(taskConfig), c.Tasks[id]) {
		t.config, t.taskConfig = config, taskConfig
	}
	plugin, err := i.h.registry.Connector(config["connector.class"], config["connector.plugin.version"])
	if err != nil {
		return nil, nil, &connectors.ConfigError{Msg: err.Error()}
	}
	b := &taskBuilder{i: i, h: i.h, c: c, config: config, taskConfig: taskConfig, id: id, t: t, plugin: plugin, report: report}
	var r runner
	if plugin.Kind == connectors.KindSource {
		r, err = b.source(ctx, paused)
	} else {
		r, err = b.sink(ctx, paused)
	}
	if err != nil {
		b.close()
		return nil, nil, err
	}
	return r, b.close, nil
}

// A taskBuilder collects what a task is made of.
type taskBuilder struct {
	i                  *instance
	h                  *herder
	c                  *state.Connector
	config, taskConfig map[string]string
	id                 int
	t                  *task
	plugin             *connectors.Plugin
	report             func(State)
	closers            []func()
	// ignored are client settings without meaning here.
	ignored []string
}

func (b *taskBuilder) close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
}

func (b *taskBuilder) taskID() TaskID { return TaskID{b.c.Name, b.id} }

func (b *taskBuilder) pipeline(reporters ...pipeline.Reporter) (*pipeline.Pipeline, error) {
	worker := func(c PluginConfig) pipeline.Converter {
		return pipeline.Converter{Class: c.Class, Version: c.Version, Options: c.Options}
	}
	key, value := b.h.cfg.KeyConverter, b.h.cfg.ValueConverter
	if b.h.cfg.AnyConverter && b.plugin.Converter != "" {
		key = PluginConfig{Class: b.plugin.Converter}
		value = key
	}
	header := b.h.cfg.HeaderConverter
	if b.h.cfg.Properties["header.converter"] == "" && b.plugin.HeaderConverter != "" {
		header = PluginConfig{Class: b.plugin.HeaderConverter}
	}
	p, err := pipeline.New(pipeline.Config{
		Connector: b.c.Name, Task: b.id, Config: b.config, Registry: b.h.registry,
		Key: worker(key), Value: worker(value), Header: worker(header),
		Reporters: reporters, Counts: b.h.metrics.pipeline(b.taskID()), Logger: b.t.log,
	})
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() {
		if err := p.Close(); err != nil {
			b.t.log.Warn("closing converters and transforms failed", "err", err)
		}
	})
	return p, nil
}

// What one source task may have under way.
const (
	maxRecords = 32 << 10
	maxBytes   = 8 << 20
)

func (b *taskBuilder) source(ctx context.Context, paused bool) (runner, error) {
	p, err := b.pipeline()
	if err != nil {
		return nil, err
	}
	producer, err := b.producer("connector-producer")
	if err != nil {
		return nil, err
	}
	var topics *sourcetask.TopicCreation
	if b.h.cfg.TopicCreation {
		admin, err := b.admin()
		if err != nil {
			return nil, err
		}
		if topics, err = sourcetask.ParseTopicCreation(b.config, admin); err != nil {
			return nil, err
		}
	}
	letters, err := b.deadLetters(ctx, producer)
	if err != nil {
		return nil, err
	}
	b.reportIgnored()
	return sourcetask.New(sourcetask.Config{
		Connector: b.c.Name, ID: b.id, TaskConfig: b.taskConfig, Class: b.plugin.TaskClass,
		Source: b.plugin.NewSource().NewTask(), Pipeline: p, Producer: producer, Offsets: b.h.offsets, Topics: topics, DeadLetters: letters,
		Used: b.used(), Report: func(s sourcetask.State) { b.report(State(s)) },
		FlushInterval: b.h.cfg.OffsetFlushInterval, FlushTimeout: b.h.cfg.OffsetFlushTimeout,
		MaxRecords: maxRecords, MaxBytes: maxBytes, Counts: b.h.metrics.source(b.taskID()), Logger: b.t.log,
	}, paused), nil
}

func (b *taskBuilder) sink(ctx context.Context, paused bool) (runner, error) {
	var r *sinktask.Task
	var letters *sinktask.DeadLetters
	var reporters []pipeline.Reporter
	if b.deadLetterTopic() != "" {
		producer, err := b.producer("connector-dlq-producer")
		if err != nil {
			return nil, err
		}
		queue, err := b.deadLetters(ctx, producer)
		if err != nil {
			return nil, err
		}
		letters = &sinktask.DeadLetters{Queue: queue, Fail: func(err error) { r.Fail(err) }}
		reporters = append(reporters, letters)
	}
	p, err := b.pipeline(reporters...)
	if err != nil {
		return nil, err
	}
	props := b.settings("consumer")
	if _, set := b.config["consumer.override.group.id"]; !set {
		delete(props, "group.id") // a worker's consumer.group.id would put all sinks into one group
	}
	consumer, err := b.clients().Consumer(fmt.Sprintf("connector-consumer-%s-%d", b.c.Name, b.id), props)
	if err != nil {
		return nil, err
	}
	b.reportIgnored()
	maxPoll := 500
	if text, ok := props["max.poll.records"]; ok {
		if maxPoll, err = strconv.Atoi(text); err != nil || maxPoll < 1 {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("Invalid value %s for configuration max.poll.records: Value must be at least 1", text)}
		}
	}
	var interval time.Duration // how often topics are looked for, as with Java's consumer
	if ms, err := strconv.ParseInt(props["metadata.max.age.ms"], 10, 64); err == nil {
		interval = time.Duration(max(ms, 1)) * time.Millisecond
	}
	r = sinktask.New(sinktask.Config{
		Connector: b.c.Name, ID: b.id, TaskConfig: b.taskConfig, Sink: b.plugin.NewSink().NewTask(), Pipeline: p,
		Consumer: consumer, Group: sinkGroup(b.c.Name, b.config), Topics: splitTopics(b.taskConfig["topics"]), NoAutoCreate: !clients.AutoCreates(props),
		TopicsRegex: b.taskConfig["topics.regex"], RegexInterval: interval, MaxPoll: maxPoll, DeadLetters: letters, Used: b.used(),
		Report:         func(s sinktask.State) { b.report(State(s)) },
		CommitInterval: b.h.cfg.OffsetFlushInterval, CommitTimeout: b.h.cfg.OffsetFlushTimeout,
		Counts: b.h.metrics.sink(b.taskID()), Logger: b.t.log,
	}, paused)
	return r, nil
}

// sinkGroup is the consumer group of a sink connector.
func sinkGroup(name string, config map[string]string) string {
	if g, ok := config["consumer.override.group.id"]; ok {
		return g
	}
	return "connect-" + name
}

func splitTopics(list string) []string {
	var topics []string
	for _, t := range strings.Split(list, ",") {
		if t = strings.TrimSpace(t); t != "" {
			topics = append(topics, t)
		}
	}
	return topics
}

// used remembers active topics, unless the worker does not.
func (b *taskBuilder) used() func(topic string) {
	if !b.h.cfg.TopicTracking {
		return nil
	}
	return func(topic string) {
		if b.h.statuses.HasTopic(b.c.Name, topic) {
			return
		}
		b.h.statuses.PutTopic(state.Topic{Name: topic, Connector: b.c.Name, Task: b.id, Discovered: time.Now().UnixMilli()})
	}
}
