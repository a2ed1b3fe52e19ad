package validation

import (
	"fmt"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/plugins/javaregex"
)

// checkSink checks what a sink reads, where its bad records go and in which group it consumes.
func (c *check) checkSink(values map[string]*connectors.ConfigValue, main *block) {
	topics, pattern := values[keyTopics], values[keyTopicsRegex]
	hasTopics := strings.TrimSpace(c.set[keyTopics]) != ""
	hasRegex := strings.TrimSpace(c.set[keyTopicsRegex]) != ""
	both := func(msg string) {
		topics.AddError(msg)
		pattern.AddError(msg)
	}
	switch {
	case hasTopics && hasRegex:
		both("topics and topics.regex are mutually exclusive options, but both are set.")
	case !hasTopics && !hasRegex:
		both("Must configure one of topics or topics.regex")
	}
	if dlq := strings.TrimSpace(c.set[keyDLQ]); dlq != "" {
		if list, ok := topics.Value.([]string); ok && hasTopics && slices.Contains(list, dlq) {
			topics.AddError(fmt.Sprintf("The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector",
				dlq, strings.Join(list, ", ")))
		}
		if text, ok := pattern.Value.(string); ok && hasRegex {
			if re, err := javaregex.Compile(text); err == nil && re.MatchWhole(dlq) {
				pattern.AddError(fmt.Sprintf("The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector",
					dlq, text))
			}
		}
	}
	c.checkGroup(values, main)
}

// checkGroup keeps a sink out of the group of the workers.
func (c *check) checkGroup(values map[string]*connectors.ConfigValue, main *block) {
	group, overridden := c.set[keyOverrideGroup]
	if overridden {
		v := main.value(keyOverrideGroup)
		v.Value = group
		if c.config.GroupID != "" && group == c.config.GroupID {
			v.AddError(fmt.Sprintf("Consumer group %s conflicts with Connect worker group %s", group, c.config.GroupID))
		}
		return
	}
	if name, ok := c.set[keyName]; ok && c.config.GroupID != "" && "connect-"+name == c.config.GroupID {
		values[keyName].AddError(fmt.Sprintf("Consumer group for sink connector named %s conflicts with Connect worker group %s", name, c.config.GroupID))
	}
}
