package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/plugins/providers"
	"millrace/runtime/internal/secrets"
	"millrace/runtime/state"
)

// masked is a herder whose answers have no secrets (config.masking=secrets). What it is sent, the herder itself restores.
type masked struct{ *herder }

var _ Herder = masked{}

// Connector implements Herder.
func (m masked) Connector(ctx context.Context, name string) (ConnectorInfo, error) {
	return m.info(m.herder.Connector(ctx, name))
}

// ConnectorConfig implements Herder.
func (m masked) ConnectorConfig(ctx context.Context, name string) (connectors.RawConfig, error) {
	config, err := m.herder.ConnectorConfig(ctx, name)
	return m.secretKeys(config.Strings()).Mask(config), err
}

// Tasks implements Herder.
func (m masked) Tasks(ctx context.Context, name string) ([]TaskInfo, error) {
	tasks, err := m.herder.Tasks(ctx, name)
	if c := m.lookup(name); c != nil {
		keys := m.secretKeys(c.Config.Strings())
		for i := range tasks {
			tasks[i].Config = keys.Mask(tasks[i].Config)
		}
	}
	return tasks, err
}

// CreateConnector implements Herder.
func (m masked) CreateConnector(ctx context.Context, name string, config connectors.RawConfig, initial TargetState) (ConnectorInfo, error) {
	info, err := m.herder.CreateConnector(ctx, name, config, initial)
	return m.info(info, m.clean(err, config))
}

// PutConfig implements Herder.
func (m masked) PutConfig(ctx context.Context, name string, config connectors.RawConfig) (ConnectorInfo, bool, error) {
	info, created, err := m.herder.PutConfig(ctx, name, config)
	info, err = m.info(info, m.clean(err, config))
	return info, created, err
}

// PatchConfig implements Herder.
func (m masked) PatchConfig(ctx context.Context, name string, patch connectors.RawConfig) (ConnectorInfo, error) {
	info, err := m.herder.PatchConfig(ctx, name, patch)
	return m.info(info, m.cleanOf(name, m.clean(err, patch)))
}

// AlterOffsets implements Herder.
func (m masked) AlterOffsets(ctx context.Context, name string, offs []ConnectorOffset) (string, error) {
	message, err := m.herder.AlterOffsets(ctx, name, offs)
	return message, m.cleanOf(name, err)
}

// ResetOffsets implements Herder.
func (m masked) ResetOffsets(ctx context.Context, name string) (string, error) {
	message, err := m.herder.ResetOffsets(ctx, name)
	return message, m.cleanOf(name, err)
}

func (m masked) info(info ConnectorInfo, err error) (ConnectorInfo, error) {
	info.Config = m.secretKeys(info.Config.Strings()).Mask(info.Config)
	return info, err
}

// cleanOf removes the secrets of a stored connector from an error.
func (m masked) cleanOf(name string, err error) error {
	if c := m.lookup(name); c != nil {
		return m.clean(err, c.Config)
	}
	return err
}

// clean removes the secrets in config from an error.
func (m masked) clean(err error, config connectors.RawConfig) error {
	if err == nil {
		return nil
	}
	values := config.Strings()
	// What cannot be resolved has no secrets of providers to hide.
	resolved, _ := m.cfg.Providers.Resolve(values)
	return cleanError(err, m.scrubber(values, resolved))
}

func cleanError(err error, s *secrets.Scrubber) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{Kind: e.Kind, Message: s.Text(e.Message)}
	}
	if text := err.Error(); s.Text(text) != text {
		return errors.New(s.Text(text))
	}
	return err
}

// lookup returns a stored connector if the worker is ready.
func (h *herder) lookup(name string) *state.Connector {
	if !h.isReady() {
		return nil
	}
	return h.configs.Connector(name)
}

// secretKeys are the keys to mask of a connector's configuration: none if nothing is masked.
func (h *herder) secretKeys(config map[string]string) secrets.Keys {
	if !h.cfg.MaskSecrets {
		return secrets.Keys{}
	}
	return secrets.KeysOf(h.registry, config)
}

// scrubber removes what is secret in a configuration, and what providers gave for it, from texts.
func (h *herder) scrubber(config map[string]string, resolved providers.Resolved) *secrets.Scrubber {
	return h.secrets.With(append(h.secretKeys(config).Values(config), resolved.Secrets...), slices.Collect(maps.Keys(config)))
}

// workerSecrets are the secrets in the worker's own properties.
func workerSecrets(c Config) *secrets.Scrubber {
	var s *secrets.Scrubber
	if !c.MaskSecrets {
		return s
	}
	values := slices.Clone(c.ProviderSecrets)
	for k, v := range c.Properties {
		if secrets.LooksSecret(k) {
			values = append(values, v)
		}
	}
	return s.With(values, slices.Collect(maps.Keys(c.Properties)))
}

// restore replaces what came back hidden by what is stored.
func (h *herder) restore(name string, config connectors.RawConfig) (connectors.RawConfig, error) {
	if !h.cfg.MaskSecrets {
		return config, nil
	}
	var stored connectors.RawConfig
	if c := h.configs.Connector(name); c != nil {
		stored = c.Config
	}
	restored, missing := secrets.Restore(config, stored)
	if len(missing) > 0 {
		return nil, Errorf(KindBadRequest, "%s: %s means that the value stays as it is, but connector %s has none; give the value, or a reference to a config provider",
			strings.Join(missing, ", "), secrets.Hidden, name)
	}
	return restored, nil
}

// check validates a configuration with its references resolved. The answer has the references and no secrets.
func (h *herder) check(ctx context.Context, plugin string, config connectors.RawConfig) (ConfigInfos, error) {
	given := config.Strings()
	resolved, err := h.cfg.Providers.Resolve(given)
	if err != nil {
		return ConfigInfos{}, Errorf(KindInternal, "%s", err)
	}
	checked := config
	if len(resolved.Changed) > 0 {
		checked = maps.Clone(config)
		for _, k := range resolved.Changed {
			v := resolved.Config[k]
			checked[k] = &v
		}
	}
	infos, err := h.validator.ValidateConfig(ctx, plugin, checked)
	scrub := h.scrubber(given, resolved)
	if err != nil {
		return infos, cleanError(err, scrub)
	}
	keys := h.secretKeys(given)
	names := secrets.KeysOf(h.registry, given)
	references := make(map[string]string)
	for k, v := range given {
		if providers.HasReference(v) {
			references[names.Canonical(k)] = v
		}
	}
	changed := make(map[string]bool, len(resolved.Changed))
	for _, k := range resolved.Changed {
		changed[names.Canonical(k)] = true
	}
	for _, c := range infos.Configs {
		v := c.Value
		if v == nil {
			continue
		}
		if reference, ok := references[v.Name]; ok {
			v.Value = &reference
		} else if v.Value != nil && keys.Hides(v.Name, *v.Value) {
			hidden := secrets.Hidden
			v.Value = &hidden
		}
		if changed[v.Name] {
			v.RecommendedValues = []string{}
		}
		for i, text := range v.Errors {
			if changed[v.Name] {
				v.Errors[i] = fmt.Sprintf("Invalid value for configuration '%s': the value resolved from the config provider reference failed validation", v.Name)
			} else {
				v.Errors[i] = scrub.Text(text)
			}
		}
	}
	return infos, nil
}
