package runtime

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/connectors"
	"millrace/runtime/assign"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/internal/secrets"
	"millrace/runtime/state"
)

// An instance is what this worker runs of one connector. Its functions run one after the other on a goroutine that exists while
// there are any, so that connectors do not wait for each other and a thousand idle ones have no goroutine of their own.
type instance struct {
	h    *herder
	name string
	log  *slog.Logger
	// secrets are what no log line, status or dead letter of the connector may have.
	secrets atomic.Pointer[secrets.Scrubber]

	mu      sync.Mutex
	queue   []func(*instance)
	working bool
	// drained is closed when the queue was worked off and somebody waits.
	drained chan struct{}

	// What follows belongs to the functions of the queue.
	connector *connector
	// tasks and recoveries are written with mu held, for those who look at the health. Stopping a task, by whomever but its own restart, forgets its failures.
	tasks      map[int]*task
	recoveries map[int]*recovery
	// retries counts failures to compute task configurations, one after the other.
	retries int
	// reload looks for new values of config providers at reloadAt.
	reload   *time.Timer
	reloadAt time.Time
}

func newInstance(h *herder, name string) *instance {
	i := &instance{h: h, name: name, log: h.log.With("connector", name), tasks: make(map[int]*task), recoveries: make(map[int]*recovery)}
	if h.cfg.MaskSecrets {
		i.secrets.Store(h.secrets)
		i.log = slog.New(secrets.Handler(i.log.Handler(), i.secrets.Load))
	}
	return i
}

func (i *instance) enqueue(f func(*instance)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = append(i.queue, f)
	if !i.working {
		i.working = true
		go i.work() // waited for by shutdown
	}
}

func (i *instance) work() {
	for {
		i.mu.Lock()
		if len(i.queue) == 0 {
			i.working = false
			if i.drained != nil {
				close(i.drained)
				i.drained = nil
			}
			i.mu.Unlock()
			return
		}
		f := i.queue[0]
		i.queue = i.queue[1:]
		i.mu.Unlock()
		f(i)
	}
}

// idle reports whether nothing runs and nothing else waits; it is called from a function of the queue.
func (i *instance) idle() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.connector == nil && len(i.tasks) == 0 && len(i.queue) == 0
}

// shutdown stops everything and waits for it.
func (i *instance) shutdown(deadline time.Time) {
	i.enqueue(func(i *instance) {
		if i.reload != nil {
			i.reload.Stop()
		}
		i.stopConnector(true)
		i.stopTasks(i.running(), deadline, true)
	})
	i.mu.Lock()
	var drained chan struct{}
	if i.working {
		if i.drained == nil {
			i.drained = make(chan struct{})
		}
		drained = i.drained
	}
	i.mu.Unlock()
	if drained != nil {
		<-drained
	}
}

