package runtime

import (
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/plugins/providers"
	"millrace/runtime/state"
)

// resolve replaces the references in a configuration of the connector or of one of its tasks, and remembers what must not be
// shown. connector is the connector's configuration as it is stored.
func (i *instance) resolve(config, connector map[string]string) (map[string]string, error) {
	r, err := i.h.cfg.Providers.Resolve(config)
	if err != nil {
		return nil, err
	}
	i.hide(r.Config, connector, r)
	for _, m := range r.Missing {
		i.log.Warn("reference to a config provider has no value and stays as it is", "key", m.ConfigKey, "provider", m.Provider, "path", m.Path, "name", m.Key)
	}
	if r.TTL > 0 && !strings.EqualFold(strings.TrimSpace(connector["config.action.reload"]), "none") {
		i.reloadAfter(r.TTL)
	}
	return r.Config, nil
}

// hide adds the secrets of a configuration to those that logs, statuses and dead letters must not have.
func (i *instance) hide(config, connector map[string]string, r providers.Resolved) {
	if !i.h.cfg.MaskSecrets {
		return
	}
	values := append(i.h.secretKeys(connector).Values(config), r.Secrets...)
	i.secrets.Store(i.secrets.Load().With(values, slices.Collect(maps.Keys(config))))
}

// scrub removes the connector's secrets from a text.
func (i *instance) scrub(text string) string { return i.secrets.Load().Text(text) }

// reloadAfter looks for new values of providers once: the shortest time of several counts. It belongs to the functions of the queue.
func (i *instance) reloadAfter(ttl time.Duration) {
	at := time.Now().Add(ttl)
	if i.reload != nil {
		if i.reloadAt.Before(at) && time.Now().Before(i.reloadAt) {
			return
		}
		i.reload.Stop()
	}
	i.reloadAt = at
	i.reload = time.AfterFunc(ttl, func() { i.h.enqueue(i.name, (*instance).refresh) })
}

// refresh restarts the connector and those of its tasks whose providers have new values.
func (i *instance) refresh() {
	c := i.h.configs.Connector(i.name)
	if c == nil {
		i.h.forget(i)
		return
	}
	stored := c.Config.Strings()
	config, err := i.resolve(stored, stored)
	if err != nil {
		i.log.Warn("config providers cannot be read, trying again", "wait", firstReload, "err", err)
		i.reloadAfter(firstReload)
		return
	}
	var tasks []int
	for id, t := range i.tasks {
		if t.config == nil || id >= len(c.Tasks) {
			continue
		}
		own, err := i.resolve(c.Tasks[id].Strings(), stored)
		if err != nil {
			i.log.Warn("config providers cannot be read for a task, which goes on with its old values", "task", id, "err", err)
		} else if !maps.Equal(t.config, config) || !maps.Equal(t.taskConfig, own) {
			tasks = append(tasks, id)
		}
	}
	slices.Sort(tasks)
	restart := i.connector != nil && !maps.Equal(i.connector.config, config)
	if !restart && len(tasks) == 0 {
		return
	}
	i.log.Info("config providers have new values, restarting", "tasks", len(tasks))
	if restart {
		i.stopConnector(true)
	}
	i.stopTasks(tasks, deadline(i.h.cfg), true)
	if restart {
		// A failure shows in the status.
		if err := i.startConnector(c); err == nil {
			i.configureTasks()
		}
	}
	i.startTasks(c, tasks, c.Target != state.TargetStarted)
}

// firstReload is how long after a failure to read them values are looked at again.
const firstReload = 10 * time.Second

// referring puts the references back into what a connector made of its configuration, so that no value of a provider is stored.
func referring(config, connector map[string]string) {
	for k, v := range connector {
		if _, ok := config[k]; ok && providers.HasReference(v) {
			config[k] = v
		}
	}
}

// resolved is a connector's stored configuration without references.
func (h *herder) resolved(config connectors.RawConfig) (map[string]string, error) {
	r, err := h.cfg.Providers.Resolve(config.Strings())
	if err != nil {
		return nil, Errorf(KindInternal, "%s", err)
	}
	return r.Config, nil
}
