package mirror

import (
	"slices"

	"millrace/connectors"
)

// The keys of the configuration.
const (
	keyName              = "name"
	keyEnabled           = "enabled"
	keySourceAlias       = "source.cluster.alias"
	keyTargetAlias       = "target.cluster.alias"
	keyAdminTimeout      = "admin.timeout.ms"
	keyPolicy            = "replication.policy.class"
	keySeparator         = "replication.policy.separator"
	keyInternalSeparator = "replication.policy.internal.topic.separator.enabled"
	keyPollTimeout       = "consumer.poll.timeout.ms"
	keyTopicFilter       = "topic.filter.class"
	keySyncsLocation     = "offset-syncs.topic.location"
	keyEmitSyncs         = "emit.offset-syncs.enabled"

	keyTopics              = "topics"
	keyTopicsExclude       = "topics.exclude"
	keyPropertiesExclude   = "config.properties.exclude"
	keyUseDefaultsFrom     = "use.defaults.from"
	keyRefreshTopics       = "refresh.topics"
	keySyncConfigs         = "sync.topic.configs"
	keySyncACLs            = "sync.topic.acls"
	keyReplicationFactor   = "replication.factor"
	keySyncsReplication    = "offset-syncs.topic.replication.factor"
	keyOffsetLag           = "offset.lag.max"
	keyReplicateHeartbeats = "heartbeats.replication.enabled"

	keyGroups                 = "groups"
	keyGroupsExclude          = "groups.exclude"
	keyRefreshGroups          = "refresh.groups"
	keyEmitCheckpoints        = "emit.checkpoints"
	keySyncOffsets            = "sync.group.offsets"
	keyCheckpointsReplication = "checkpoints.topic.replication.factor"

	keyEmitHeartbeats        = "emit.heartbeats"
	keyHeartbeatsReplication = "heartbeats.topic.replication.factor"

	keyTaskPartitions = "task.assigned.partitions"
	keyTaskGroups     = "task.assigned.groups"
	keyTaskIndex      = "task.index"
)

const (
	enabledSuffix  = ".enabled"
	intervalSuffix = ".interval.seconds"
)

// The places of the offset-syncs topic.
const (
	atSource = "source"
	atTarget = "target"
)

var (
	sourceDef     = connectors.NewConfigDef(slices.Concat(baseKeys(), sourceKeys(), metricNames())...)
	checkpointDef = connectors.NewConfigDef(slices.Concat(baseKeys(), checkpointKeys(), metricNames())...)
	heartbeatDef  = connectors.NewConfigDef(slices.Concat(baseKeys(), heartbeatKeys())...)
)

func key(name string, t connectors.ConfigType, byDefault any, i connectors.Importance, doc string) connectors.ConfigKey {
	return connectors.ConfigKey{Name: name, Type: t, Default: byDefault, Importance: i, Doc: doc}
}

func text(name string, byDefault any, i connectors.Importance, doc string) connectors.ConfigKey {
	return key(name, connectors.ConfigString, byDefault, i, doc)
}

func yes(name string, byDefault bool, doc string) connectors.ConfigKey {
	return key(name, connectors.ConfigBoolean, byDefault, connectors.Low, doc)
}

func number(name string, t connectors.ConfigType, byDefault any, doc string) connectors.ConfigKey {
	return key(name, t, byDefault, connectors.Low, doc)
}

// list is a list whose items may not be repeated.
func list(name, byDefault string, i connectors.Importance, doc string) connectors.ConfigKey {
	k := key(name, connectors.ConfigList, byDefault, i, doc)
	k.Validator = connectors.DistinctList(true, false)
	return k
}

// class is a class out of a few that there are: no others can be loaded.
func class(name string, byDefault any, i connectors.Importance, doc string, others ...string) connectors.ConfigKey {
	k := key(name, connectors.ConfigClass, byDefault, i, doc)
	known := others
	if c, ok := byDefault.(string); ok {
		known = append(known, c)
	}
	k.ClassExists = func(class string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return class == k || class == simpleName(k) })
	}
	return k
}

func oneOf(k connectors.ConfigKey, check connectors.ConfigCheck) connectors.ConfigKey {
	k.Validator = check
	return k
}

// every are the two keys of something done at intervals.
func every(prefix string, enabled bool, seconds int, what, doc string) []connectors.ConfigKey {
	return []connectors.ConfigKey{
		yes(prefix+enabledSuffix, enabled, doc),
		number(prefix+intervalSuffix, connectors.ConfigLong, seconds, "Seconds between two times that "+what+". Less than 0 is never."),
	}
}

const (
	defaultTopicFilter    = "org.apache.kafka.connect.mirror.DefaultTopicFilter"
	defaultPropertyFilter = "org.apache.kafka.connect.mirror.DefaultConfigPropertyFilter"
	defaultGroupFilter    = "org.apache.kafka.connect.mirror.DefaultGroupFilter"
	forwardingAdmin       = "org.apache.kafka.clients.admin.ForwardingAdmin"
)

