package runtime

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/runtime/internal/heal"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/state"
)

// A Cause is a class of failures.
type Cause string

// The causes.
const (
	CauseConfiguration Cause = "configuration" // a mistake of whoever configured it: not tried again
	CauseRecord        Cause = "record"        // a record that a converter or transform cannot take
	CauseLog           Cause = "log"           // the log did not take or give records
	CauseUnavailable   Cause = "unavailable"   // worth trying again, by its own word
	CausePanic         Cause = "panic"         // a plugin's panic
	CauseConnector     Cause = "connector"     // anything else that a connector or task returned
)

func causeOf(err error) Cause {
	var (
		config  *connectors.ConfigError
		unknown *plugins.Error
		many    *tooManyTasksError
		data    *connectors.DataError
		broken  *pipeline.PanicError
	)
	switch {
	case errors.As(err, &config), errors.As(err, &unknown), errors.As(err, &many):
		return CauseConfiguration
	case errors.As(err, &broken):
		return CausePanic
	case errors.As(err, &data), pipeline.IsTolerance(err):
		return CauseRecord
	case pipeline.IsLog(err):
		return CauseLog
	case connectors.Retriable(err):
		return CauseUnavailable
	}
	return CauseConnector
}

// A recovery is what is known of the failures of a task, or of the connector itself, since it last was well. It belongs to the
// functions of the instance's queue, which replace it under the instance's lock: readers see a whole one.
type recovery struct {
	// restarts were made in a row.
	restarts int
	cause    Cause
	err      string
	failedAt time.Time
	// next is when it will be tried again; zero: never, for the reason in final.
	next  time.Time
	final string
	timer *time.Timer
	// restartedAt is when the last restart was made, zero if what failed was not restarted since. After reset without a failure, all
	// this is forgotten.
	restartedAt time.Time
	reset       time.Duration
}

// itself stands for the connector among the numbers of tasks.
const itself = -1

// policy is that of a connector. A mistake in it was refused when the connector was made; by other ways it can only come from other workers.
func (i *instance) policy() (heal.Policy, error) {
	var config map[string]string
	if c := i.h.configs.Connector(i.name); c != nil {
		var err error
		if config, err = i.h.resolved(c.Config); err != nil {
			config = c.Config.Strings()
		}
	}
	return heal.Parse(config, i.h.cfg.Properties)
}

// heal notes that a task, or the connector itself, failed after it had started at began, and plans its restart. again makes it, if
// what failed is still there.
func (i *instance) heal(id int, began time.Time, err error, again func(*instance)) {
	now := time.Now()
	next := &recovery{cause: causeOf(err), err: i.scrub(sentence(err)), failedAt: now}
	p, perr := i.policy()
	next.reset = p.Reset
	if was := i.recoveries[id]; was != nil && now.Sub(began) < p.Reset {
		next.restarts = was.restarts
	}
	log := i.log
	if id != itself {
		log = log.With("task", id)
	}
	switch {
	case perr != nil:
		next.final = i.scrub(perr.Error())
	case next.cause == CauseConfiguration:
		next.final = "a mistake in the configuration is not tried again"
	case !p.Restarts:
		next.final = heal.KeyPolicy + "=none"
	case next.restarts >= p.Attempts:
		next.final = "all restarts were used"
		log.Error("stays failed: it was restarted as often as "+heal.KeyAttempts+" allows", "restarts", next.restarts)
	default:
		wait := p.Delay(next.restarts+1, rand.Float64())
		next.next = now.Add(wait)
		next.timer = time.AfterFunc(wait, func() { i.h.enqueue(i.name, again) })
		log.Warn("will be restarted", "cause", next.cause, "restart", next.restarts+1, "of", p.Attempts, "wait", wait.Round(time.Millisecond))
	}
	i.setRecovery(id, next)
}

// sentence is an error's text with that of its cause.
func sentence(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*pipeline.FatalError](err); ok && f.Cause != nil && !strings.Contains(text, f.Cause.Error()) {
		text += ": " + f.Cause.Error()
	}
	return text
}

func (i *instance) setRecovery(id int, r *recovery) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if was := i.recoveries[id]; was != nil && was.timer != nil {
		was.timer.Stop()
	}
	if r == nil {
		delete(i.recoveries, id)
		return
	}
	i.recoveries[id] = r
}

// restarting notes a restart that is being made, after what ran was stopped.
func (i *instance) restarting(id int, r *recovery) {
	i.h.metrics.restarts.With(healLabels(i.name, id)).Inc()
	i.setRecovery(id, &recovery{restarts: r.restarts + 1, cause: r.cause, err: r.err, failedAt: r.failedAt, restartedAt: time.Now(), reset: r.reset})
}

// taskFailed is called for t when it has ended with err, or could not be built.
func (i *instance) taskFailed(t *task, err error) {
	if i.tasks[t.id] != t {
		return
	}
	i.heal(t.id, t.began, err, func(i *instance) {
		c, r := i.h.configs.Connector(i.name), i.recoveries[t.id]
		if c == nil {
			i.h.forget(i)
			return
		}
		if i.tasks[t.id] != t || t.id >= len(c.Tasks) || c.TasksOffset != t.tasksOffset || r == nil {
			return // something else has happened since
		}
		i.stopTasks([]int{t.id}, deadline(i.h.cfg), false)
		i.restarting(t.id, r)
		i.startTasks(c, []int{t.id}, c.Target != state.TargetStarted)
	})
}

// healConnector is called for the connector itself. One that raises errors again while it waits does not wait longer.
func (i *instance) healConnector(c *connector, err error) {
	if r := i.recoveries[itself]; r != nil && !r.next.IsZero() {
		return
	}
	i.heal(itself, c.began, err, func(i *instance) {
		stored, r := i.h.configs.Connector(i.name), i.recoveries[itself]
		if stored == nil {
			i.h.forget(i)
			return
		}
		if i.connector != c || stored.ConfigOffset != c.configOffset || r == nil {
			return
		}
		i.stopConnector(true)
		i.restarting(itself, r)
		if err := i.startConnector(stored); err == nil { // a failure shows in the status
			i.configureTasks()
		}
	})
}
