package validation

import (
	"millrace/connectors"
	"millrace/plugins"
	"millrace/plugins/javaregex"
)

// Keys that are looked at outside of their definition.
const (
	keyName           = "name"
	keyClass          = "connector.class"
	keyVersion        = "connector.plugin.version"
	keyTransforms     = "transforms"
	keyPredicates     = "predicates"
	keyTopics         = "topics"
	keyTopicsRegex    = "topics.regex"
	keyDLQ            = "errors.deadletterqueue.topic.name"
	keyExactlyOnce    = "exactly.once.support"
	keyBoundary       = "transaction.boundary"
	keyTopicGroups    = "topic.creation.groups"
	keyOffsetsTopic   = "offsets.storage.topic"
	keyOverrideGroup  = "consumer.override.group.id"
	topicCreation     = "topic.creation."
	groupCommon       = "Common"
	groupErrors       = "Error Handling"
	groupCreation     = "Topic Creation"
	groupExactlyOnce  = "Exactly Once Support"
	versionSuffix     = ".plugin.version"
	defaultTopicGroup = "default"
)

// plainKeys are the framework's keys for a connector, before its configuration adds any, with the defaults of a worker nobody asked.
func (v *Validator) plainKeys(connector *connectors.Plugin) []connectors.ConfigKey {
	keys := commonKeys(connector, v.registry)
	if connector.Kind == connectors.KindSource {
		return append(keys, sourceKeys()...)
	}
	return append(keys, sinkKeys()...)
}

// frameworkKeys are plainKeys with the worker's converters as defaults, and the keys of transforms, predicates and topic groups.
func (c *check) frameworkKeys() ([]connectors.ConfigKey, error) {
	keys := c.plainKeys(c.connector)
	c.converterKeys(keys)
	keys = append(keys, c.topicCreationKeys()...)
	keys = append(keys, c.aliasKeys(transformAliases)...)
	keys = append(keys, c.aliasKeys(predicateAliases)...)
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k.Name] {
			return nil, errorText("Configuration %s is defined twice.", k.Name)
		}
		seen[k.Name] = true
	}
	return keys, nil
}

