package validation

import (
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/plugins/javaregex"
)

// topicCreationKeys define include, exclude, replication.factor and partitions of every group of topics, once the configuration has any of
// topic.creation. Unlike Connect we check them here: there the connector is created and fails.
func (c *check) topicCreationKeys() []connectors.ConfigKey {
	if c.connector.Kind != connectors.KindSource || !c.config.TopicCreation || !c.usesTopicCreation() {
		return nil
	}
	var keys []connectors.ConfigKey
	for _, g := range append(c.aliases(keyTopicGroups), defaultTopicGroup) {
		if slices.ContainsFunc(keys, func(k connectors.ConfigKey) bool { return k.Name == topicCreation+g+".partitions" }) {
			continue // the group default was listed
		}
		keys = append(keys, topicGroupKeys(g)...)
	}
	return keys
}

func (c *check) usesTopicCreation() bool {
	for name := range c.raw {
		if strings.HasPrefix(name, topicCreation) {
			return true
		}
	}
	return false
}

func topicGroupKeys(name string) []connectors.ConfigKey {
	prefix, group, isDefault := topicCreation+name+".", groupCreation+": "+name, name == defaultTopicGroup
	count := func(what string) connectors.ConfigCheck {
		return connectors.CheckFunc("Positive number, or -1 for the broker's default", func(value any) string {
			var n int64
			switch v := value.(type) {
			case int16:
				n = int64(v)
			case int32:
				n = int64(v)
			default:
				return ""
			}
			if n == -1 || n > 0 {
				return ""
			}
			return what + " must be positive, or -1 to use the broker's default"
		})
	}
	keys := []connectors.ConfigKey{
		{Name: prefix + "include", Type: connectors.ConfigList, Default: []string{}, Validator: regexListCheck{}, Importance: connectors.High,
			Doc:   "Regular expressions of the topics in group " + name + ".",
			Group: group, Order: 1, Width: connectors.WidthLong, DisplayName: "Inclusion Topic Pattern for " + name},
		{Name: prefix + "exclude", Type: connectors.ConfigList, Default: []string{}, Validator: regexListCheck{}, Importance: connectors.Medium,
			Doc:   "Regular expressions of topics that are not in group " + name + " though include matches them.",
			Group: group, Order: 2, Width: connectors.WidthLong, DisplayName: "Exclusion Topic Pattern for " + name},
		{Name: prefix + "replication.factor", Type: connectors.ConfigShort, Required: isDefault, Validator: count("Replication factor"), Importance: connectors.Low,
			Doc:   "Replicas of the topics in group " + name + "; -1 for the broker's default.",
			Group: group, Order: 3, Width: connectors.WidthLong, DisplayName: "Replication Factor for Topics in " + name},
		{Name: prefix + "partitions", Type: connectors.ConfigInt, Required: isDefault, Validator: count("Number of partitions"), Importance: connectors.Low,
			Doc:   "Partitions of the topics in group " + name + "; -1 for the broker's default.",
			Group: group, Order: 4, Width: connectors.WidthLong, DisplayName: "Partition Count for Topics in " + name},
	}
	if isDefault {
		return keys[2:] // the default group has every topic that no other has
	}
	return keys
}

// checkTopicCreation refuses a group that can have no topic.
func (c *check) checkTopicCreation(values map[string]*connectors.ConfigValue) {
	for name, v := range values {
		if strings.HasPrefix(name, topicCreation) && strings.HasSuffix(name, ".include") && len(v.Errors) == 0 {
			if list, ok := v.Value.([]string); ok && len(list) == 0 {
				v.AddError("Configuration '" + name + "' must not be empty: a group of topics needs an expression that says which topics it has.")
			}
		}
	}
}

type regexListCheck struct{}

func (regexListCheck) String() string { return "valid regular expressions" }

func (regexListCheck) Check(name string, value any) error {
	list, ok := value.([]string)
	if !ok {
		return nil
	}
	for _, item := range list {
		if err := javaregex.Check(item); err != nil {
			return connectors.InvalidValue(name, item, "Invalid regex: "+err.Error())
		}
	}
	return nil
}
