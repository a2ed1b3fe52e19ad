package runtime

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/runtime/internal/secrets"
	"millrace/runtime/state"
)

// ServerInfo implements Herder.
func (h *herder) ServerInfo(ctx context.Context) (ServerInfo, error) {
	info := ServerInfo{Version: h.cfg.Version, Commit: h.cfg.Commit}
	if err := h.await(ctx); err != nil {
		return info, err
	}
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, h.adminCl)
	if err != nil {
		// The answer has null then, as Kafka Connect's; the log says why.
		h.log.Warn("cluster id is unknown", "err", err)
		return info, nil
	}
	info.KafkaClusterID = resp.ClusterID
	return info, nil
}

// Health implements Herder.
func (h *herder) Health(ctx context.Context) (WorkerStatus, error) {
	if !h.isReady() {
		select {
		case <-h.ready:
		case <-h.ended:
		case <-ctx.Done():
		}
	}
	select {
	case <-h.ended:
		return WorkerStatus{Status: "unhealthy", Message: "Worker was unable to handle this request and may be unable to handle other requests."}, nil
	default:
	}
	if !h.isReady() {
		return WorkerStatus{Status: "starting", Message: "Worker is still starting up."}, nil
	}
	return WorkerStatus{Status: "healthy", Message: "Worker has completed startup and is ready to handle requests."}, nil
}

// Connectors implements Herder.
func (h *herder) Connectors(ctx context.Context) ([]string, error) {
	if err := h.await(ctx); err != nil {
		return nil, err
	}
	return h.configs.Names(), nil
}

// stored returns a connector or a not-found error with Kafka Connect's text.
func (h *herder) stored(ctx context.Context, name, format string) (*state.Connector, error) {
	if err := h.await(ctx); err != nil {
		return nil, err
	}
	c := h.configs.Connector(name)
	if c == nil {
		return nil, Errorf(KindNotFound, format, name)
	}
	return c, nil
}

const notFound = "Connector %s not found"

// Connector implements Herder.
func (h *herder) Connector(ctx context.Context, name string) (ConnectorInfo, error) {
	c, err := h.stored(ctx, name, notFound)
	if err != nil {
		return ConnectorInfo{}, err
	}
	return h.info(c), nil
}

func (h *herder) info(c *state.Connector) ConnectorInfo {
	info := ConnectorInfo{Name: c.Name, Config: c.Config, Tasks: []TaskID{}, Type: h.typeOf(c.Config)}
	for id := range c.Tasks {
		info.Tasks = append(info.Tasks, TaskID{c.Name, id})
	}
	return info
}

func (h *herder) typeOf(config connectors.RawConfig) string {
	p, err := h.pluginOf(config)
	if err != nil {
		return "unknown"
	}
	return string(p.Kind)
}

func (h *herder) pluginOf(config connectors.RawConfig) (*connectors.Plugin, error) {
	values := config.Strings()
	p, err := h.registry.Connector(values["connector.class"], values["connector.plugin.version"])
	var perr *plugins.Error
	if errors.As(err, &perr) {
		return nil, Errorf(KindBadRequest, "%s", perr.Message)
	}
	return p, err
}

// ConnectorConfig implements Herder.
func (h *herder) ConnectorConfig(ctx context.Context, name string) (connectors.RawConfig, error) {
	c, err := h.stored(ctx, name, notFound)
	if err != nil {
		return nil, err
	}
	return c.Config, nil
}

// Tasks implements Herder.
func (h *herder) Tasks(ctx context.Context, name string) ([]TaskInfo, error) {
	c, err := h.stored(ctx, name, notFound)
	if err != nil {
		return nil, err
	}
	tasks := make([]TaskInfo, len(c.Tasks))
	for id, config := range c.Tasks {
		tasks[id] = TaskInfo{ID: TaskID{name, id}, Config: config}
	}
	return tasks, nil
}

// Status implements Herder.
func (h *herder) Status(ctx context.Context, name string) (ConnectorStatus, error) {
	if err := h.await(ctx); err != nil {
		return ConnectorStatus{}, err
	}
	s, ok := h.status(name)
	if !ok {
		return ConnectorStatus{}, Errorf(KindNotFound, "No status found for connector %s", name)
	}
	return s, nil
}