func commonKeys(connector *connectors.Plugin, registry *plugins.Registry) []connectors.ConfigKey {
	return []connectors.ConfigKey{
		{Name: keyName, Type: connectors.ConfigString, Required: true, Validator: connectors.NonEmptyWithoutControlChars(),
			Importance: connectors.High, Doc: "Name of the connector, unique among all connectors of the worker group.",
			Group: groupCommon, Order: 1, Width: connectors.WidthMedium, DisplayName: "Connector name"},
		{Name: keyClass, Type: connectors.ConfigString, Required: true, Importance: connectors.High,
			Doc:   "Class of the connector: the full name, or the simple name with or without Connector at its end.",
			Group: groupCommon, Order: 2, Width: connectors.WidthLong, DisplayName: "Connector class"},
		{Name: keyVersion, Type: connectors.ConfigString, Default: versionOf(connector), Validator: versionCheck{byDefault: versionOf(connector)},
			Recommender: versionsOf(registry, connector.Class), Importance: connectors.Medium,
			Doc:   "Version of the connector, or a range like [1.0,2.0); the newest one unless set.",
			Group: groupCommon, Order: 3, Width: connectors.WidthMedium, DisplayName: "Connector version"},
		{Name: "tasks.max", Type: connectors.ConfigInt, Default: 1, Validator: connectors.AtLeast(1), Importance: connectors.High,
			Doc:   "Most tasks that the connector may have.",
			Group: groupCommon, Order: 4, Width: connectors.WidthShort, DisplayName: "Tasks max"},
		{Name: "tasks.max.enforce", Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Low,
			Doc:   "Fail a connector that makes more tasks than tasks.max; false lets it have them. Deprecated.",
			Group: groupCommon, Order: 5, Width: connectors.WidthShort, DisplayName: "Enforce tasks max"},
		{Name: "key.converter", Type: connectors.ConfigClass, Importance: connectors.Low,
			Doc:   "Converter of record keys; the worker's unless set. Its options follow under key.converter.",
			Group: groupCommon, Order: 6, Width: connectors.WidthShort, DisplayName: "Key converter class"},
		{Name: "key.converter.plugin.version", Type: connectors.ConfigString, Importance: connectors.Low,
			Doc:   "Version of the key converter, or a range.",
			Group: groupCommon, Order: 7, Width: connectors.WidthShort, DisplayName: "Key converter version"},
		{Name: "value.converter", Type: connectors.ConfigClass, Importance: connectors.Low,
			Doc:   "Converter of record values; the worker's unless set. Its options follow under value.converter.",
			Group: groupCommon, Order: 8, Width: connectors.WidthShort, DisplayName: "Value converter class"},
		{Name: "value.converter.plugin.version", Type: connectors.ConfigString, Importance: connectors.Low,
			Doc:   "Version of the value converter, or a range.",
			Group: groupCommon, Order: 9, Width: connectors.WidthShort, DisplayName: "Value converter version"},
		{Name: "header.converter", Type: connectors.ConfigClass, Importance: connectors.Low,
			Doc:   "Converter of record headers; the worker's unless set. Its options follow under header.converter.",
			Group: groupCommon, Order: 10, Width: connectors.WidthShort, DisplayName: "Header converter class"},
		{Name: "header.converter.plugin.version", Type: connectors.ConfigString, Importance: connectors.Low,
			Doc:   "Version of the header converter, or a range.",
			Group: groupCommon, Order: 11, Width: connectors.WidthShort, DisplayName: "Header converter version"},
		{Name: keyTransforms, Type: connectors.ConfigList, Default: []string{}, Validator: aliasCheck{}, Importance: connectors.Low,
			Doc:   "Aliases of transforms, in the order in which they change records.",
			Group: "Transforms", Order: 12, Width: connectors.WidthLong, DisplayName: "Transforms"},
		{Name: keyPredicates, Type: connectors.ConfigList, Default: []string{}, Validator: aliasCheck{}, Importance: connectors.Low,
			Doc:   "Aliases of predicates that transforms refer to.",
			Group: "Predicates", Order: 13, Width: connectors.WidthLong, DisplayName: "Predicates"},
		{Name: "config.action.reload", Type: connectors.ConfigString, Default: "restart", Validator: connectors.In("none", "restart"),
			Importance: connectors.Low, Doc: "What to do when a config provider has new values: restart the connector or nothing (none).",
			Group: groupCommon, Order: 14, Width: connectors.WidthMedium, DisplayName: "Reload Action"},
		{Name: "errors.retry.timeout", Type: connectors.ConfigLong, Default: 0, Importance: connectors.Medium,
			Doc:   "For how many ms a failed operation on a record is tried again: 0 not at all, -1 for ever.",
			Group: groupErrors, Order: 1, Width: connectors.WidthMedium, DisplayName: "Retry Timeout for Errors"},
		{Name: "errors.retry.delay.max.ms", Type: connectors.ConfigLong, Default: 60000, Importance: connectors.Medium,
			Doc:   "Longest pause between two tries, in ms.",
			Group: groupErrors, Order: 2, Width: connectors.WidthMedium, DisplayName: "Maximum Delay Between Retries for Errors"},
		{Name: "errors.tolerance", Type: connectors.ConfigString, Default: "none", Validator: connectors.In("none", "all"),
			Importance: connectors.Medium, Doc: "none: a bad record fails the task; all: it is skipped.",
			Group: groupErrors, Order: 3, Width: connectors.WidthShort, DisplayName: "Error Tolerance"},
		{Name: "errors.log.enable", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
			Doc:   "Whether each error of a record is logged.",
			Group: groupErrors, Order: 4, Width: connectors.WidthShort, DisplayName: "Log Errors"},
		{Name: "errors.log.include.messages", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
			Doc:   "Whether the log also says which record it was: topic, partition, offset and time, or source partition and offset.",
			Group: groupErrors, Order: 5, Width: connectors.WidthShort, DisplayName: "Log Error Details"},
	}
}

func sinkKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		{Name: keyTopics, Type: connectors.ConfigList, Default: []string{}, Validator: connectors.DistinctList(true, false),
			Importance: connectors.High, Doc: "Topics to read. Either this or topics.regex.",
			Group: groupCommon, Order: 4, Width: connectors.WidthLong, DisplayName: "Topics"},
		{Name: keyTopicsRegex, Type: connectors.ConfigString, Default: "", Validator: connectors.Regex(javaregex.Check),
			Importance: connectors.High, Doc: "Regular expression that the whole name of a topic to read matches.",
			Group: groupCommon, Order: 4, Width: connectors.WidthLong, DisplayName: "Topics regex"},
		{Name: keyDLQ, Type: connectors.ConfigString, Default: "", Importance: connectors.Medium,
			Doc:   "Topic that bad records are written to; blank: none.",
			Group: groupErrors, Order: 6, Width: connectors.WidthMedium, DisplayName: "Dead Letter Queue Topic Name"},
		{Name: "errors.deadletterqueue.topic.replication.factor", Type: connectors.ConfigShort, Default: 3, Importance: connectors.Medium,
			Doc:   "Replicas of the dead letter topic when it has to be created.",
			Group: groupErrors, Order: 7, Width: connectors.WidthMedium, DisplayName: "Dead Letter Queue Topic Replication Factor"},
		{Name: "errors.deadletterqueue.context.headers.enable", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium,
			Doc:   "Whether records in the dead letter topic get headers that say where they came from and what was wrong.",
			Group: groupErrors, Order: 8, Width: connectors.WidthMedium, DisplayName: "Enable Error Context Headers"},
	}
}

func sourceKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		{Name: keyTopicGroups, Type: connectors.ConfigList, Default: []string{}, Validator: aliasCheck{}, Importance: connectors.Low,
			Doc:   "Groups of topics that are created with settings of their own, first match first. The group default is always there, last.",
			Group: groupCreation, Order: 1, Width: connectors.WidthLong, DisplayName: "Topic Creation Groups"},
		{Name: keyExactlyOnce, Type: connectors.ConfigString, Default: "requested", Validator: connectors.CaseInsensitiveIn("requested", "required"),
			Importance: connectors.Medium, Doc: "required: refuse a configuration for which the connector does not promise exactly-once delivery; requested: do not ask.",
			Group: groupExactlyOnce, Order: 2, Width: connectors.WidthShort, DisplayName: "Exactly once support"},
		{Name: keyBoundary, Type: connectors.ConfigString, Default: "poll", Validator: connectors.CaseInsensitiveIn("poll", "interval", "connector"),
			Importance: connectors.Medium, Doc: "Where transactions end: after each batch (poll), after a time (interval) or where the connector says (connector).",
			Group: groupExactlyOnce, Order: 3, Width: connectors.WidthShort, DisplayName: "Transaction Boundary"},
		{Name: "transaction.boundary.interval.ms", Type: connectors.ConfigLong, Validator: atLeastZeroOrNull(), Importance: connectors.Low,
			Doc:   "Time between the ends of transactions when transaction.boundary is interval; offset.flush.interval.ms unless set.",
			Group: groupExactlyOnce, Order: 4, Width: connectors.WidthShort, DisplayName: "Transaction boundary interval"},
		{Name: keyOffsetsTopic, Type: connectors.ConfigString, Validator: connectors.NonEmpty(), Importance: connectors.Low,
			Doc:   "Topic of this connector's source offsets; the worker's unless set.",
			Group: "offsets.topic", Order: 1, Width: connectors.WidthLong, DisplayName: "Offsets topic"},
	}
}

func atLeastZeroOrNull() connectors.ConfigCheck {
	return connectors.CheckFunc("[0,...]", func(value any) string {
		if n, ok := value.(int64); ok && n < 0 {
			return "Value must be at least 0"
		}
		return ""
	})
}
