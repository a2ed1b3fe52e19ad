package validation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/runtime"
)

// Config is what a Validator has to know of its worker.
type Config struct {
	// KeyConverter, ValueConverter and HeaderConverter are the worker's classes, the defaults of connectors.
	KeyConverter, ValueConverter, HeaderConverter string
	// AnyConverter says that nobody has chosen the first two: those that a connector's plugin names go first.
	AnyConverter bool
	// AnyHeaderConverter says the same of the header converter.
	AnyHeaderConverter bool
	// GroupID is the group of the workers; sinks may not consume in it. Standalone workers have none.
	GroupID string
	// OverridePolicy is connector.client.config.override.policy: All (also when empty), None, Principal or Allowlist, or Connect's class
	// names of these. Allowlist is connector.client.config.override.allowlist.
	OverridePolicy string
	Allowlist      []string
	// TopicCreation says that topic.creation.* counts.
	TopicCreation bool
}

// A Validator checks configurations of connectors. It has no state and may be used from any goroutine.
type Validator struct {
	config   Config
	registry *plugins.Registry
	policy   policy
}

var _ runtime.Validator = (*Validator)(nil)

// New returns a Validator over the plugins of registry. It fails if there is no policy of the name.
func New(c Config, registry *plugins.Registry) (*Validator, error) {
	p, err := newPolicy(c.OverridePolicy, c.Allowlist)
	if err != nil {
		return nil, err
	}
	return &Validator{config: c, registry: registry, policy: p}, nil
}

// ForWorker returns the Validator of a worker.
func ForWorker(c runtime.Config, registry *plugins.Registry) (*Validator, error) {
	return New(Config{
		KeyConverter:    c.KeyConverter.Class,
		ValueConverter:  c.ValueConverter.Class,
		HeaderConverter: c.HeaderConverter.Class,
		AnyConverter:    c.AnyConverter,

		AnyHeaderConverter: c.Properties["header.converter"] == "",
		GroupID:            c.GroupID,
		OverridePolicy:     c.Values.String("connector.client.config.override.policy"),
		Allowlist:          c.Values.List("connector.client.config.override.allowlist"),
		TopicCreation:      c.TopicCreation,
	}, registry)
}

// Plugins lists all plugins in Connect's order.
func (v *Validator) Plugins(context.Context) ([]runtime.PluginInfo, error) {
	list := v.registry.List()
	infos := make([]runtime.PluginInfo, len(list))
	for i, p := range list {
		infos[i] = runtime.PluginInfo{Class: p.Class, Type: p.Kind, Version: p.Version}
	}
	return infos, nil
}

// PluginConfig returns the keys of a plugin. For a connector, the framework's keys follow that it does not define itself.
func (v *Validator) PluginConfig(_ context.Context, plugin, version string) ([]runtime.ConfigKeyInfo, error) {
	p, err := v.registry.Any(plugin, version)
	var e *plugins.Error
	if errors.As(err, &e) {
		switch {
		case e.Problem == plugins.BadRange:
			return nil, runtime.Errorf(runtime.KindBadRequest, "Invalid version specification: %s", version)
		case e.Problem == plugins.UnknownVersion:
			return nil, runtime.Errorf(runtime.KindBadRequest, "%s", e.Message)
		case v.otherClass(plugin):
			return nil, runtime.Errorf(runtime.KindBadRequest, "Invalid plugin class %s. Valid types are sink, source, converter, header_converter, transformation, predicate.", plugin)
		}
		return nil, runtime.Errorf(runtime.KindNotFound, "Unknown plugin %s.", plugin)
	}
	if err != nil {
		return nil, err
	}
	keys := keyInfos(p.Config)
	if p.Kind == connectors.KindSource || p.Kind == connectors.KindSink {
		for _, k := range keyInfos(connectors.NewConfigDef(v.plainKeys(p)...)) {
			if p.Config.Lookup(k.Name) == nil {
				keys = append(keys, k)
			}
		}
	}
	for i := range keys {
		keys[i].Order = 0
	}
	return keys, nil
}

