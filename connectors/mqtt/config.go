package mqtt

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/connectors/internal/template"
	"millrace/connectors/internal/tlsconfig"
)

// The keys.
const (
	keyServers        = "mqtt.server.uri"
	keyTopics         = "mqtt.topics"
	keyKafkaTopic     = "kafka.topic"
	keySeparator      = "mqtt.topic.separator"
	keyQoS            = "mqtt.qos"
	keyCleanSession   = "mqtt.clean.session.enabled"
	keyClientID       = "mqtt.client.id"
	keyUsername       = "mqtt.username"
	keyPassword       = "mqtt.password"
	keyKeepAlive      = "mqtt.keepalive.interval.seconds"
	keyConnectTimeout = "mqtt.connect.timeout.seconds"
	keyShareGroup     = "mqtt.shared.subscription.group"
	keyRetained       = "mqtt.retained"
	keyMaxPending     = "max.pending.messages"
	keyBatchSize      = "batch.size"

	keyTopic        = "mqtt.topic"
	keyRetain       = "mqtt.retained.messages.enabled"
	keyMaxInflight  = "mqtt.max.inflight"
	keyAckTimeout   = "mqtt.ack.timeout.ms"
	keyMaxRetryTime = "max.retry.time.ms"
	keyPublishNulls = "mqtt.publish.null.values"
)

var (
	topicsAliases   = []string{"mqtt.topic", "connect.mqtt.topics"}
	clientIDAliases = []string{"connect.mqtt.client.id"}
)

const (
	groupConnection = "Connection"
	groupRecords    = "Records"
)

func connectionKeys() []connectors.ConfigKey {
	return append([]connectors.ConfigKey{
		{Name: keyServers, Aliases: []string{"mqtt.server.uris", "connect.mqtt.hosts"}, Type: connectors.ConfigList, Required: true, Validator: serverCheck,
			Importance: connectors.High, Group: groupConnection, Order: 1, Width: connectors.WidthLong, DisplayName: "Server URIs",
			Doc: "MQTT brokers to try in turn, such as tcp://127.0.0.1:1883. Schemes: tcp, mqtt, ssl, tls, mqtts, ws, wss, unix."},
		{Name: keyUsername, Aliases: []string{"connect.mqtt.username"}, Type: connectors.ConfigString, Default: "",
			Importance: connectors.High, Group: groupConnection, Order: 2, Width: connectors.WidthMedium, DisplayName: "User name", Doc: "User name to log in with; empty logs in without."},
		{Name: keyPassword, Aliases: []string{"connect.mqtt.password"}, Type: connectors.ConfigPassword, Default: "",
			Importance: connectors.High, Group: groupConnection, Order: 3, Width: connectors.WidthMedium, DisplayName: "Password", Doc: "Password to log in with."},
		{Name: keyClientID, Aliases: clientIDAliases, Type: connectors.ConfigString,
			Importance: connectors.Medium, Group: groupConnection, Order: 4, Width: connectors.WidthMedium, DisplayName: "Client id",
			Doc: "Start of the client ids; each task adds a dash and its number. Without it the connector's name is used. A kept session belongs to its client id."},
		{Name: keyKeepAlive, Aliases: []string{"connect.mqtt.keep.alive"}, Type: connectors.ConfigInt, Default: 60, Validator: connectors.Between(0, 65535),
			Importance: connectors.Low, Group: groupConnection, Order: 5, Width: connectors.WidthShort, DisplayName: "Keep-alive", Doc: "Seconds between signs of life; 0 sends none."},
		{Name: keyConnectTimeout, Aliases: []string{"connect.mqtt.timeout"}, Type: connectors.ConfigInt, Default: 30, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupConnection, Order: 6, Width: connectors.WidthShort, DisplayName: "Connect timeout", Doc: "Seconds to wait for a connection and for the answer to a subscription."},
	}, tlsconfig.Keys()...)
}

