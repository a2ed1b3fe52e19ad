package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/runtime/internal/vitals"
)

// A Health is how a connector or task is, in one word.
type Health string

// The healths, from the best to the worst.
const (
	// Healthy does what it was asked to; having nothing to do is healthy.
	Healthy Health = "HEALTHY"
	// Degraded works, but not all of it, or has failed a short while ago.
	Degraded Health = "DEGRADED"
	// Stalled has work that is known to have waited for health.stall.ms.
	Stalled Health = "STALLED"
	// Unhealthy does not work.
	Unhealthy Health = "UNHEALTHY"
)

var severity = map[Health]int{Healthy: 0, Degraded: 1, Stalled: 2, Unhealthy: 3}

// ConnectorHealth is the answer of GET /connectors/{c}/health. Tasks is never nil and sorted by id.
type ConnectorHealth struct {
	Name      string       `json:"name"`
	Health    Health       `json:"health"`
	Reason    string       `json:"reason"`
	Connector PartHealth   `json:"connector"`
	Tasks     []TaskHealth `json:"tasks"`
}

// PartHealth is the health of a connector instance or task. Restarts is left out when it has not failed, or not for long.
type PartHealth struct {
	State    State     `json:"state"`
	WorkerID string    `json:"worker_id"`
	Health   Health    `json:"health"`
	Reason   string    `json:"reason"`
	Restarts *Restarts `json:"restarts,omitempty"`
}

// Restarts tells of failures in a row. Times are UTC. NextAt is left out when no restart is planned.
type Restarts struct {
	Made      int        `json:"made"`
	Cause     Cause      `json:"cause"`
	LastError string     `json:"last_error"`
	FailedAt  time.Time  `json:"failed_at"`
	NextAt    *time.Time `json:"next_at,omitempty"`
}

// TaskHealth is the health of a task. Records and Lag are left out for what another worker runs, Lag for sources too.
type TaskHealth struct {
	ID int `json:"id"`
	PartHealth
	Records *RecordCounts `json:"records,omitempty"`
	Lag     *int64        `json:"lag,omitempty"`
}

// RecordCounts are the records of a task since it was started: read = written + filtered + skipped + dead_lettered + in_flight.
type RecordCounts = vitals.Records

// ConnectorHealth implements Herder.
func (h *herder) ConnectorHealth(ctx context.Context, name string) (ConnectorHealth, error) {
	status, err := h.Status(ctx, name)
	if err != nil {
		return ConnectorHealth{}, err
	}
	return h.health(status, time.Now()), nil
}

func (h *herder) health(status ConnectorStatus, now time.Time) ConnectorHealth {
	i := h.instance(status.Name)
	out := ConnectorHealth{Name: status.Name, Tasks: []TaskHealth{}}
	out.Connector = part(status.Connector, i.recovery(itself, now), now)
	for _, t := range status.Tasks {
		th := TaskHealth{ID: t.ID, PartHealth: part(t.InstanceState, i.recovery(t.ID, now), now)}
		if v := i.vitals(t.ID); v != nil {
			th.Records = &v.Records
			if v.Lag >= 0 {
				th.Lag = &v.Lag
			}
			if th.State == StateRunning {
				h.judge(&th.PartHealth, v.Waits, now)
			}
		}
		out.Tasks = append(out.Tasks, th)
	}
	out.Health, out.Reason = overall(out.Connector, out.Tasks)
	return out
}

// instance returns what runs here of a connector, or nil.
func (h *herder) instance(name string) *instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.instances[name]
}

// recovery returns what is known of the failures of a task, unless they are forgotten. i may be nil.
func (i *instance) recovery(id int, now time.Time) *recovery {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	r := i.recoveries[id]
	i.mu.Unlock()
	if r != nil && !r.restartedAt.IsZero() && now.Sub(r.restartedAt) >= r.reset {
		return nil
	}
	return r
}

// vitals returns what a task that runs here tells of itself, or nil. i may be nil.
func (i *instance) vitals(id int) *vitals.Vitals {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	t := i.tasks[id]
	i.mu.Unlock()
	if t == nil || t.runner == nil {
		return nil
	}
	v := t.runner.Vitals()
	return &v
}

// judge looks at what waits: for too long, it is stalled; without the system on the other side, it is degraded before.
func (h *herder) judge(p *PartHealth, waits []vitals.Wait, now time.Time) {
	for _, w := range waits {
		d := now.Sub(w.Since)
		is := Healthy
		switch {
		case d >= h.cfg.HealthStall:
			is = Stalled
		case w.Outage:
			is = Degraded
		}
		if severity[is] > severity[p.Health] {
			p.Health, p.Reason = is, fmt.Sprintf("for %s: %s", d.Round(time.Second), w.What)
		}
	}
}

// part judges by the state and what is known of failures.
func part(s InstanceState, r *recovery, now time.Time) PartHealth {
	p := PartHealth{State: s.State, WorkerID: s.WorkerID, Health: Healthy}
	if r != nil {
		p.Restarts = &Restarts{Made: r.restarts, Cause: r.cause, LastError: r.err, FailedAt: r.failedAt.UTC()}
		if !r.next.IsZero() {
			at := r.next.UTC()
			p.Restarts.NextAt = &at
		}
	}
	switch s.State {
	case StateRunning:
		p.Reason = "it runs"
		if r != nil {
			p.Health = Degraded
			p.Reason = fmt.Sprintf("it runs again after %s; the last was %s ago", plural(r.restarts, "restart"), now.Sub(r.restartedAt).Round(time.Second))
		}
	case StatePaused:
		p.Reason = "it is paused, as asked"
	case StateStopped:
		p.Reason = "it is stopped, as asked"
	case StateFailed:
		p.Health = Unhealthy
		switch {
		case r == nil:
			p.Reason = "it has failed"
		case !r.next.IsZero():
			p.Reason = fmt.Sprintf("it has failed and is restarted in %s", max(r.next.Sub(now), 0).Round(time.Second))
		default:
			p.Reason = "it has failed and stays so: " + r.final
		}
	default:
		p.Health, p.Reason = Degraded, "it is "+strings.ToLower(string(s.State))
	}
	return p
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// overall judges a connector by its parts: it is as bad as its worst task, but DEGRADED while others of its tasks work.
func overall(c PartHealth, tasks []TaskHealth) (Health, string) {
	if c.Health == Unhealthy {
		return Unhealthy, "connector: " + c.Reason
	}
	worst, why := c.Health, "connector: "+c.Reason
	unhealthy := 0
	byHealth := slices.SortedStableFunc(slices.Values(tasks), func(a, b TaskHealth) int { return cmp.Compare(severity[b.Health], severity[a.Health]) })
	for _, t := range byHealth {
		if t.Health == Unhealthy {
			unhealthy++
		}
	}
	for _, t := range byHealth {
		h := t.Health
		if h == Unhealthy && unhealthy < len(tasks) {
			h = Degraded
		}
		if severity[h] > severity[worst] {
			worst, why = h, fmt.Sprintf("task %d: %s", t.ID, t.Reason)
		}
	}
	switch {
	case worst != Healthy:
		return worst, why
	case c.State == StateRunning && len(tasks) == 0:
		return Healthy, "it runs and has no tasks"
	case c.State == StateRunning:
		return Healthy, plural(len(tasks), "task") + " at work"
	}
	return Healthy, c.Reason
}
