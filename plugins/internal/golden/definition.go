package golden

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
)

// A Definition is a recorded ConfigDef.
type Definition struct {
	Class string
	Keys  []Key
}

// A Key is a recorded key of a ConfigDef.
type Key struct {
	Name        string
	Type        connectors.ConfigType
	Required    bool
	Default     *string
	Importance  connectors.Importance
	Group       *string
	Order       int
	Width       connectors.Width
	DisplayName string `json:"display_name"`
	Validator   *string
	Dependents  []string
}

// Compare reports differences between a definition and the recorded one.
func (d Definition) Compare(t *testing.T, def *connectors.ConfigDef) {
	t.Helper()
	got := []Key{}
	for _, k := range def.Keys() {
		key := Key{
			Name: k.Name, Type: k.Type, Required: k.Required, Default: k.DefaultText(), Importance: k.Importance, Order: k.Order,
			Width: k.Width, DisplayName: k.DisplayName, Dependents: append([]string{}, k.Dependents...),
		}
		if k.Group != "" {
			key.Group = &k.Group
		}
		if k.Validator != nil {
			text := k.Validator.String()
			key.Validator = &text
		}
		if k.Doc == "" {
			t.Errorf("%s: %s has no documentation", d.Class, k.Name)
		}
		got = append(got, key)
	}
	if diff := cmp.Diff(d.Keys, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", d.Class, diff)
	}
}