// SourceConfig defines the keys of the source.
func SourceConfig() *connectors.ConfigDef {
	return connectors.NewConfigDef(connectionKeys()...).With(
		connectors.ConfigKey{Name: keyTopics, Aliases: topicsAliases, Type: connectors.ConfigList, Required: true, Validator: filterCheck,
			Importance: connectors.High, Group: groupRecords, Order: 1, Width: connectors.WidthLong, DisplayName: "Topic filters",
			Doc: "MQTT topic filters to subscribe to; + stands for one level, a last # for all below. They are spread over the tasks."},
		connectors.ConfigKey{Name: keyKafkaTopic, Aliases: []string{"topic", "topics"}, Type: connectors.ConfigString, Required: true, Validator: targetCheck,
			Importance: connectors.High, Group: groupRecords, Order: 2, Width: connectors.WidthMedium, DisplayName: "Topic",
			Doc: "Topic to write to. ${mqtt.topic} stands for the message's MQTT topic, its slashes replaced by mqtt.topic.separator."},
		connectors.ConfigKey{Name: keySeparator, Type: connectors.ConfigString, Default: ".", Validator: connectors.In(".", "_", "-"),
			Importance: connectors.Low, Group: groupRecords, Order: 3, Width: connectors.WidthShort, DisplayName: "Separator", Doc: "What replaces the slashes of an MQTT topic within a topic's name."},
		connectors.ConfigKey{Name: keyQoS, Aliases: []string{"connect.mqtt.service.quality"}, Type: connectors.ConfigInt, Default: 1, Validator: connectors.Between(0, 2),
			Importance: connectors.High, Group: groupRecords, Order: 4, Width: connectors.WidthShort, DisplayName: "QoS",
			Doc: "Highest quality of service to receive with: 0 at most once, 1 at least once, 2 once between broker and task. With 1 and 2 a message is acknowledged when the log has it."},
		connectors.ConfigKey{Name: keyCleanSession, Aliases: []string{"connect.mqtt.clean"}, Type: connectors.ConfigBoolean, Default: false,
			Importance: connectors.Medium, Group: groupRecords, Order: 5, Width: connectors.WidthShort, DisplayName: "Clean session",
			Doc: "Whether the broker forgets subscriptions and waiting messages when the connection ends. Messages sent meanwhile are then lost."},
		connectors.ConfigKey{Name: keyShareGroup, Type: connectors.ConfigString, Default: "",
			Importance: connectors.Medium, Group: groupRecords, Order: 6, Width: connectors.WidthMedium, DisplayName: "Shared subscription group",
			Doc: "Name of a shared subscription ($share): each message goes to one of the tasks, and there may be more tasks than filters. The broker must support it."},
		connectors.ConfigKey{Name: keyRetained, Type: connectors.ConfigString, Default: "include", Validator: connectors.In("include", "exclude"),
			Importance: connectors.Low, Group: groupRecords, Order: 7, Width: connectors.WidthShort, DisplayName: "Retained messages",
			Doc: "Whether messages that the broker retained and sends again at each subscription become records."},
		connectors.ConfigKey{Name: keyMaxPending, Type: connectors.ConfigInt, Default: 10000, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 8, Width: connectors.WidthShort, DisplayName: "Pending messages",
			Doc: "Messages of QoS 0 that may wait for the log before further ones are dropped. Those of QoS 1 and 2 are bounded by the broker's in-flight window."},
		connectors.ConfigKey{Name: keyBatchSize, Type: connectors.ConfigInt, Default: 2000, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 9, Width: connectors.WidthShort, DisplayName: "Batch size", Doc: "Most records that are handed over at once."},
	)
}

// SinkConfig defines the keys of the sink.
func SinkConfig() *connectors.ConfigDef {
	return connectors.NewConfigDef(connectionKeys()...).With(
		connectors.ConfigKey{Name: keyTopic, Type: connectors.ConfigString, Default: "${topic}", Validator: sinkTopicCheck,
			Importance: connectors.High, Group: groupRecords, Order: 1, Width: connectors.WidthMedium, DisplayName: "MQTT topic",
			Doc: "MQTT topic to publish to. ${topic}, ${partition}, ${key} and ${header:name} stand for those of the record."},
		connectors.ConfigKey{Name: keyQoS, Aliases: []string{"connect.mqtt.service.quality"}, Type: connectors.ConfigInt, Default: 1, Validator: connectors.Between(0, 2),
			Importance: connectors.High, Group: groupRecords, Order: 2, Width: connectors.WidthShort, DisplayName: "QoS",
			Doc: "Quality of service to publish with. With 0 nobody confirms, and records may be lost; 2 gives no more than 1 does over a restart."},
		connectors.ConfigKey{Name: keyRetain, Aliases: []string{"connect.mqtt.retained.messages"}, Type: connectors.ConfigBoolean, Default: false,
			Importance: connectors.Medium, Group: groupRecords, Order: 3, Width: connectors.WidthShort, DisplayName: "Retain", Doc: "Whether the broker keeps the last message of each topic for later subscribers."},
		connectors.ConfigKey{Name: keyPublishNulls, Type: connectors.ConfigBoolean, Default: false,
			Importance: connectors.Low, Group: groupRecords, Order: 4, Width: connectors.WidthShort, DisplayName: "Publish null values",
			Doc: "Whether a record with a null value is published as an empty message, which clears a retained one; otherwise it is skipped."},
		connectors.ConfigKey{Name: keyMaxInflight, Type: connectors.ConfigInt, Default: 256, Validator: connectors.Between(1, 60000),
			Importance: connectors.Low, Group: groupRecords, Order: 5, Width: connectors.WidthShort, DisplayName: "In flight", Doc: "Most publications that wait for a confirmation at the same time."},
		connectors.ConfigKey{Name: keyAckTimeout, Type: connectors.ConfigInt, Default: 30000, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 6, Width: connectors.WidthShort, DisplayName: "Confirmation timeout",
			Doc: "Milliseconds to wait for a confirmation before the connection counts as lost."},
		connectors.ConfigKey{Name: keyMaxRetryTime, Type: connectors.ConfigInt, Default: 0, Validator: connectors.AtLeast(0),
			Importance: connectors.Low, Group: groupRecords, Order: 7, Width: connectors.WidthShort, DisplayName: "Longest retrying",
			Doc: "Milliseconds without success after which the task fails; 0 tries for ever."},
	)
}

