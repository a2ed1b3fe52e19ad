package connectors_test

import (
	"errors"
	"testing"
	"time"

	"millrace/connectors"
)

func TestNewConfigDefPanics(t *testing.T) {
	str := func(name string, dependents ...string) connectors.ConfigKey {
		return connectors.ConfigKey{Name: name, Type: connectors.ConfigString, Default: "", Dependents: dependents}
	}
	for name, keys := range map[string][]connectors.ConfigKey{
		"twice":          {str("a"), str("a")},
		"circle":         {str("a", "b"), str("b", "c"), str("c", "b")},
		"itself":         {str("a", "a")},
		"default's type": {{Name: "a", Type: connectors.ConfigInt, Default: true}},
		"out of range":   {{Name: "a", Type: connectors.ConfigShort, Default: 1 << 20}},
		"own rule":       {{Name: "a", Type: connectors.ConfigInt, Default: 0, Validator: connectors.AtLeast(1)}},
		"unknown type":   {{Name: "a", Type: "BLOB", Default: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				var configErr *connectors.ConfigError
				if err, ok := recover().(error); !ok || !errors.As(err, &configErr) {
					t.Errorf("panicked with %v", err)
				}
			}()
			connectors.NewConfigDef(keys...)
		})
	}
}

func TestValues(t *testing.T) {
	def := connectors.NewConfigDef(
		connectors.ConfigKey{Name: "b", Type: connectors.ConfigBoolean, Default: true},
		connectors.ConfigKey{Name: "s", Type: connectors.ConfigString},
		connectors.ConfigKey{Name: "i", Type: connectors.ConfigInt, Default: 1500},
		connectors.ConfigKey{Name: "h", Type: connectors.ConfigShort, Default: -1},
		connectors.ConfigKey{Name: "l", Type: connectors.ConfigLong, Default: 2500},
		connectors.ConfigKey{Name: "d", Type: connectors.ConfigDouble, Default: 1},
		connectors.ConfigKey{Name: "list", Type: connectors.ConfigList, Default: "a, b"},
		connectors.ConfigKey{Name: "p", Type: connectors.ConfigPassword, Default: "secret"},
	)
	v, err := def.Parse(connectors.Raw(map[string]string{"d": "2.5", "unknown": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if !v.Bool("b") || v.String("s") != "" || !v.IsNull("s") || v.Int("i") != 1500 || v.Short("h") != -1 || v.Long("l") != 2500 ||
		v.Double("d") != 2.5 || len(v.List("list")) != 2 || v.Password("p") != "secret" || v.Millis("i") != 1500*time.Millisecond ||
		v.Millis("l") != 2500*time.Millisecond {
		t.Errorf("got %v", v)
	}
	if got := v.Password("p").String(); got != "[hidden]" {
		t.Errorf("a password prints as %s", got)
	}
	if len(v) != len(def.Keys()) {
		t.Errorf("%d values of %d keys", len(v), len(def.Keys()))
	}
	wider := def.With(connectors.ConfigKey{Name: "more", Type: connectors.ConfigString, Required: true})
	if wider.Lookup("more") == nil || def.Lookup("more") != nil {
		t.Error("With changed the definition")
	}
}