func (h *herder) status(name string) (ConnectorStatus, bool) {
	st := h.statuses.Connector(name)
	if st == nil {
		return ConnectorStatus{}, false
	}
	s := ConnectorStatus{Name: name, Connector: instanceState(st), Tasks: []TaskStatus{}, Type: "unknown"}
	if c := h.configs.Connector(name); c != nil {
		s.Type = h.typeOf(c.Config)
	}
	for _, id := range h.statuses.Tasks(name) {
		if t := h.statuses.Task(name, id); t != nil {
			s.Tasks = append(s.Tasks, TaskStatus{ID: id, InstanceState: instanceState(t)})
		}
	}
	return s, true
}

func instanceState(st *state.Status) InstanceState {
	return InstanceState{State: State(st.State), WorkerID: st.WorkerID, Version: st.Version, Trace: st.Trace}
}

// TaskStatus implements Herder.
func (h *herder) TaskStatus(ctx context.Context, id TaskID) (TaskStatus, error) {
	if err := h.await(ctx); err != nil {
		return TaskStatus{}, err
	}
	st := h.statuses.Task(id.Connector, id.Task)
	if st == nil {
		return TaskStatus{}, Errorf(KindNotFound, "No status found for task %s", id)
	}
	return TaskStatus{ID: id.Task, InstanceState: instanceState(st)}, nil
}

// ActiveTopics implements Herder.
func (h *herder) ActiveTopics(ctx context.Context, name string) ([]string, error) {
	if !h.cfg.TopicTracking {
		return nil, Errorf(KindForbidden, "Topic tracking is disabled.")
	}
	if err := h.await(ctx); err != nil {
		return nil, err
	}
	topics := []string{}
	for _, t := range h.statuses.Topics(name) {
		topics = append(topics, t.Name)
	}
	return topics, nil
}

// ResetActiveTopics implements Herder.
func (h *herder) ResetActiveTopics(ctx context.Context, name string) error {
	if !h.cfg.TopicTracking {
		return Errorf(KindForbidden, "Topic tracking is disabled.")
	}
	if !h.cfg.TopicTrackingReset {
		return Errorf(KindForbidden, "Topic tracking reset is disabled.")
	}
	if err := h.await(ctx); err != nil {
		return err
	}
	for _, t := range h.statuses.Topics(name) {
		h.statuses.RemoveTopic(name, t.Name)
	}
	return nil
}

// Plugins implements Herder.
func (h *herder) Plugins(ctx context.Context) ([]PluginInfo, error) { return h.validator.Plugins(ctx) }

// PluginConfig implements Herder.
func (h *herder) PluginConfig(ctx context.Context, plugin, version string) ([]ConfigKeyInfo, error) {
	return h.validator.PluginConfig(ctx, plugin, version)
}

// ValidateConfig implements Herder.
func (h *herder) ValidateConfig(ctx context.Context, plugin string, config connectors.RawConfig) (ConfigInfos, error) {
	if name := config["name"]; h.cfg.MaskSecrets && name != nil {
		if c := h.lookup(*name); c != nil {
			config, _ = secrets.Restore(config, c.Config) // what stays hidden is checked as it is
		}
	}
	return h.check(ctx, plugin, config)
}

// Loggers implements Herder.
func (h *herder) Loggers(ctx context.Context) (map[string]LoggerLevel, error) {
	if h.levels == nil {
		return map[string]LoggerLevel{}, nil
	}
	return h.levels.Loggers(ctx)
}

// Logger implements Herder.
func (h *herder) Logger(ctx context.Context, name string) (LoggerLevel, error) {
	if h.levels == nil {
		return LoggerLevel{}, Errorf(KindNotFound, "Logger %s not found.", name)
	}
	return h.levels.Logger(ctx, name)
}

// SetLogger implements Herder. For the cluster, the level goes through the config topic and comes back to every worker.
func (h *herder) SetLogger(ctx context.Context, name, level string, cluster bool) ([]string, error) {
	if h.levels == nil {
		return nil, Errorf(KindNotFound, "Logger %s not found.", name)
	}
	if !cluster {
		return h.levels.SetLogger(ctx, name, level)
	}
	if err := h.await(ctx); err != nil {
		return nil, err
	}
	return nil, h.configs.PutLogger(ctx, name, level)
}
