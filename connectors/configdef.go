package connectors

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
	Type ConfigType
	// Default is a value of the type, nil for a null default. Required keys have none.
	Default    any
	Required   bool
	Validator  ConfigCheck
	Importance Importance
	Doc        string
	Group      string
	// Order within the group, from 1; 0 shows as -1 when the key has no group.
	Order       int
	Width       Width
	DisplayName string
	Dependents  []string
	Recommender Recommender
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

// A ConfigDef is the single source for parsing, validation answers, documentation and forms.
type ConfigDef struct {
	keys  []*ConfigKey
	index map[string]*ConfigKey
}

// NewConfigDef returns a definition of keys, in order. It panics if a key is defined twice or a default breaks
// its own rule: both are mistakes of the program.
func NewConfigDef(keys ...ConfigKey) *ConfigDef {
	panic("unfinished")
}

// A ConfigValue is what validation says of one key. Value is the parsed value, nil if there is none or parsing failed.
type ConfigValue struct {
	Name              string
	Value             any
	RecommendedValues []any
	Errors            []string
	Visible           bool
}

// Values are parsed values by key; defaults are filled in.
type Values map[string]any
