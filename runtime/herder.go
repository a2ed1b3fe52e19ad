package runtime

import (
	"context"
	"fmt"
	"strconv"

	"millrace/connectors"
)

// A Herder owns the connectors of a worker or a group of workers: what the REST API calls. All methods may be called
// from any goroutine, block until the change is stored (or the answer known) or ctx ends, and return an *Error for what
// the caller did wrong; any other error is the worker's own trouble.
type Herder interface {
	ServerInfo(ctx context.Context) (ServerInfo, error)
	// Health follows KIP-1017.
	Health(ctx context.Context) (WorkerStatus, error)

	Connectors(ctx context.Context) ([]string, error)
	Connector(ctx context.Context, name string) (ConnectorInfo, error)
	ConnectorConfig(ctx context.Context, name string) (connectors.RawConfig, error)
	Status(ctx context.Context, name string) (ConnectorStatus, error)
	TaskStatus(ctx context.Context, id TaskID) (TaskStatus, error)
	// ConnectorHealth is what Kafka Connect does not tell: restarts, health, counts of records.
	ConnectorHealth(ctx context.Context, name string) (ConnectorHealth, error)
	Tasks(ctx context.Context, name string) ([]TaskInfo, error)

	// CreateConnector fails with KindExists if there is one of that name. An empty initial state means TargetStarted (KIP-980).
	CreateConnector(ctx context.Context, name string, config connectors.RawConfig, initial TargetState) (ConnectorInfo, error)
	// PutConfig creates or replaces; created says which.
	PutConfig(ctx context.Context, name string, config connectors.RawConfig) (info ConnectorInfo, created bool, err error)
	// PatchConfig merges patch into the stored config; a nil value removes the key (KIP-477).
	PatchConfig(ctx context.Context, name string, patch connectors.RawConfig) (ConnectorInfo, error)
	DeleteConnector(ctx context.Context, name string) error

	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	// Restart restarts the connector instance alone.
	Restart(ctx context.Context, name string) error
	// RestartPlan restarts what the request asks for and returns the status with those parts RESTARTING (KIP-745).
	RestartPlan(ctx context.Context, r RestartRequest) (ConnectorStatus, error)
	RestartTask(ctx context.Context, id TaskID) error

	ActiveTopics(ctx context.Context, name string) ([]string, error)
	ResetActiveTopics(ctx context.Context, name string) error

	Offsets(ctx context.Context, name string) ([]ConnectorOffset, error)
	// AlterOffsets and ResetOffsets return the message that the answer shows (KIP-875).
	AlterOffsets(ctx context.Context, name string, offsets []ConnectorOffset) (string, error)
	ResetOffsets(ctx context.Context, name string) (string, error)

	Plugins(ctx context.Context) ([]PluginInfo, error)
	// PluginConfig returns the keys of a plugin; version "" or "latest" is the newest.
	PluginConfig(ctx context.Context, plugin, version string) ([]ConfigKeyInfo, error)
	ValidateConfig(ctx context.Context, plugin string, config connectors.RawConfig) (ConfigInfos, error)

	Loggers(ctx context.Context) (map[string]LoggerLevel, error)
	Logger(ctx context.Context, name string) (LoggerLevel, error)
	// SetLogger returns the loggers whose level changed, sorted. With cluster it sets the level on every worker (KIP-976).
	SetLogger(ctx context.Context, name, level string, cluster bool) ([]string, error)
}

// A Kind of Error says what the caller did wrong.
type ErrorKind int

// The kinds, with the HTTP status that the REST API gives them.
const (
	KindBadRequest ErrorKind = 400
	KindForbidden  ErrorKind = 403
	KindNotFound   ErrorKind = 404
	KindExists     ErrorKind = 409
	KindConflict   ErrorKind = 409
	KindInternal   ErrorKind = 500
	// KindUnavailable is for requests of other workers that come too early.
	KindUnavailable ErrorKind = 503
)

