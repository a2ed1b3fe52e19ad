package runtime

import (
	"fmt"
	"strings"

	"millrace/connectors"
	"millrace/runtime/internal/heal"
)

// WorkerKeys defines the keys of a worker file for mode, with Kafka Connect's names, types, defaults and rules. Those that only
// make sense for Java (plugin.discovery, metric.reporters and the like) are checked and otherwise ignored.
func WorkerKeys(mode Mode) *connectors.ConfigDef {
	keys := append(commonKeys(), heal.Keys()...)
	if mode == Distributed {
		keys = append(keys, groupKeys()...)
	}
	return connectors.NewConfigDef(append(keys, storageKeys(mode)...)...)
}

type keyOption func(*connectors.ConfigKey)

func required(k *connectors.ConfigKey) { k.Required, k.Default = true, nil }

func check(c connectors.ConfigCheck) keyOption {
	return func(k *connectors.ConfigKey) { k.Validator = c }
}

func key(name string, typ connectors.ConfigType, def any, importance connectors.Importance, doc string, opts ...keyOption) connectors.ConfigKey {
	k := connectors.ConfigKey{Name: name, Type: typ, Default: def, Importance: importance, Doc: doc}
	for _, o := range opts {
		o(&k)
	}
	return k
}

const (
	text  = connectors.ConfigString
	list  = connectors.ConfigList
	class = connectors.ConfigClass
	short = connectors.ConfigShort
	num   = connectors.ConfigInt
	long  = connectors.ConfigLong
	yesno = connectors.ConfigBoolean

	high   = connectors.High
	medium = connectors.Medium
	low    = connectors.Low
)

func commonKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		key("bootstrap.servers", list, []string{}, high, "Addresses of the Kafka brokers to use. Absent or empty: the integrated log."),
		key("client.dns.lookup", text, "use_all_dns_ips", medium, "How names of brokers are looked up.",
			check(connectors.In("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"))),
		key("key.converter", class, nil, high, "Converter of record keys for connectors that name none.", required),
		key("value.converter", class, nil, high, "Converter of record values for connectors that name none.", required),
		key("header.converter", class, "org.apache.kafka.connect.storage.SimpleHeaderConverter", low,
			"Converter of record headers for connectors that name none."),
		key("key.converter.plugin.version", text, nil, low, "Version or range of the key converter."),
		key("value.converter.plugin.version", text, nil, low, "Version or range of the value converter."),
		key("header.converter.plugin.version", text, nil, low, "Version or range of the header converter."),
		key("task.shutdown.graceful.timeout.ms", long, 5000, low, "How long tasks that stop may take, all together, before they are left to themselves."),
		key("health.stall.ms", long, 60000, low, "How long work may wait, in milliseconds, before the health of its task is STALLED.", check(connectors.AtLeast(1000))),
		key("offset.flush.interval.ms", long, 60000, low, "How often offsets of tasks are committed."),
		key("offset.flush.timeout.ms", long, 5000, low, "How long a commit of offsets may take before it is tried again later."),
		key("plugin.path", list, nil, low, "Folders of out-of-process plugins.", check(connectors.DistinctList(false, true))),
		key("file.allowed.paths", list, []string{}, low, "Files, and folders with all below them, that file connectors may touch; links are followed first. "+
			"Empty: all while the REST API listens on the loopback address only, otherwise none."),
		key("plugin.discovery", text, "hybrid_warn", low, "Java only: how plugins are found.",
			check(connectors.CaseInsensitiveIn("only_scan", "hybrid_warn", "hybrid_fail", "service_load"))),
		key("config.providers", list, []string{}, low, "Names of config providers.", check(connectors.DistinctList(true, false))),
		key("config.masking", text, "secrets", low, "Whether secrets are masked in answers, logs, statuses and dead letters: secrets, or none as in Kafka Connect.",
			check(connectors.In("secrets", "none"))),
		key("connector.client.config.override.policy", text, "All", medium, "Which client settings connectors may override: All, None, Principal, Allowlist."),
		key("connector.client.config.override.allowlist", list, []string{}, medium, "The settings that the policy Allowlist allows."),
		key("topic.creation.enable", yesno, true, low, "Whether topic.creation.* of source connectors creates topics."),
		key("topic.tracking.enable", yesno, true, low, "Whether the topics that a connector uses are remembered."),
		key("topic.tracking.allow.reset", yesno, true, low, "Whether those topics may be forgotten on request."),
		key("metric.reporters", list, []string{}, low, "Java only: classes that report metrics."),
		key("metrics.num.samples", num, 2, low, "Java only: samples kept for a metric.", check(connectors.AtLeast(1))),
		key("metrics.sample.window.ms", long, 30000, low, "Java only: time of a sample.", check(connectors.AtLeast(0))),
		key("metrics.recording.level", text, "INFO", low, "Java only: which metrics are recorded.", check(connectors.In("INFO", "DEBUG"))),
		key("listeners", list, []string{"http://127.0.0.1:8083"}, low, "Addresses of the REST API; unlike Kafka Connect's, the default is the loopback address.", check(listenersCheck{})),
		key("admin.listeners", list, nil, low, "Addresses of the admin routes; absent: those of listeners, empty: none."),
		key("rest.advertised.host.name", text, nil, low, "Host under which other workers and users reach this one."),
		key("rest.advertised.port", num, nil, low, "Port under which other workers and users reach this one."),
		key("rest.advertised.listener", text, nil, low, "Scheme under which other workers reach this one: http or https. Absent: http if there is such a listener."),
		key("rest.extension.classes", list, []string{}, low, "REST extensions. There is one, org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension.",
			check(connectors.DistinctList(true, false))),
		key("java.security.auth.login.config", text, "", low, "File of the login configuration with the users of that extension; KAFKA_OPTS may have it, as for Java."),
		key("access.control.allow.origin", text, "", low, "Origins that browsers may call from."),
		key("access.control.allow.methods", text, "", low, "Methods that browsers may call."),
		key("response.http.headers.config", text, "", low, "Headers added to answers.", check(headersCheck{})),
		key("ssl.client.auth", text, "none", low, "Whether REST clients must show a certificate.", check(connectors.In("required", "requested", "none"))),
	}
}

func groupKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		key("group.id", text, nil, high, "Name of the group of workers.", required),
		key("session.timeout.ms", num, 10000, high, "Silence after which a worker is taken as lost."),
		key("heartbeat.interval.ms", num, 3000, high, "How often a worker says that it is there."),
		key("rebalance.timeout.ms", num, 60000, high, "How long a worker may take to join a rebalance."),
		key("connect.protocol", text, "sessioned", low, "Group protocol of the workers.", check(protocolCheck())),
		key("scheduled.rebalance.max.delay.ms", num, 10000, low, "How long the tasks of a lost worker wait for its return; Kafka Connect's default is 300000. Those of one that stopped do not wait.", check(connectors.AtLeast(0))),
		key("worker.sync.timeout.ms", num, 3000, medium, "How long a worker may take to catch up with the config topic."),
		key("worker.unsync.backoff.ms", num, 300000, medium, "How long a worker that did not catch up stays out of the group."),
		key("exactly.once.source.support", text, "disabled", high, "Whether source tasks write in transactions.",
			check(connectors.CaseInsensitiveIn("disabled", "preparing", "enabled"))),
		key("inter.worker.key.generation.algorithm", text, "HmacSHA256", low, "Algorithm that makes the key of internal requests."),
		key("inter.worker.key.size", num, nil, low, "Bits of that key; absent: the algorithm's default."),
		key("inter.worker.key.ttl.ms", num, 3600000, low, "Life of that key.", check(connectors.Between(0, 1<<31-1))),
		key("inter.worker.signature.algorithm", text, "HmacSHA256", low, "Algorithm that signs internal requests."),
		key("inter.worker.verification.algorithms", list, []string{"HmacSHA256"}, low, "Algorithms accepted in internal requests.",
			check(connectors.DistinctList(false, false))),
		key("client.id", text, "", low, "Prefix of the ids of internal clients."),
		key("metadata.max.age.ms", long, 300000, low, "Age at which metadata is asked for again.", check(connectors.AtLeast(0))),
		key("metadata.recovery.strategy", text, "rebootstrap", low, "What to do when no known broker answers.",
			check(connectors.CaseInsensitiveIn("none", "rebootstrap"))),
		key("metadata.recovery.rebootstrap.trigger.ms", long, 300000, low, "When to do it.", check(connectors.AtLeast(0))),
		key("send.buffer.bytes", num, 131072, medium, "Socket send buffer.", check(connectors.AtLeast(-1))),
		key("receive.buffer.bytes", num, 32768, medium, "Socket receive buffer.", check(connectors.AtLeast(-1))),
		key("reconnect.backoff.ms", long, 50, low, "First pause before reconnecting.", check(connectors.AtLeast(0))),
		key("reconnect.backoff.max.ms", long, 1000, low, "Longest pause before reconnecting.", check(connectors.AtLeast(0))),
		key("retry.backoff.ms", long, 100, low, "First pause before a request is retried.", check(connectors.AtLeast(0))),
		key("retry.backoff.max.ms", long, 1000, low, "Longest pause before a request is retried.", check(connectors.AtLeast(0))),
		key("socket.connection.setup.timeout.ms", long, 10000, low, "How long a connection may take to open."),
		key("socket.connection.setup.timeout.max.ms", long, 30000, low, "Longest of those times."),
		key("request.timeout.ms", num, 40000, medium, "How long a request may take.", check(connectors.AtLeast(0))),
		key("connections.max.idle.ms", long, 540000, low, "Age at which an idle connection is closed."),
		key("security.protocol", text, "PLAINTEXT", medium, "How to speak to the brokers.",
			check(connectors.CaseInsensitiveIn("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"))),
	}
}

