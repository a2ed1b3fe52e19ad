package runtime

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"millrace/connectors"
	"millrace/runtime/internal/pipeline"
	"millrace/runtime/state"
)

// connectorPlugin is what a Source and a Sink have in common.
type connectorPlugin interface {
	Start(ctx connectors.ConnectorContext, config map[string]string) error
	TaskConfigs(maxTasks int) ([]map[string]string, error)
	Stop() error
}

// A connector is a connector instance that runs here, or ran and failed.
type connector struct {
	plugin       *connectors.Plugin
	made         connectorPlugin
	version      *string
	configOffset int64
	// raw is the configuration as it is stored, config has no references.
	raw, config map[string]string
	target      state.Target
	started     bool
	// began is when it was made.
	began time.Time

	mu  sync.Mutex
	err error
}

func (c *connector) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

func (c *connector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// startConnector makes the instance and brings it to its target state. An error is in the status already.
func (i *instance) startConnector(stored *state.Connector) error {
	raw := stored.Config.Strings()
	c := &connector{configOffset: stored.ConfigOffset, raw: raw, config: raw, target: stored.Target, began: time.Now()}
	i.connector = c
	config, err := i.resolve(raw, raw)
	if err != nil {
		return i.connectorFailed(c, err)
	}
	c.config = config
	plugin, err := i.h.registry.Connector(config["connector.class"], config["connector.plugin.version"])
	if err != nil {
		return i.connectorFailed(c, &connectors.ConfigError{Msg: err.Error()})
	}
	c.plugin, c.version = plugin, versionOf(plugin)
	if plugin.Kind == connectors.KindSource {
		c.made = plugin.NewSource()
	} else {
		c.made = plugin.NewSink()
	}
	if stored.Target == state.TargetStarted {
		if err := c.start(i); err != nil {
			return i.connectorFailed(c, err)
		}
	}
	i.put(string(stateOf(stored.Target)), nil)
	return nil
}

func (i *instance) connectorFailed(c *connector, err error) error {
	c.fail(err)
	i.log.Error("connector did not start", "err", err)
	i.put(string(StateFailed), err)
	i.healConnector(c, err)
	return err
}

func versionOf(p *connectors.Plugin) *string {
	version := p.Version
	if version == "" {
		version = "undefined"
	}
	return &version
}

func stateOf(t state.Target) State {
	switch t {
	case state.TargetPaused:
		return StatePaused
	case state.TargetStopped:
		return StateStopped
	}
	return StateRunning
}

func (c *connector) start(i *instance) (err error) {
	defer pipeline.Recover(&err)
	if err := c.made.Start(connectorContext{i, c}, maps.Clone(c.config)); err != nil {
		return err
	}
	c.started = true
	return nil
}

func (c *connector) stop() (err error) {
	if !c.started {
		return nil
	}
	defer pipeline.Recover(&err)
	c.started = false
	return c.made.Stop()
}

// stopConnector ends the instance.
func (i *instance) stopConnector(report bool) {
	c := i.connector
	if c == nil {
		return
	}
	err := c.stop()
	if err != nil {
		i.log.Error("stopping the connector failed", "err", err)
	}
	if report && !c.failed() {
		i.put(string(StateUnassigned), nil)
	}
	i.connector = nil
	i.setRecovery(itself, nil)
}

// transition brings the instance to another target state; it reports whether it was started by that.
func (i *instance) transition(target state.Target) (started bool) {
	c := i.connector
	c.target = target
	i.setRecovery(itself, nil)
	if target == state.TargetStarted {
		if err := c.start(i); err != nil {
			// The status has it.
			_ = i.connectorFailed(c, err)
			return false
		}
		i.put(string(StateRunning), nil)
		return true
	}
	if err := c.stop(); err != nil {
		if target == state.TargetPaused {
			_ = i.connectorFailed(c, err) // the status has it
			return false
		}
		i.log.Error("stopping the connector failed", "err", err)
	}
	i.put(string(stateOf(target)), nil)
	return false
}

type tooManyTasksError struct {
	name         string
	tasks, limit int
}

func (e *tooManyTasksError) Error() string {
	return fmt.Sprintf("The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. "+
		"Raise tasks.max, or set tasks.max.enforce to false if the connector is to have its way", e.name, e.tasks, e.limit)
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

// taskConfigs returns the configurations of the tasks as the config topic has them.
func (c *connector) taskConfigs(stored *state.Connector) (configs []connectors.RawConfig, err error) {
	defer pipeline.Recover(&err)
	limit := 1
	if text, ok := c.config["tasks.max"]; ok {
		if limit, err = strconv.Atoi(text); err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("Invalid value %s for configuration tasks.max: Not a number of type INT", text)}
		}
	}
	made, err := c.made.TaskConfigs(limit)
	if err != nil {
		return nil, err
	}
	if len(made) > limit && c.config["tasks.max.enforce"] != "false" {
		return nil, &tooManyTasksError{stored.Name, len(made), limit}
	}
	for _, m := range made {
		config := maps.Clone(m)
		if config == nil {
			config = make(map[string]string)
		}
		config["task.class"] = c.plugin.TaskClass
		if c.plugin.Kind == connectors.KindSink {
			for _, k := range []string{"topics", "topics.regex"} {
				if v, ok := c.config[k]; ok {
					config[k] = v
				}
			}
		}
		referring(config, c.raw)
		configs = append(configs, connectors.Raw(config))
	}
	return configs, nil
}

func equalConfig(a, b connectors.RawConfig) bool {
	return maps.EqualFunc(a, b, func(x, y *string) bool {
		return x == y || x != nil && y != nil && *x == *y
	})
}

// connectorContext is what a connector instance is given.
type connectorContext struct {
	i *instance
	c *connector
}

func (cc connectorContext) RequestTaskReconfiguration() {
	cc.i.h.enqueue(cc.i.name, func(i *instance) {
		if i.connector == cc.c {
			i.reconfigure()
		}
	})
}

func (cc connectorContext) RaiseError(err error) {
	cc.c.fail(err)
	cc.i.h.enqueue(cc.i.name, func(i *instance) {
		if i.connector == cc.c {
			i.log.Error("connector failed", "err", err)
			i.put(string(StateFailed), err)
			i.healConnector(cc.c, err)
		}
	})
}

func (cc connectorContext) Logger() connectors.Logger { return cc.i.log }
