package connectors

// A Kind says what a Plugin makes. Its text is what GET /connector-plugins shows.
type Kind string

// The kinds of plugins.
const (
	KindSource          Kind = "source"
	KindSink            Kind = "sink"
	KindConverter       Kind = "converter"
	KindHeaderConverter Kind = "header_converter"
	KindTransform       Kind = "transformation"
	KindPredicate       Kind = "predicate"
)

// A Plugin describes one class: what a built-in package exports and a registry lists. Exactly the constructor that
// belongs to Kind is set (a class that is both Converter and HeaderConverter has two descriptors).
type Plugin struct {
	Kind Kind
	// Class is the canonical, fully qualified class name.
	Class string
	// Aliases are further class names, of peers, that mean the same plugin.
	Aliases []string
	// Version is shown as it is; empty means undefined.
	Version string
	// Config is the plugin's own configuration; never nil.
	Config *ConfigDef
	// Converter is the class of the key and value converter that suits a connector's records, where nobody has chosen one:
	// neither the connector's configuration nor the worker's. Empty: the worker's default.
	Converter string
	// HeaderConverter is the same for headers.
	HeaderConverter string
	// TaskClass is the task.class of a connector's task configurations.
	TaskClass string

	NewSource          func() Source
	NewSink            func() Sink
	NewConverter       func() Converter
	NewHeaderConverter func() HeaderConverter
	NewTransform       func() Transform
	NewPredicate       func() Predicate
}

// ConfigValidator is an optional ability of a Source or Sink: checks that one key alone cannot show. It gets the
// values as ConfigDef.Validate left them and adds to their errors.
type ConfigValidator interface {
	ValidateConfig(config map[string]string, values []*ConfigValue)
}