// An Error is an answer to the caller: Message is shown to users as it is.
type Error struct {
	Kind    ErrorKind
	Message string
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an *Error.
func Errorf(kind ErrorKind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// A TaskID names a task.
type TaskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

func (t TaskID) String() string { return t.Connector + "-" + strconv.Itoa(t.Task) }

// ServerInfo is the answer of GET /.
type ServerInfo struct {
	Version        string  `json:"version"`
	Commit         string  `json:"commit"`
	KafkaClusterID *string `json:"kafka_cluster_id"`
}

// WorkerStatus is the answer of GET /health. Status is healthy, starting or unhealthy.
type WorkerStatus struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// ConnectorInfo describes a connector. Tasks is never nil.
type ConnectorInfo struct {
	Name   string               `json:"name"`
	Config connectors.RawConfig `json:"config"`
	Tasks  []TaskID             `json:"tasks"`
	Type   string               `json:"type"`
}

// TaskInfo describes a task.
type TaskInfo struct {
	ID     TaskID               `json:"id"`
	Config connectors.RawConfig `json:"config"`
}

// A State is the actual state of a connector or task, as the status topic has it.
type State string

// The states. A task is never STOPPED; DESTROYED is written as a tombstone and never shown.
const (
	StateUnassigned State = "UNASSIGNED"
	StateRunning    State = "RUNNING"
	StatePaused     State = "PAUSED"
	StateStopped    State = "STOPPED"
	StateFailed     State = "FAILED"
	StateRestarting State = "RESTARTING"
	StateDestroyed  State = "DESTROYED"
)

// A TargetState is the state a connector should be in, as the config topic has it.
type TargetState string

// The target states.
const (
	TargetStarted TargetState = "STARTED"
	TargetPaused  TargetState = "PAUSED"
	TargetStopped TargetState = "STOPPED"
)

// ConnectorStatus is the answer of GET /connectors/{c}/status. Tasks is never nil and sorted by id.
type ConnectorStatus struct {
	Name      string        `json:"name"`
	Connector InstanceState `json:"connector"`
	Tasks     []TaskStatus  `json:"tasks"`
	Type      string        `json:"type"`
}

// InstanceState is the state of a connector instance. Version is shown as null when nil and left out when "undefined";
// Trace is left out when empty.
type InstanceState struct {
	State    State
	WorkerID string
	Version  *string
	Trace    string
}

// TaskStatus is the state of a task.
type TaskStatus struct {
	ID int
	InstanceState
}

// RestartRequest asks for a restart of parts of a connector (KIP-745).
type RestartRequest struct {
	Connector    string
	IncludeTasks bool
	OnlyFailed   bool
}

// ConnectorOffset pairs a partition with an offset, as JSON values (numbers as json.Number); a nil Offset is null.
type ConnectorOffset struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"`
}

// PluginInfo describes a plugin; an empty version is left out.
type PluginInfo struct {
	Class   string          `json:"class"`
	Type    connectors.Kind `json:"type"`
	Version string          `json:"version,omitempty"`
}

// ConfigInfos is the answer of a validation.
type ConfigInfos struct {
	Name       string       `json:"name"`
	ErrorCount int          `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []ConfigInfo `json:"configs"`
}

// ConfigInfo is one key of a validation. Definition is nil for a key that no definition knows.
type ConfigInfo struct {
	Definition *ConfigKeyInfo   `json:"definition"`
	Value      *ConfigValueInfo `json:"value"`
}

// ConfigKeyInfo is a key's definition. Validations send the order under both names that Connect's releases have used; elsewhere
// Order is 0, which leaves it out.
type ConfigKeyInfo struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	DefaultValue  *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	OrderInGroup  int      `json:"order_in_group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	Order         int      `json:"order,omitempty"`
}

// ConfigValueInfo is a key's value in a validation.
type ConfigValueInfo struct {
	Name              string   `json:"name"`
	Value             *string  `json:"value"`
	RecommendedValues []string `json:"recommended_values"`
	Errors            []string `json:"errors"`
	Visible           bool     `json:"visible"`
}

// LoggerLevel is a logger's level; LastModified is milliseconds since the epoch, nil if never changed.
type LoggerLevel struct {
	Level        string `json:"level"`
	LastModified *int64 `json:"last_modified"`
}
