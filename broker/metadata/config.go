package metadata

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ConfigResource names what a set of config values belongs to.
type ConfigResource struct {
	Type ResourceType
	// Name is a topic name, or a node id in decimal. For brokers the empty name is the cluster-wide default.
	Name string
}

// ResourceType is Kafka's config resource type, with its number on the wire.
type ResourceType int8

const (
	ResourceTopic  ResourceType = 2
	ResourceBroker ResourceType = 4
)

// TopicResource is the config resource of a topic.
func TopicResource(topic string) ConfigResource { return ConfigResource{ResourceTopic, topic} }

// BrokerResource is the config resource of one broker.
func BrokerResource(id BrokerID) ConfigResource {
	return ConfigResource{ResourceBroker, strconv.Itoa(int(id))}
}

// ClusterResource holds the broker configs that apply to all brokers without a value of their own.
var ClusterResource = ConfigResource{Type: ResourceBroker}

// ConfigType is the type of a config value, with the number DescribeConfigs sends.
type ConfigType int8

const (
	TypeBoolean ConfigType = 1
	TypeString  ConfigType = 2
	TypeInt     ConfigType = 3
	TypeLong    ConfigType = 5
	TypeDouble  ConfigType = 6
	TypeList    ConfigType = 7
)

// ConfigDef describes one topic config key of Apache Kafka.
type ConfigDef struct {
	Name    string
	Type    ConfigType
	Default string
	// Synonyms are the broker keys that give a topic without its own value its default, the strongest first.
	Synonyms []Synonym
	Doc      string
	// check refuses values of the right type that break the key's rule; it returns the rule.
	check func(value string) (rule string)
}

// Synonym is a broker key that sets the default of a topic key. Unit converts its value (hours, minutes) into the
// topic key's milliseconds.
type Synonym struct {
	Name string
	Unit int64
}

// LookupTopicConfig returns the definition of a topic config key.
func LookupTopicConfig(name string) (*ConfigDef, bool) {
	i, ok := slices.BinarySearchFunc(topicConfigs, name, func(d ConfigDef, name string) int {
		return strings.Compare(d.Name, name)
	})
	if !ok {
		return nil, false
	}
	return &topicConfigs[i], true
}

// TopicConfigs returns every topic config key, sorted by name. The slice is shared: do not change it.
func TopicConfigs() []ConfigDef { return topicConfigs }

// Parse checks value against the key's type and rule and returns it in its canonical spelling: without spaces
// around it or around list elements.
func (d *ConfigDef) Parse(value string) (string, error) {
	v := strings.TrimSpace(value)
	var err error
	switch d.Type {
	case TypeBoolean:
		if v = strings.ToLower(v); v != "true" && v != "false" {
			return "", d.refuse(value, "must be true or false")
		}
	case TypeInt:
		_, err = strconv.ParseInt(v, 10, 32)
	case TypeLong:
		_, err = strconv.ParseInt(v, 10, 64)
	case TypeDouble:
		_, err = strconv.ParseFloat(v, 64)
	case TypeList:
		v = strings.Join(SplitList(v), ",")
	}
	if err != nil {
		return "", d.refuse(value, "not a number of type "+d.Type.String())
	}
	if d.check != nil {
		if rule := d.check(v); rule != "" {
			return "", d.refuse(value, rule)
		}
	}
	return v, nil
}

func (d *ConfigDef) refuse(value, rule string) error {
	return &Error{ErrInvalidConfig, fmt.Sprintf("Invalid value %s for configuration %s: %s", value, d.Name, rule)}
}

// SplitList splits a list value at its commas, dropping spaces around elements. The empty text is the empty list.
func SplitList(v string) []string {
	if strings.TrimSpace(v) == "" {
		return nil
	}
	parts := strings.Split(v, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func (t ConfigType) String() string {
	switch t {
	case TypeBoolean:
		return "BOOLEAN"
	case TypeString:
		return "STRING"
	case TypeInt:
		return "INT"
	case TypeLong:
		return "LONG"
	case TypeDouble:
		return "DOUBLE"
	case TypeList:
		return "LIST"
	}
	return fmt.Sprintf("ConfigType(%d)", int8(t))
}

func atLeast(low int64) func(string) string { return between(low, math.MaxInt64) }

func between(low, high int64) func(string) string {
	return func(v string) string {
		switch n, err := strconv.ParseInt(v, 10, 64); {
		case err != nil || n < low:
			return fmt.Sprintf("Value must be at least %d", low)
		case n > high:
			return fmt.Sprintf("Value must be no more than %d", high)
		}
		return ""
	}
}

func fraction(v string) string {
	if f, err := strconv.ParseFloat(v, 64); err != nil || !(f >= 0 && f <= 1) {
		return "Value must be between 0 and 1"
	}
	return ""
}

func oneOf(allowed ...string) func(string) string {
	return func(v string) string {
		if !slices.Contains(allowed, v) {
			return "String must be one of: " + strings.Join(allowed, ", ")
		}
		return ""
	}
}

func listOf(allowed ...string) func(string) string {
	return func(v string) string {
		for _, e := range SplitList(v) {
			if !slices.Contains(allowed, e) {
				return "List may hold only: " + strings.Join(allowed, ", ")
			}
		}
		return ""
	}
}

// throttledReplicas is a list of partition:broker pairs, or * for all.
func throttledReplicas(v string) string {
	const rule = "Must be the literal '*' or a list of replicas in the form partition:broker,partition:broker"
	if v == "*" || v == "none" {
		return ""
	}
	for _, e := range SplitList(v) {
		p, b, ok := strings.Cut(e, ":")
		if !ok || between(0, math.MaxInt32)(p) != "" || between(0, math.MaxInt32)(b) != "" {
			return rule
		}
	}
	return ""
}

func gzipLevel(v string) string {
	if n, err := strconv.Atoi(v); err != nil || n != -1 && (n < 1 || n > 9) {
		return "Value must be between 1 and 9 or equal to -1"
	}
	return ""
}

// ValidateTopicConfigs checks the rules that bind several keys of one topic. Each value was parsed before.
func ValidateTopicConfigs(overrides map[string]string) error {
	number := func(key string) int64 {
		def, _ := LookupTopicConfig(key)
		n, _ := strconv.ParseInt(ResolveTopicConfig(def, overrides, Defaults{}).Value, 10, 64) // parsed before
		return n
	}
	refuse := func(format string, args ...any) error {
		return &Error{ErrInvalidConfig, fmt.Sprintf(format, args...)}
	}
	if low, high := number("min.compaction.lag.ms"), number("max.compaction.lag.ms"); low > high {
		return refuse("Invalid value %d for configuration min.compaction.lag.ms: must not be above max.compaction.lag.ms (%d)", low, high)
	}
	for _, unit := range []string{"ms", "bytes"} {
		local, total := number("local.retention."+unit), number("retention."+unit)
		if local != -2 && total != -1 && (local == -1 || local > total) {
			return refuse("Invalid value %d for configuration local.retention.%s: must not be above retention.%s (%d)", local, unit, unit, total)
		}
	}
	if overrides["remote.storage.enable"] == "true" {
		return refuse("Invalid value true for configuration remote.storage.enable: this broker has no tiered storage")
	}
	return nil
}

// LookupBrokerConfig returns the topic config that a broker key is the default of. These are the broker keys that can be
// changed at runtime.
func LookupBrokerConfig(name string) (*ConfigDef, bool) {
	for i := range topicConfigs {
		for _, syn := range topicConfigs[i].Synonyms {
			if syn.Name == name {
				return &topicConfigs[i], true
			}
		}
	}
	return nil, false
}
