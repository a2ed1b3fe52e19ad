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

// versionCheck wants a version or a range.
type versionCheck struct{}

func (versionCheck) String() string { return "a version, or a range of versions like [1.0,2.0)" }

func (versionCheck) Check(_ string, value any) error {
	if version, ok := value.(string); ok {
		if _, err := plugins.ParseRange(version); err != nil {
			return errorText("%s", err)
		}
	}
	return nil
}

// foundVersionCheck refuses a version that the plugin does not have.
type foundVersionCheck struct{ find func(version string) error }

func (foundVersionCheck) String() string { return versionCheck{}.String() }

func (c foundVersionCheck) Check(_ string, value any) error {
	version, ok := value.(string)
	if !ok {
		return nil
	}
	if err := c.find(version); err != nil {
		return errorText("%s", err)
	}
	return nil
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
