package connectors

import (
	"fmt"
	"slices"
	"strings"
)

// RawConfig is a configuration as it was written: a nil value is an explicit null.
type RawConfig map[string]*string

// Raw returns config as a RawConfig.
func Raw(config map[string]string) RawConfig {
	raw := make(RawConfig, len(config))
	for k, v := range config {
		raw[k] = &v
	}
	return raw
}

// Strings returns the values without the nulls.
func (c RawConfig) Strings() map[string]string {
	m := make(map[string]string, len(c))
	for k, v := range c {
		if v != nil {
			m[k] = *v
		}
	}
	return m
}

// A ConfigType is the type of a configuration value. Its text is what REST shows.
type ConfigType string

// The types, with the Go type of parsed values.
const (
	ConfigBoolean  ConfigType = "BOOLEAN"  // bool
	ConfigString   ConfigType = "STRING"   // string
	ConfigInt      ConfigType = "INT"      // int32
	ConfigShort    ConfigType = "SHORT"    // int16
	ConfigLong     ConfigType = "LONG"     // int64
	ConfigDouble   ConfigType = "DOUBLE"   // float64
	ConfigList     ConfigType = "LIST"     // []string
	ConfigClass    ConfigType = "CLASS"    // string, as written
	ConfigPassword ConfigType = "PASSWORD" // Password
)

// A Password prints as [hidden].
type Password string

// String hides the password.
func (Password) String() string { return "[hidden]" }

// Importance of a key.
type Importance string

// The importances.
const (
	High   Importance = "HIGH"
	Medium Importance = "MEDIUM"
	Low    Importance = "LOW"
)

// Width of a key's form field.
type Width string

// The widths.
const (
	WidthNone   Width = "NONE"
	WidthShort  Width = "SHORT"
	WidthMedium Width = "MEDIUM"
	WidthLong   Width = "LONG"
)

// A ConfigKey defines one key.
type ConfigKey struct {
	Name string
	// Aliases are other names that a value may be given by, those of peers' connectors. Two names with different values are
	// an error.
	Aliases []string
	Type    ConfigType
	// Default is a value of the type or a text to parse; nil is a null default. An int also does for the number types.
	// Required keys have none.
	Default    any
	Required   bool
	Validator  ConfigCheck
	Importance Importance
	Doc        string
	Group      string
	// Order within the group, from 1. NewConfigDef makes it -1 for a key of no group.
	Order int
	// Width and DisplayName may be left empty: NewConfigDef fills in WidthNone and Name.
	Width       Width
	DisplayName string
	// Dependents are the keys whose recommended values and visibility depend on this one.
	Dependents  []string
	Recommender Recommender
	// ClassExists tells a ConfigClass key which classes there are; nil believes every name but the empty one.
	ClassExists func(class string) bool
}

// A ConfigCheck checks a parsed value; its String names the rule, as documentation shows it.
type ConfigCheck interface {
	Check(name string, value any) error
	String() string
}

// A Recommender offers values for a key, given the parsed values of the others.
type Recommender interface {
	ValidValues(name string, parsed map[string]any) []any
	Visible(name string, parsed map[string]any) bool
}

// RecommenderCheck is an optional ability of a Recommender that cannot always answer: its error becomes an error of the
// key, and the key keeps no recommended values and stays visible.
type RecommenderCheck interface {
	CheckRecommend(name string, parsed map[string]any) error
}

// A ConfigDef is the single source for parsing, validation answers, documentation and forms. It is immutable.
type ConfigDef struct {
	keys  []*ConfigKey
	index map[string]*ConfigKey
}

// NewConfigDef returns a definition of keys, in order. It panics with a *ConfigError if a key is defined twice, a default
// breaks its own rule or dependents go in a circle: all are mistakes of the program.
func NewConfigDef(keys ...ConfigKey) *ConfigDef {
	d := &ConfigDef{keys: make([]*ConfigKey, 0, len(keys)), index: make(map[string]*ConfigKey, len(keys))}
	for _, k := range keys {
		if err := d.define(k); err != nil {
			panic(err)
		}
	}
	if name := d.circle(); name != "" {
		panic(&ConfigError{Msg: fmt.Sprintf("Configuration %s depends on itself.", name)})
	}
	return d
}

