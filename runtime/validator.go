package runtime

import (
	"context"

	"millrace/connectors"
)

// A Validator answers what the Herder is asked about configurations and plugins, without any state of connectors.
// runtime/validation has the one that cmd passes to New; it sits above this package and knows its types.
type Validator interface {
	Plugins(ctx context.Context) ([]PluginInfo, error)
	PluginConfig(ctx context.Context, plugin, version string) ([]ConfigKeyInfo, error)
	// ValidateConfig checks a whole connector configuration. plugin is the class asked about in the path of the validation
	// route; empty means whatever connector.class says (create and update).
	ValidateConfig(ctx context.Context, plugin string, config connectors.RawConfig) (ConfigInfos, error)
}

// LogLevels are the loggers of this worker.
type LogLevels interface {
	Loggers(ctx context.Context) (map[string]LoggerLevel, error)
	Logger(ctx context.Context, name string) (LoggerLevel, error)
	// SetLogger sets the level on this worker alone and returns the loggers that changed, sorted.
	SetLogger(ctx context.Context, name, level string) ([]string, error)
}