// otherClass reports whether name is a class of Connect that users know but that is no plugin with a configuration: the task of
// a connector, an override policy, a config provider, a REST extension.
func (v *Validator) otherClass(name string) bool {
	if _, err := newPolicy(name, nil); err == nil && name != "" {
		return true
	}
	simple := name[strings.LastIndexByte(name, '.')+1:]
	if strings.HasSuffix(simple, "ConfigProvider") || strings.HasSuffix(simple, "RestExtension") {
		return true
	}
	return slices.ContainsFunc(v.registry.List(connectors.KindSource, connectors.KindSink),
		func(p *connectors.Plugin) bool { return p.TaskClass == name })
}

// ValidateConfig checks a whole configuration. Errors of keys are in the answer; an error comes back when there is no
// connector to ask.
func (v *Validator) ValidateConfig(_ context.Context, plugin string, config connectors.RawConfig) (runtime.ConfigInfos, error) {
	class := config[keyClass]
	if plugin != "" && class != nil && !strings.HasSuffix(pruned(*class), pruned(plugin)) {
		return runtime.ConfigInfos{}, runtime.Errorf(runtime.KindBadRequest,
			"Included connector type %s does not match request type %s", *class, plugin)
	}
	if class == nil {
		return runtime.ConfigInfos{}, runtime.Errorf(runtime.KindBadRequest, "Connector config contains no connector type")
	}
	version := ""
	if given := config[keyVersion]; given != nil {
		version = strings.TrimSpace(*given)
	}
	connector, versionErr := v.registry.Connector(*class, version)
	var e *plugins.Error
	if errors.As(versionErr, &e) && e.Problem == plugins.UnknownVersion {
		connector, versionErr = v.registry.Connector(*class, "") // judge the rest by the newest
	} else {
		e = nil
	}
	if versionErr != nil {
		return runtime.ConfigInfos{}, runtime.Errorf(runtime.KindBadRequest, "%s", versionErr)
	}
	c := &check{Validator: v, connector: connector, raw: config, set: config.Strings(), result: newResult(*class)}
	if err := c.run(e); err != nil {
		return runtime.ConfigInfos{}, runtime.Errorf(runtime.KindBadRequest, "%s", err)
	}
	return c.result.infos(), nil
}

// pruned is a class name without the suffix Connector.
func pruned(class string) string {
	const suffix = "Connector"
	if len(class) > len(suffix) {
		return strings.TrimSuffix(class, suffix)
	}
	return class
}

// A check is one validation under way.
type check struct {
	*Validator
	connector *connectors.Plugin
	raw       connectors.RawConfig
	// set are the values of raw that are not null.
	set    map[string]string
	result *result
}

// nullMessage is what a null gets, but for keys that the connector defines and can do without.
const nullMessage = "Null value can not be supplied as the configuration value."

// run fills the result. version is what is wrong with connector.plugin.version, nil if nothing is.
func (c *check) run(version *plugins.Error) error {
	keys, err := c.frameworkKeys()
	if err != nil {
		return err
	}
	framework := connectors.NewConfigDef(keys...)
	main := c.result.block()
	values := main.add(framework, framework.Validate(c.raw))
	c.checkConverterClasses(values)
	if version != nil {
		values[keyClass].AddError(version.Message)
		values[keyVersion].AddError(version.Message)
	}
	if c.connector.Kind == connectors.KindSource {
		c.checkSource(values)
	} else {
		c.checkSink(values, main)
	}
	own := c.connector.Config.Validate(c.raw)
	if validator, ok := c.instance().(connectors.ConfigValidator); ok {
		validator.ValidateConfig(c.set, own)
	}
	main.add(c.connector.Config, own)
	for name, value := range c.raw {
		if k := c.connector.Config.Lookup(name); value == nil && (k == nil || k.Required) {
			main.value(name).AddError(nullMessage)
		}
	}
	c.canonicalClasses(main)
	c.checkOverrides()
	c.checkConverters(main)
	return nil
}

// instance makes a connector, to ask it; it is never started.
func (c *check) instance() any {
	if c.connector.Kind == connectors.KindSource {
		return c.connector.NewSource()
	}
	return c.connector.NewSink()
}

// errorText is a ConfigCheck's error with words of its own.
func errorText(format string, args ...any) error {
	return &connectors.ConfigError{Msg: fmt.Sprintf(format, args...)}
}
