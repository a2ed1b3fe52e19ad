package pipeline

import (
	"fmt"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/plugins"
)

// Config configures a Pipeline.
type Config struct {
	Connector string
	Task      int
	// Config is the connector's configuration, references resolved.
	Config   map[string]string
	Registry *plugins.Registry
	// Key, Value and Header are the worker's converters, for connectors that name none.
	Key, Value, Header Converter
	// Reporters hear of records that failed, before the policy decides.
	Reporters []Reporter
	Counts    Counts
	Logger    connectors.Logger
}

// A Converter names a converter class with its options.
type Converter struct {
	Class, Version string
	Options        map[string]string
}

// errorKeys are errors.* as the policy reads them.
var errorKeys = connectors.NewConfigDef(
	connectors.ConfigKey{Name: "errors.retry.timeout", Type: connectors.ConfigLong, Default: 0},
	connectors.ConfigKey{Name: "errors.retry.delay.max.ms", Type: connectors.ConfigLong, Default: 60000},
	connectors.ConfigKey{Name: "errors.tolerance", Type: connectors.ConfigString, Default: "none",
		Validator: connectors.CaseInsensitiveIn("none", "all")},
	connectors.ConfigKey{Name: "errors.log.enable", Type: connectors.ConfigBoolean, Default: false},
	connectors.ConfigKey{Name: "errors.log.include.messages", Type: connectors.ConfigBoolean, Default: false},
	connectors.ConfigKey{Name: "transforms", Type: connectors.ConfigList, Default: []string{}},
	connectors.ConfigKey{Name: "predicates", Type: connectors.ConfigList, Default: []string{}},
)

// A Pipeline is the way of a task's records.
type Pipeline struct {
	Key, Value connectors.Converter
	Header     connectors.HeaderConverter
	// KeyClass, ValueClass and HeaderClass name them in errors.
	KeyClass, ValueClass, HeaderClass string
	Errors                            *Errors

	steps   []step
	closers []func() error
}

// New makes and configures everything that config names. After an error nothing is left open.
func New(config Config) (*Pipeline, error) {
	values, err := errorKeys.Parse(connectors.Raw(config.Config))
	if err != nil {
		return nil, err
	}
	p := &Pipeline{Errors: newErrors(config, values)}
	if err := p.configure(config, values); err != nil {
		if cerr := p.Close(); cerr != nil {
			config.Logger.Warn("closing what was configured failed", "err", cerr)
		}
		return nil, err
	}
	return p, nil
}

func (p *Pipeline) configure(config Config, values connectors.Values) (err error) {
	if p.Key, p.KeyClass, err = p.converter(config, "key.converter", config.Key, true); err != nil {
		return err
	}
	if p.Value, p.ValueClass, err = p.converter(config, "value.converter", config.Value, false); err != nil {
		return err
	}
	if err = p.headerConverter(config); err != nil {
		return err
	}
	predicates := values.List("predicates")
	for _, alias := range values.List("transforms") {
		if err := p.addStep(config, alias, predicates); err != nil {
			return err
		}
	}
	return nil
}

// chosen is the connector's own converter with its own options, else the worker's with the worker's: they never mix.
func chosen(config Config, name string, worker Converter) Converter {
	if class, ok := config.Config[name]; ok {
		return Converter{Class: class, Version: config.Config[name+".plugin.version"], Options: under(config.Config, name+".")}
	}
	return worker
}

func under(config map[string]string, prefix string) map[string]string {
	options := make(map[string]string)
	for k, v := range config {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			options[name] = v
		}
	}
	return options
}

func (p *Pipeline) converter(config Config, name string, worker Converter, isKey bool) (connectors.Converter, string, error) {
	c := chosen(config, name, worker)
	plugin, err := config.Registry.Lookup(connectors.KindConverter, c.Class, c.Version)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	made := plugin.NewConverter()
	if err := made.Configure(c.Options, isKey); err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	p.closers = append(p.closers, made.Close)
	return made, plugin.Class, nil
}

func (p *Pipeline) headerConverter(config Config) error {
	c := chosen(config, "header.converter", config.Header)
	plugin, err := config.Registry.Lookup(connectors.KindHeaderConverter, c.Class, c.Version)
	if err != nil {
		return fmt.Errorf("header.converter: %w", err)
	}
	options := make(map[string]string, len(c.Options)+1)
	for k, v := range c.Options {
		options[k] = v
	}
	options["converter.type"] = "header"
	p.Header, p.HeaderClass = plugin.NewHeaderConverter(), plugin.Class
	if err := p.Header.Configure(options); err != nil {
		return fmt.Errorf("header.converter: %w", err)
	}
	p.closers = append(p.closers, p.Header.Close)
	return nil
}

// Close closes all plugins.
func (p *Pipeline) Close() error {
	var first error
	for _, c := range p.closers {
		if err := c(); err != nil && first == nil {
			first = err
		}
	}
	p.closers = nil
	return first
}

// HasTransforms reports whether Transform may change records.
func (p *Pipeline) HasTransforms() bool { return len(p.steps) > 0 }

func millis(values connectors.Values, name string) time.Duration {
	if n := values.Long(name); n < 0 {
		return -1
	}
	return values.Millis(name)
}
