package runtime

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"millrace/connectors"
	"millrace/runtime/internal/heal"
	"millrace/runtime/state"
)

// CreateConnector implements Herder.
func (h *herder) CreateConnector(ctx context.Context, name string, config connectors.RawConfig, initial TargetState) (ConnectorInfo, error) {
	config, err := withName(name, config)
	if err != nil {
		return ConnectorInfo{}, err
	}
	if err := h.await(ctx); err != nil {
		return ConnectorInfo{}, err
	}
	if config, err = h.restore(name, config); err != nil {
		return ConnectorInfo{}, err
	}
	if err := h.validate(ctx, config); err != nil {
		return ConnectorInfo{}, err
	}
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return ConnectorInfo{}, err
	}
	defer unlock()
	if h.configs.Connector(name) != nil {
		return ConnectorInfo{}, Errorf(KindExists, "Connector %s already exists", name)
	}
	return h.putConnector(ctx, name, config, state.Target(initial))
}

// PutConfig implements Herder.
func (h *herder) PutConfig(ctx context.Context, name string, config connectors.RawConfig) (info ConnectorInfo, created bool, err error) {
	if config, err = withName(name, config); err != nil {
		return ConnectorInfo{}, false, err
	}
	if err := h.await(ctx); err != nil {
		return ConnectorInfo{}, false, err
	}
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return ConnectorInfo{}, false, err
	}
	defer unlock()
	if config, err = h.restore(name, config); err != nil {
		return ConnectorInfo{}, false, err
	}
	if err := h.validate(ctx, config); err != nil {
		return ConnectorInfo{}, false, err
	}
	created = h.configs.Connector(name) == nil
	info, err = h.putConnector(ctx, name, config, "")
	return info, created, err
}

// PatchConfig implements Herder.
func (h *herder) PatchConfig(ctx context.Context, name string, patch connectors.RawConfig) (ConnectorInfo, error) {
	if err := h.await(ctx); err != nil {
		return ConnectorInfo{}, err
	}
	// The lock is held from reading to writing: patches of two callers add up.
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return ConnectorInfo{}, err
	}
	defer unlock()
	c := h.configs.Connector(name)
	if c == nil {
		return ConnectorInfo{}, Errorf(KindNotFound, notFound, name)
	}
	if patch, err = h.restore(name, patch); err != nil {
		return ConnectorInfo{}, err
	}
	config := maps.Clone(c.Config)
	for k, v := range patch {
		if v == nil {
			delete(config, k)
		} else {
			config[k] = v
		}
	}
	if n := config["name"]; n != nil && *n != name && strings.TrimSpace(*n) != "" {
		return ConnectorInfo{}, nameMismatch(*n, name)
	}
	if err := h.validate(ctx, config); err != nil {
		return ConnectorInfo{}, err
	}
	return h.putConnector(ctx, name, config, "")
}

// putConnector writes and answers with what is known of the tasks now: they come later.
func (h *herder) putConnector(ctx context.Context, name string, config connectors.RawConfig, target state.Target) (ConnectorInfo, error) {
	if err := h.configs.PutConnector(ctx, name, config, target); err != nil {
		return ConnectorInfo{}, err
	}
	info := ConnectorInfo{Name: name, Config: config, Tasks: []TaskID{}, Type: h.typeOf(config)}
	if c := h.configs.Connector(name); c != nil {
		for id := range c.Tasks {
			info.Tasks = append(info.Tasks, TaskID{name, id})
		}
	}
	return info, nil
}

// withName returns config with its name, which must be the connector's.
func withName(name string, config connectors.RawConfig) (connectors.RawConfig, error) {
	if n := config["name"]; n != nil && *n != name {
		return nil, nameMismatch(*n, name)
	}
	config = maps.Clone(config)
	if config == nil {
		config = make(connectors.RawConfig)
	}
	config["name"] = &name
	return config, nil
}

func nameMismatch(included, name string) *Error {
	return Errorf(KindBadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", included, name)
}

// validate refuses a configuration with errors, all of them in one answer.
func (h *herder) validate(ctx context.Context, config connectors.RawConfig) error {
	infos, err := h.check(ctx, "", config)
	if err != nil {
		return err
	}
	if infos.ErrorCount > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "Connector configuration is invalid and contains the following %d error(s):", infos.ErrorCount)
		for _, c := range infos.Configs {
			if c.Value == nil {
				continue
			}
			for _, e := range c.Value.Errors {
				b.WriteString("\n" + e)
			}
		}
		b.WriteString("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`")
		return Errorf(KindBadRequest, "%s", b.String())
	}
	resolved, err := h.resolved(config)
	if err != nil {
		return err
	}
	if _, err := heal.Parse(resolved, nil); err != nil {
		return Errorf(KindBadRequest, "%s", err)
	}
	if v := config["exactly.once.support"]; v != nil && strings.EqualFold(strings.TrimSpace(*v), "required") {
		return Errorf(KindBadRequest, "exactly.once.support: required is valid, but this version has no transactions yet; "+
			"leave it at requested for at-least-once delivery")
	}
	return nil
}