// storageKeys say where configs, offsets and statuses are kept. A standalone worker may have them too: see DESIGN.md.
func storageKeys(mode Mode) []connectors.ConfigKey {
	topic := func(name, def, doc string) connectors.ConfigKey {
		if mode == Distributed {
			return key(name, text, nil, high, doc, required)
		}
		return key(name, text, def, high, doc)
	}
	keys := []connectors.ConfigKey{
		topic("config.storage.topic", "connect-configs", "Topic of the connector configurations."),
		topic("offset.storage.topic", "connect-offsets", "Topic of the source offsets."),
		topic("status.storage.topic", "connect-status", "Topic of the statuses."),
	}
	if mode == Standalone {
		// Kafka Connect's standalone worker ignores the others, whatever they say. See ParseWorkerConfig for when ours does not.
		return append(keys, key("offset.storage.file.filename", text, nil, high,
			"File of the source offsets. Absent: the offset topic."))
	}
	return append(keys, internalTopicKeys()...)
}

// internalTopicKeys say how internal topics are made.
func internalTopicKeys() []connectors.ConfigKey {
	return []connectors.ConfigKey{
		key("config.storage.replication.factor", short, 3, low, "Replicas of the config topic; -1: the broker's default.", check(factorCheck())),
		key("offset.storage.replication.factor", short, 3, low, "Replicas of the offset topic; -1: the broker's default.", check(factorCheck())),
		key("status.storage.replication.factor", short, 3, low, "Replicas of the status topic; -1: the broker's default.", check(factorCheck())),
		key("offset.storage.partitions", num, 25, low, "Partitions of the offset topic; -1: the broker's default.", check(partitionsCheck())),
		key("status.storage.partitions", num, 5, low, "Partitions of the status topic; -1: the broker's default.", check(partitionsCheck())),
	}
}

func partitionsCheck() connectors.ConfigCheck {
	return connectors.CheckFunc("Positive number, or -1 to use the broker's default", func(v any) string {
		if n, ok := v.(int32); ok && n != -1 && n < 1 {
			return "Number of partitions must be positive, or -1 to use the broker's default"
		}
		return ""
	})
}

func factorCheck() connectors.ConfigCheck {
	return connectors.CheckFunc("Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default", func(v any) string {
		if n, ok := v.(int16); ok && n != -1 && n < 1 {
			return "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default"
		}
		return ""
	})
}

func protocolCheck() connectors.ConfigCheck {
	return connectors.CheckFunc("[EAGER, COMPATIBLE, SESSIONED]", func(v any) string {
		switch s, _ := v.(string); strings.ToLower(s) {
		case "eager", "compatible", "sessioned":
			return ""
		}
		return "Invalid Connect protocol compatibility"
	})
}

type listenersCheck struct{}

func (listenersCheck) String() string {
	return "List of comma-separated URLs, ex: http://localhost:8080,https://localhost:8443."
}

func (listenersCheck) Check(name string, value any) error {
	urls, ok := value.([]string)
	if !ok || len(urls) == 0 {
		return &connectors.ConfigError{Msg: fmt.Sprintf(
			"Invalid value for %s, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443.", name)}
	}
	for _, u := range urls {
		if strings.TrimSpace(u) == "" {
			return &connectors.ConfigError{Msg: fmt.Sprintf("Empty URL found when parsing %s list.", name)}
		}
	}
	return nil
}

// headersCheck wants rules like "add X-A: b" between commas; a rule with a comma inside is quoted as a whole.
type headersCheck struct{}

func (headersCheck) String() string {
	return "Comma-separated header rules, where each header rule is of the form '[action] [header name]:[header value]' " +
		"and optionally surrounded by double quotes if any part of a header rule contains a comma"
}

func (headersCheck) Check(_ string, value any) error {
	s, ok := value.(string)
	if !ok || strings.TrimSpace(s) == "" {
		return nil
	}
	for _, rule := range splitRules(s) {
		action, header, ok := strings.Cut(strings.TrimSpace(rule), " ")
		name, _, colon := strings.Cut(strings.TrimSpace(header), ":")
		if !ok || !colon {
			return &connectors.ConfigError{Msg: fmt.Sprintf(
				"Invalid format of header config '%s'. Expected: '[action] [header name]:[header value]'", strings.TrimSpace(rule))}
		}
		switch strings.ToLower(action) {
		case "set", "add", "setdate", "adddate":
		default:
			return &connectors.ConfigError{Msg: fmt.Sprintf(
				"Invalid header config '%s'. The action '%s' is not one of set, add, setDate, addDate", strings.TrimSpace(rule), action)}
		}
		if name == "" || strings.ContainsAny(name, " \t") {
			return &connectors.ConfigError{Msg: fmt.Sprintf("Invalid header name '%s' in '%s'", name, strings.TrimSpace(rule))}
		}
	}
	return nil
}

// splitRules splits at commas outside of quotes that open a rule.
func splitRules(s string) []string {
	var rules []string
	for s != "" {
		s = strings.TrimLeft(s, " \t")
		if rest, quoted := strings.CutPrefix(s, `"`); quoted {
			if rule, after, closed := strings.Cut(rest, `"`); closed {
				rules = append(rules, rule)
				_, s, _ = strings.Cut(after, ",")
				continue
			}
		}
		var rule string
		rule, s, _ = strings.Cut(s, ",")
		rules = append(rules, rule)
	}
	return rules
}