// With returns a definition of d's keys followed by more. It panics as NewConfigDef does.
func (d *ConfigDef) With(more ...ConfigKey) *ConfigDef {
	keys := make([]ConfigKey, 0, len(d.keys)+len(more))
	for _, k := range d.keys {
		keys = append(keys, *k)
	}
	return NewConfigDef(append(keys, more...)...)
}

// Keys returns the keys in the order of definition; the caller does not change them. A nil ConfigDef has none.
func (d *ConfigDef) Keys() []*ConfigKey {
	if d == nil {
		return nil
	}
	return d.keys
}

// Lookup returns the key called name, nil if there is none.
func (d *ConfigDef) Lookup(name string) *ConfigKey {
	if d == nil {
		return nil
	}
	return d.index[name]
}

// Parse returns the typed values of all keys of d; keys that d does not define are ignored. It fails with a *ConfigError
// at the first key that is missing, does not parse or breaks its rule. Repeated items of a list that may not repeat
// them are dropped here, though Validate reports them.
func (d *ConfigDef) Parse(config RawConfig) (Values, error) {
	if undefined := d.undefinedDependents(); len(undefined) > 0 {
		return nil, &ConfigError{Msg: "Some configurations in are referred in the dependents, but not defined: " +
			strings.Join(undefined, ",")}
	}
	values := make(Values, len(d.keys))
	for _, k := range d.keys {
		v, err := k.read(config)
		if err != nil {
			return nil, err
		}
		if c, ok := k.Validator.(*listCheck); ok {
			v = c.distinct(v)
		}
		if k.Validator != nil {
			if err := k.Validator.Check(k.Name, v); err != nil {
				return nil, err
			}
		}
		values[k.Name] = v
	}
	return values, nil
}

// read returns the parsed value or the default of k.
func (k *ConfigKey) read(config RawConfig) (any, error) {
	raw, set, err := k.find(config)
	switch {
	case err != nil:
		return nil, err
	case !set && k.Required:
		return nil, &ConfigError{Msg: `Missing required configuration "` + k.Name + `" which has no default value.`}
	case !set:
		return k.Default, nil
	case raw == nil:
		return nil, nil
	}
	return k.parse(*raw)
}

// find returns the value given by k's name or one of its aliases.
func (k *ConfigKey) find(config RawConfig) (raw *string, set bool, err error) {
	raw, set = config[k.Name]
	from := k.Name
	for _, alias := range k.Aliases {
		v, ok := config[alias]
		switch {
		case !ok || v == nil:
		case !set || raw == nil:
			raw, set, from = v, true, alias
		case *raw != *v:
			return nil, true, &ConfigError{Msg: fmt.Sprintf("Configurations %s and %s mean the same but have different values; keep one.", from, alias)}
		}
	}
	return raw, set, nil
}

func (d *ConfigDef) define(k ConfigKey) error {
	if d.index[k.Name] != nil {
		return &ConfigError{Msg: fmt.Sprintf("Configuration %s is defined twice.", k.Name)}
	}
	if !k.Required && k.Default != nil {
		v, err := k.adopt(k.Default)
		if err != nil {
			return err
		}
		k.Default = v
	}
	if !k.Required && k.Validator != nil {
		if err := k.Validator.Check(k.Name, k.Default); err != nil {
			return err
		}
	}
	if k.Width == "" {
		k.Width = WidthNone
	}
	if k.DisplayName == "" {
		k.DisplayName = k.Name
	}
	if k.Group == "" && k.Order == 0 {
		k.Order = -1
	}
	d.keys = append(d.keys, &k)
	d.index[k.Name] = &k
	return nil
}

// circle returns a key that depends on itself by any number of steps, "" if there is none.
func (d *ConfigDef) circle() string {
	const (
		visiting = 1
		done     = 2
	)
	state := make(map[string]int, len(d.keys))
	var visit func(name string) bool
	visit = func(name string) bool {
		k := d.index[name]
		if k == nil || state[name] == done {
			return false
		}
		if state[name] == visiting {
			return true
		}
		state[name] = visiting
		if slices.ContainsFunc(k.Dependents, visit) {
			return true
		}
		state[name] = done
		return false
	}
	for _, k := range d.keys {
		if visit(k.Name) {
			return k.Name
		}
	}
	return ""
}

func (d *ConfigDef) undefinedDependents() []string {
	var undefined []string
	for _, k := range d.keys {
		for _, name := range k.Dependents {
			if d.index[name] == nil && !slices.Contains(undefined, name) {
				undefined = append(undefined, name)
			}
		}
	}
	return undefined
}