// DeleteConnector implements Herder. Its offsets and consumer group stay.
func (h *herder) DeleteConnector(ctx context.Context, name string) error {
	if err := h.await(ctx); err != nil {
		return err
	}
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if h.configs.Connector(name) == nil {
		return Errorf(KindNotFound, notFound, name)
	}
	return h.configs.DeleteConnector(ctx, name)
}

// Pause implements Herder.
func (h *herder) Pause(ctx context.Context, name string) error {
	return h.putTarget(ctx, name, state.TargetPaused)
}

// Resume implements Herder.
func (h *herder) Resume(ctx context.Context, name string) error {
	return h.putTarget(ctx, name, state.TargetStarted)
}

func (h *herder) putTarget(ctx context.Context, name string, target state.Target) error {
	if err := h.await(ctx); err != nil {
		return err
	}
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if h.configs.Connector(name) == nil {
		return Errorf(KindNotFound, "Unknown connector %s", name)
	}
	return h.configs.PutTarget(ctx, name, target)
}

// Stop implements Herder: no tasks, then no connector.
func (h *herder) Stop(ctx context.Context, name string) error {
	if err := h.await(ctx); err != nil {
		return err
	}
	unlock, err := h.writes.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if h.configs.Connector(name) == nil {
		return Errorf(KindNotFound, "Unknown connector %s", name)
	}
	if err := h.configs.PutTasks(ctx, name, nil); err != nil {
		return err
	}
	return h.configs.PutTarget(ctx, name, state.TargetStopped)
}

const unknownConnector = "Unknown connector: %s"

// Restart implements Herder.
func (h *herder) Restart(ctx context.Context, name string) error {
	if _, err := h.stored(ctx, name, unknownConnector); err != nil {
		return err
	}
	return h.do(ctx, name, func(i *instance) error {
		c := h.configs.Connector(name)
		if c == nil {
			return Errorf(KindNotFound, unknownConnector, name)
		}
		i.stopConnector(true)
		if err := i.startConnector(c); err != nil {
			return Errorf(KindInternal, "Failed to start connector: %s", name)
		}
		i.configureTasks()
		return nil
	})
}

// RestartTask implements Herder.
func (h *herder) RestartTask(ctx context.Context, id TaskID) error {
	c, err := h.stored(ctx, id.Connector, unknownConnector)
	if err != nil {
		return err
	}
	if id.Task < 0 || id.Task >= len(c.Tasks) {
		return Errorf(KindNotFound, "Unknown task: %s", id)
	}
	return h.do(ctx, id.Connector, func(i *instance) error {
		c := h.configs.Connector(id.Connector)
		if c == nil || id.Task >= len(c.Tasks) {
			return Errorf(KindNotFound, "Unknown task: %s", id)
		}
		i.stopTasks([]int{id.Task}, deadline(h.cfg), true)
		if err := i.startTask(c, id.Task, c.Target != state.TargetStarted); err != nil {
			return Errorf(KindInternal, "Failed to start task: %s", id)
		}
		return nil
	})
}

// A restartParts is what a restart is about to restart.
type restartParts struct {
	connector bool
	tasks     []int
}

// restartPlan chooses what a restart touches, by the statuses.
func (h *herder) restartPlan(name string, r state.Restart) restartParts {
	var p restartParts
	st := h.statuses.Connector(name)
	p.connector = !r.OnlyFailed || st != nil && st.State == string(StateFailed)
	c := h.configs.Connector(name)
	if !r.IncludeTasks || c == nil {
		return p
	}
	for id := range c.Tasks {
		st := h.statuses.Task(name, id)
		if !r.OnlyFailed || st != nil && st.State == string(StateFailed) {
			p.tasks = append(p.tasks, id)
		}
	}
	return p
}

// RestartPlan implements Herder. The restart itself comes through the config topic.
func (h *herder) RestartPlan(ctx context.Context, r RestartRequest) (ConnectorStatus, error) {
	if _, err := h.stored(ctx, r.Connector, unknownConnector); err != nil {
		return ConnectorStatus{}, err
	}
	status, ok := h.status(r.Connector)
	if !ok {
		return ConnectorStatus{}, Errorf(KindNotFound, "Status for connector %s not found", r.Connector)
	}
	restart := state.Restart{IncludeTasks: r.IncludeTasks, OnlyFailed: r.OnlyFailed}
	plan := h.restartPlan(r.Connector, restart)
	if plan.connector {
		status.Connector.State = StateRestarting
	}
	for i := range status.Tasks {
		for _, id := range plan.tasks {
			if status.Tasks[i].ID == id {
				status.Tasks[i].State = StateRestarting
			}
		}
	}
	unlock, err := h.writes.lock(ctx, r.Connector)
	if err != nil {
		return ConnectorStatus{}, err
	}
	defer unlock()
	return status, h.configs.PutRestart(ctx, r.Connector, restart)
}