type sourceConfig struct {
	connection   connection
	filters      []string
	topic        template.Template
	separator    string
	qos          byte
	cleanSession bool
	shareGroup   string
	skipRetained bool
	maxPending   int
	maxPoll      int
}

func parseSource(config map[string]string) (sourceConfig, error) {
	values, err := SourceConfig().Parse(connectors.Raw(config))
	if err != nil {
		return sourceConfig{}, err
	}
	c := sourceConfig{
		filters:      values.List(keyTopics),
		separator:    values.String(keySeparator),
		qos:          byte(values.Int(keyQoS)),
		cleanSession: values.Bool(keyCleanSession),
		shareGroup:   values.String(keyShareGroup),
		skipRetained: values.String(keyRetained) == "exclude",
		maxPending:   int(values.Int(keyMaxPending)),
		maxPoll:      int(values.Int(keyBatchSize)),
	}
	if c.topic, err = template.Parse(values.String(keyKafkaTopic), "mqtt.topic"); err != nil {
		return sourceConfig{}, err
	}
	c.connection, err = parseConnection(values)
	return c, err
}

type sinkConfig struct {
	connection   connection
	topic        template.Template
	qos          byte
	retained     bool
	publishNulls bool
	maxInflight  int
	ackTimeout   time.Duration
	maxRetryTime time.Duration
}

func parseSink(config map[string]string) (sinkConfig, error) {
	values, err := SinkConfig().Parse(connectors.Raw(config))
	if err != nil {
		return sinkConfig{}, err
	}
	c := sinkConfig{
		qos:          byte(values.Int(keyQoS)),
		retained:     values.Bool(keyRetain),
		publishNulls: values.Bool(keyPublishNulls),
		maxInflight:  int(values.Int(keyMaxInflight)),
		ackTimeout:   values.Millis(keyAckTimeout),
		maxRetryTime: values.Millis(keyMaxRetryTime),
	}
	if c.topic, err = template.Parse(values.String(keyTopic), template.SinkVariables...); err != nil {
		return sinkConfig{}, err
	}
	c.connection, err = parseConnection(values)
	return c, err
}

func parseConnection(values connectors.Values) (connection, error) {
	c := connection{
		servers:        values.List(keyServers),
		username:       values.String(keyUsername),
		password:       values.Password(keyPassword),
		clientID:       values.String(keyClientID),
		keepAlive:      time.Duration(values.Int(keyKeepAlive)) * time.Second,
		connectTimeout: time.Duration(values.Int(keyConnectTimeout)) * time.Second,
	}
	tls, err := tlsconfig.From(values)
	c.tls = tls
	return c, err
}

var schemes = []string{"tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss", "unix"}

var serverCheck = connectors.CheckFunc("list of URIs", func(value any) string {
	servers, _ := value.([]string)
	if len(servers) == 0 {
		return "at least one server URI is needed, such as tcp://127.0.0.1:1883"
	}
	for _, s := range servers {
		u, err := url.Parse(s)
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" && u.Scheme != "unix" {
			return "a server URI is scheme://host:port with a scheme of " + strings.Join(schemes, ", ")
		}
	}
	return ""
})

var filterCheck = connectors.CheckFunc("list of topic filters", func(value any) string {
	filters, _ := value.([]string)
	if len(filters) == 0 {
		return "at least one topic filter is needed"
	}
	for _, f := range filters {
		if reason := badFilter(f); reason != "" {
			return fmt.Sprintf("topic filter %q: %s", f, reason)
		}
	}
	return ""
})

// badFilter says what is wrong with a topic filter (MQTT 3.1.1, section 4.7), "" if nothing.
func badFilter(f string) string {
	if rest, ok := strings.CutPrefix(f, "$share/"); ok {
		group, filter, ok := strings.Cut(rest, "/")
		if !ok || group == "" || strings.ContainsAny(group, "+#") {
			return "a shared subscription is $share/group/filter"
		}
		f = filter
	}
	if f == "" || len(f) > 65535 || strings.ContainsRune(f, 0) {
		return "it must have 1 to 65535 bytes and no NUL"
	}
	levels := strings.Split(f, "/")
	for i, level := range levels {
		if strings.Contains(level, "#") && (level != "#" || i != len(levels)-1) {
			return "# stands alone at the end"
		}
		if strings.Contains(level, "+") && level != "+" {
			return "+ stands alone between slashes"
		}
	}
	return ""
}

var targetCheck = template.TopicCheck("mqtt.topic")

var sinkTopicCheck = connectors.CheckFunc("MQTT topic", func(value any) string {
	text, _ := value.(string)
	if _, err := template.Parse(text, template.SinkVariables...); err != nil {
		return err.Error()
	}
	if text == "" || strings.ContainsAny(text, "+#\x00") {
		return "an MQTT topic to publish to is not empty and has none of +, # and NUL"
	}
	return ""
})