func baseKeys() []connectors.ConfigKey {
	alias := text(keySourceAlias, nil, connectors.High, "Short name of the cluster that is read. The default replication policy puts it before the names of topics.")
	alias.Required = true
	return append([]connectors.ConfigKey{
		yes(keyEnabled, true, "false keeps the connector from doing anything."),
		alias,
		text(keyTargetAlias, "target", connectors.High, "Short name of the cluster that is written. Topics that came from there are not sent back."),
		number(keyAdminTimeout, connectors.ConfigLong, 60000, "How long looking for topics, creating them and the like may take, in milliseconds."),
		class(keyPolicy, defaultPolicy, connectors.Low, "How topics are called in the target: DefaultReplicationPolicy puts the source's alias in front, "+
			"IdentityReplicationPolicy keeps names as they are.", identityPolicy),
		text(keySeparator, ".", connectors.Low, "What stands between alias and topic in the name of a remote topic."),
		yes(keyInternalSeparator, true, "Whether "+keySeparator+" also applies to the names of the checkpoints and offset-syncs topics; if not, they have dots."),
		class("forwarding.admin.class", forwardingAdmin, connectors.Low, "Stands for the client that manages topics; there is only the one."),
		list("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter", connectors.Low, "Accepted for Java's sake: metrics are reported by the worker."),
		oneOf(text("security.protocol", "PLAINTEXT", connectors.Medium, "How brokers are talked to, where no key of a cluster says so."),
			connectors.CaseInsensitiveIn("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
	}, securityKeys()...)
}

func metricNames() []connectors.ConfigKey {
	k := key("metric.names.formats", connectors.ConfigList, "legacy", connectors.Low, "Accepted for Java's sake: metrics have the worker's names.")
	k.Validator = connectors.NonEmptyListOf("legacy", "new")
	return []connectors.ConfigKey{k}
}

func syncsLocation() connectors.ConfigKey {
	return oneOf(text(keySyncsLocation, atSource, connectors.Low, "The cluster that has the offset-syncs topic: source or target."),
		connectors.In(atSource, atTarget))
}

func pollTimeout() connectors.ConfigKey {
	return number(keyPollTimeout, connectors.ConfigLong, 1000, "How long a task waits for records of the source before it does anything else, in milliseconds.")
}

func topicFilterKey() connectors.ConfigKey {
	return class(keyTopicFilter, defaultTopicFilter, connectors.Low, "Chooses topics; there is only the default one, with "+keyTopics+" and "+keyTopicsExclude+".")
}

const (
	// excludedTopics and the like are Kafka's defaults.
	excludedTopics     = `mm2.*\.internal, .*\.replica, __.*`
	excludedGroups     = "console-consumer-.*, connect-.*, __.*"
	excludedProperties = "follower.replication.throttled.replicas, leader.replication.throttled.replicas, message.timestamp.difference.max.ms, " +
		"log.message.timestamp.before.max.ms, log.message.timestamp.after.max.ms, message.timestamp.type, " +
		"unclean.leader.election.enable, min.insync.replicas"
)

func topicKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		list(keyTopics, ".*", connectors.High, "Topics to replicate: names and regular expressions."),
		list(keyTopicsExclude, excludedTopics, connectors.High, "Topics not to replicate, even if "+keyTopics+" has them: names and regular expressions."),
	}
}

func sourceKeys() []connectors.ConfigKey {
	return slices.Concat(topicKeys(), []connectors.ConfigKey{
		list(keyPropertiesExclude, excludedProperties, connectors.High, "Settings of topics that are not copied: names and regular expressions."),
		topicFilterKey(),
		class("config.property.filter.class", defaultPropertyFilter, connectors.Low,
			"Chooses settings of topics; there is only the default one, with "+keyPropertiesExclude+" and "+keyUseDefaultsFrom+"."),
		pollTimeout(),
	},
		every(keyRefreshTopics, true, 600, "new topics and partitions are looked for", "Whether new topics and partitions are looked for."),
		every(keySyncConfigs, true, 600, "settings of topics are copied", "Whether remote topics are kept in the settings of their origin."),
		every(keySyncACLs, true, 600, "access rules of topics are copied", "Whether the access rules of topics are copied, without the right to write."),
		[]connectors.ConfigKey{
			number(keyReplicationFactor, connectors.ConfigInt, 2, "Replicas of remote topics that are created. Where this is not set, a smaller target may create its own number."),
			number(keySyncsReplication, connectors.ConfigShort, 3, "Replicas of the offset-syncs topic. Where this is not set, a smaller cluster may create its own number."),
			number(keyOffsetLag, connectors.ConfigLong, 100, "How many records a translated offset may be behind before a new offset sync is written at once."),
			syncsLocation(),
			yes(keyEmitSyncs, true, "Whether offset syncs are written. Without them, MirrorCheckpoint can translate nothing."),
			yes(keyReplicateHeartbeats, true, "Whether heartbeats topics are replicated whatever "+keyTopics+" says."),
		})
}

func checkpointKeys() []connectors.ConfigKey {
	return slices.Concat([]connectors.ConfigKey{
		pollTimeout(),
		list(keyGroups, ".*", connectors.High, "Consumer groups to follow: names and regular expressions."),
		list(keyGroupsExclude, excludedGroups, connectors.High, "Consumer groups not to follow, even if "+keyGroups+" has them: names and regular expressions."),
		class("group.filter.class", defaultGroupFilter, connectors.Low, "Chooses groups; there is only the default one, with "+keyGroups+" and "+keyGroupsExclude+"."),
	},
		every(keyRefreshGroups, true, 600, "new groups are looked for", "Whether new groups are looked for."),
		every(keyEmitCheckpoints, true, 60, "the groups' offsets are translated", "Whether the groups' translated offsets are written to the checkpoints topic."),
		every(keySyncOffsets, false, 60, "translated offsets are committed", "Whether translated offsets are committed in the target, for groups that have no members there."),
		[]connectors.ConfigKey{
			number(keyCheckpointsReplication, connectors.ConfigShort, 3, "Replicas of the checkpoints topic. Where this is not set, a smaller target may create its own number."),
			syncsLocation(), topicFilterKey(),
		})
}

func heartbeatKeys() []connectors.ConfigKey {
	return append(every(keyEmitHeartbeats, true, 1, "a heartbeat is written", "Whether heartbeats are written to the target."),
		number(keyHeartbeatsReplication, connectors.ConfigShort, 3, "Replicas of the heartbeats topic. Where this is not set, a smaller target may create its own number."))
}