func (i *instance) running() []int {
	var ids []int
	for id := range i.tasks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// observe describes what runs, for decide.
func (i *instance) observe() observed {
	o := observed{tasks: make(map[int]observedTask, len(i.tasks)), known: i.h.statuses.Tasks(i.name)}
	if c := i.connector; c != nil {
		o.running, o.configOffset, o.target, o.failed = true, c.configOffset, c.target, c.failed()
	}
	for id, t := range i.tasks {
		o.tasks[id] = observedTask{tasksOffset: t.tasksOffset, paused: t.paused}
	}
	return o
}

func (i *instance) want() (wanted, *state.Connector) {
	work := i.h.work()
	w := wanted{
		ownsConnector: work.connectors[i.name], leader: work.leader,
		ownsTask: func(id int) bool { return work.tasks[assign.Task{Connector: i.name, ID: id}] },
	}
	c := i.h.configs.Connector(i.name)
	if c != nil {
		w.exists, w.configOffset, w.target, w.tasks, w.tasksOffset = true, c.ConfigOffset, c.Target, len(c.Tasks), c.TasksOffset
	}
	return w, c
}

// reconcile makes what runs what is wanted.
func (i *instance) reconcile() {
	w, c := i.want()
	p := decide(w, i.observe())
	if p.stopConnector {
		i.stopConnector(true)
	}
	var configure bool
	if p.startConnector {
		configure = i.startConnector(c) == nil
	}
	if p.transition {
		configure = i.transition(c.Target)
	}
	if len(p.stopTasks) > 0 {
		i.stopTasks(p.stopTasks, time.Now().Add(i.h.cfg.TaskShutdownTimeout), true)
	}
	if p.forget {
		for _, t := range i.h.statuses.Topics(i.name) {
			i.h.statuses.RemoveTopic(i.name, t.Name)
		}
	}
	for _, id := range p.forgetTasks {
		i.h.statuses.PutTask(i.name, id, nil)
	}
	if p.forget {
		if i.h.statuses.Connector(i.name) != nil {
			i.h.statuses.PutConnector(i.name, nil)
		}
		i.h.forget(i)
	}
	for _, id := range p.setPaused {
		i.tasks[id].setPaused(p.paused)
	}
	if len(p.startTasks) > 0 && !configure {
		i.startTasks(c, p.startTasks, p.paused)
	}
	if configure {
		// New task configurations come back as a change; without one the old ones start now.
		if !i.configureTasks() {
			i.startTasks(c, p.startTasks, p.paused)
		}
	}
}

func (i *instance) startTasks(c *state.Connector, ids []int, paused bool) {
	for _, id := range ids {
		// A failure shows in the task's status.
		if err := i.startTask(c, id, paused); err != nil {
			i.log.Error("task did not start", "task", id, "err", err)
		}
	}
}

// put sets the connector's status unless a worker of a newer generation has.
func (i *instance) put(st string, err error) {
	generation := i.h.work().generation
	if i.h.statuses.Superseded(i.h.statuses.Connector(i.name), generation) && (st == string(StateFailed) || st == string(StateUnassigned)) {
		return
	}
	s := &state.Status{State: st, WorkerID: i.h.cfg.WorkerID, Generation: generation}
	if c := i.connector; c != nil {
		s.Version = c.version
	}
	if err != nil {
		s.Trace = i.scrub(pipeline.Trace(err))
	}
	i.h.statuses.PutConnector(i.name, s)
}

// configureTasks asks the connector for its tasks and stores them if they differ. It reports whether it did.
func (i *instance) configureTasks() (stored bool) {
	c := i.h.configs.Connector(i.name)
	if i.connector == nil || i.connector.failed() || c == nil || c.Target != state.TargetStarted {
		return false
	}
	configs, err := i.connector.taskConfigs(c)
	if err != nil {
		if tooMany := (*tooManyTasksError)(nil); asError(err, &tooMany) {
			i.connector.fail(err)
			i.put(string(StateFailed), err)
			i.healConnector(i.connector, err)
			return false
		}
		i.retryConfigure(err)
		return false
	}
	i.retries = 0
	if sameTasks(c, configs) {
		return false
	}
	ctx, cancel := context.WithTimeout(i.h.life, storeTimeout)
	defer cancel()
	if err := i.h.putTasks(ctx, i.name, configs); err != nil {
		i.retryConfigure(err)
		return false
	}
	return true
}

// storeTimeout bounds a write to the config topic.
const storeTimeout = 30 * time.Second

// sameTasks: a changed connector configuration always makes new tasks, since what they do may depend on it.
func sameTasks(c *state.Connector, configs []connectors.RawConfig) bool {
	return c.TasksOffset >= 0 && !c.Inconsistent && slices.EqualFunc(c.Tasks, configs, equalConfig) && equalConfig(c.Config, c.AppliedConfig)
}

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = time.Minute
)

func (i *instance) retryConfigure(err error) {
	wait := min(firstRetry<<min(i.retries, 10), lastRetry)
	i.retries++
	i.log.Error("task configurations cannot be made, trying again", "wait", wait, "err", err)
	time.AfterFunc(wait, func() { i.h.enqueue(i.name, (*instance).reconfigure) })
}

// reconfigure is what a connector asks for when its tasks should change.
func (i *instance) reconfigure() {
	i.configureTasks() // the change comes back and is acted on
}

// restart restarts parts of the connector (KIP-745), telling each step.
func (i *instance) restart(r state.Restart) {
	c := i.h.configs.Connector(i.name)
	if c == nil {
		return
	}
	plan := i.h.restartPlan(i.name, r)
	work := i.h.work()
	restartConnector := plan.connector && work.connectors[i.name]
	var tasks []int
	for _, id := range plan.tasks {
		if work.tasks[assign.Task{Connector: i.name, ID: id}] {
			tasks = append(tasks, id)
		}
	}
	if restartConnector {
		i.stopConnector(true)
		i.put(string(StateRestarting), nil)
	}
	if len(tasks) > 0 {
		i.stopTasks(tasks, time.Now().Add(i.h.cfg.TaskShutdownTimeout), true)
		for _, id := range tasks {
			i.putTask(id, StateRestarting, nil, i.taskVersion(c))
		}
	}
	if restartConnector {
		// A failure shows in the status.
		if err := i.startConnector(c); err == nil {
			i.configureTasks()
		}
	}
	i.startTasks(c, tasks, c.Target != state.TargetStarted)
}
