package validation

import (
	"slices"

	"millrace/connectors"
	"millrace/plugins"
)

// versionOf is a plugin's version as the default of a key; nil for one that has none.
func versionOf(p *connectors.Plugin) any {
	if p == nil || p.Version == "" {
		return nil
	}
	return p.Version
}

// versionCheck wants a version or a range; with find, one that the plugin has. The default is always right, whatever it looks like.
type versionCheck struct {
	byDefault any
	find      func(version string) error
}

func (versionCheck) String() string { return "a version, or a range of versions like [1.0,2.0)" }

func (c versionCheck) Check(_ string, value any) error {
	version, ok := value.(string)
	if !ok || value == c.byDefault {
		return nil
	}
	if c.find == nil {
		c.find = wellFormed
	}
	if err := c.find(version); err != nil {
		return errorText("%s", err)
	}
	return nil
}

func wellFormed(version string) error {
	_, err := plugins.ParseRange(version)
	return err
}

// recommended is a Recommender of fixed values.
type recommended []string

func (r recommended) ValidValues(string, map[string]any) []any {
	values := make([]any, len(r))
	for i, v := range r {
		values[i] = v
	}
	return values
}

func (recommended) Visible(string, map[string]any) bool { return true }

func versionsOf(registry *plugins.Registry, class string) recommended {
	return recommended(slices.Compact(registry.AvailableVersions(class)))
}
