package nats

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"millrace/connectors"
	"millrace/connectors/internal/template"
	"millrace/connectors/internal/tlsconfig"
)

// The keys.
const (
	keyURL       = "nats.url"
	keyMode      = "nats.mode"
	keySubject   = "nats.subject"
	keyStream    = "nats.stream"
	keyUser      = "nats.user"
	keyPassword  = "nats.password"
	keyToken     = "nats.token"
	keyCredsFile = "nats.creds.file"
	keyDomain    = "nats.domain"
	keyTimeout   = "nats.timeout.ms"

	keyTopic         = "topic"
	keyDurable       = "nats.consumer.durable"
	keyDeliver       = "nats.deliver.policy"
	keyStartSequence = "nats.start.sequence"
	keyAckWait       = "nats.ack.wait.ms"
	keyMaxAckPending = "nats.max.ack.pending"
	keyQueueGroup    = "nats.queue.group"
	keyMaxPending    = "nats.max.pending.messages"
	keyBatchSize     = "batch.size"

	keyMessageID    = "nats.msg.id"
	keyHeaders      = "nats.headers"
	keyKeyHeader    = "nats.key.header"
	keyMaxAsync     = "nats.async.max.pending"
	keyAckTimeout   = "nats.ack.timeout.ms"
	keyMaxRetryTime = "max.retry.time.ms"
)

// The modes.
const (
	modeAuto      = "auto"
	modeCore      = "core"
	modeJetStream = "jetstream"
)

const (
	groupConnection = "Connection"
	groupRecords    = "Records"
)

func connectionKeys() []connectors.ConfigKey {
	return append([]connectors.ConfigKey{
		{Name: keyURL, Aliases: []string{"nats.urls", "nats.servers", "servers"}, Type: connectors.ConfigList, Required: true, Validator: urlCheck,
			Importance: connectors.High, Group: groupConnection, Order: 1, Width: connectors.WidthLong, DisplayName: "URLs",
			Doc: "Servers of one NATS cluster, such as nats://127.0.0.1:4222. Schemes: nats, tls, ws, wss."},
		{Name: keyUser, Type: connectors.ConfigString, Default: "", Importance: connectors.High, Group: groupConnection, Order: 2,
			Width: connectors.WidthMedium, DisplayName: "User", Doc: "User to log in as."},
		{Name: keyPassword, Type: connectors.ConfigPassword, Default: "", Importance: connectors.High, Group: groupConnection, Order: 3,
			Width: connectors.WidthMedium, DisplayName: "Password", Doc: "Password of the user."},
		{Name: keyToken, Type: connectors.ConfigPassword, Default: "", Importance: connectors.Medium, Group: groupConnection, Order: 4,
			Width: connectors.WidthMedium, DisplayName: "Token", Doc: "Token to log in with instead of a user."},
		{Name: keyCredsFile, Type: connectors.ConfigString, Default: "", Importance: connectors.Medium, Group: groupConnection, Order: 5,
			Width: connectors.WidthLong, DisplayName: "Credentials file", Doc: "File with a user's JWT and seed."},
		{Name: keyDomain, Type: connectors.ConfigString, Default: "", Importance: connectors.Low, Group: groupConnection, Order: 6,
			Width: connectors.WidthMedium, DisplayName: "JetStream domain", Doc: "JetStream domain to use, for streams behind a leaf node."},
		{Name: keyTimeout, Type: connectors.ConfigInt, Default: 10000, Validator: connectors.AtLeast(1), Importance: connectors.Low, Group: groupConnection, Order: 7,
			Width: connectors.WidthShort, DisplayName: "Timeout", Doc: "Milliseconds to wait for a connection and for answers of JetStream."},
	}, tlsconfig.Keys()...)
}

// SourceConfig defines the keys of the source.
func SourceConfig() *connectors.ConfigDef {
	return connectors.NewConfigDef(connectionKeys()...).With(
		connectors.ConfigKey{Name: keyTopic, Aliases: []string{"kafka.topic", "topics"}, Type: connectors.ConfigString, Required: true, Validator: targetCheck,
			Importance: connectors.High, Group: groupRecords, Order: 1, Width: connectors.WidthMedium, DisplayName: "Topic",
			Doc: "Topic to write to. ${subject} stands for the message's subject."},
		connectors.ConfigKey{Name: keySubject, Aliases: []string{"nats.subjects", "subject"}, Type: connectors.ConfigList, Default: "", Validator: subjectCheck,
			Importance: connectors.High, Group: groupRecords, Order: 2, Width: connectors.WidthLong, DisplayName: "Subjects",
			Doc: "Subjects to read; * stands for one token, a last > for all that follow. Of a stream all subjects are read if none is named."},
		connectors.ConfigKey{Name: keyMode, Type: connectors.ConfigString, Default: modeAuto, Validator: connectors.In(modeAuto, modeCore, modeJetStream),
			Importance: connectors.High, Group: groupRecords, Order: 3, Width: connectors.WidthShort, DisplayName: "Mode",
			Doc: "core subscribes to subjects (at most once), jetstream reads a stream (at least once); auto is jetstream if nats.stream is set."},
		connectors.ConfigKey{Name: keyStream, Type: connectors.ConfigString, Default: "",
			Importance: connectors.High, Group: groupRecords, Order: 4, Width: connectors.WidthMedium, DisplayName: "Stream",
			Doc: "Stream to read. In mode jetstream without a name it is the stream that has the first subject."},
		connectors.ConfigKey{Name: keyDurable, Type: connectors.ConfigString, Default: "", Validator: durableCheck,
			Importance: connectors.Medium, Group: groupRecords, Order: 5, Width: connectors.WidthMedium, DisplayName: "Durable consumer",
			Doc: "Name of the durable consumer, which holds the position. Without it the connector's name is used. It is created if it is not there."},
		connectors.ConfigKey{Name: keyDeliver, Type: connectors.ConfigString, Default: "all", Validator: connectors.In("all", "last", "new", "last_per_subject", "by_start_sequence"),
			Importance: connectors.Medium, Group: groupRecords, Order: 6, Width: connectors.WidthShort, DisplayName: "Deliver policy",
			Doc: "Where a consumer that is created starts."},
		connectors.ConfigKey{Name: keyStartSequence, Type: connectors.ConfigLong, Default: 1, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 7, Width: connectors.WidthShort, DisplayName: "Start sequence", Doc: "First sequence with the deliver policy by_start_sequence."},
		connectors.ConfigKey{Name: keyAckWait, Type: connectors.ConfigInt, Default: 60000, Validator: connectors.AtLeast(1000),
			Importance: connectors.Low, Group: groupRecords, Order: 8, Width: connectors.WidthShort, DisplayName: "Ack wait",
			Doc: "Milliseconds after which the server delivers again what was not acknowledged."},
		connectors.ConfigKey{Name: keyMaxAckPending, Type: connectors.ConfigInt, Default: 20000, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 9, Width: connectors.WidthShort, DisplayName: "Unacknowledged messages",
			Doc: "Most messages of the consumer that may wait for an acknowledgement."},
		connectors.ConfigKey{Name: keyQueueGroup, Type: connectors.ConfigString, Default: "",
			Importance: connectors.Medium, Group: groupRecords, Order: 10, Width: connectors.WidthMedium, DisplayName: "Queue group",
			Doc: "Queue group of core subscriptions: a message goes to one of its members. With several tasks the connector's name is used if none is set."},
		connectors.ConfigKey{Name: keyMaxPending, Type: connectors.ConfigInt, Default: 65536, Validator: connectors.Between(1, 1<<24),
			Importance: connectors.Low, Group: groupRecords, Order: 11, Width: connectors.WidthShort, DisplayName: "Pending messages",
			Doc: "Messages of core subscriptions that may wait before further ones are dropped."},
		connectors.ConfigKey{Name: keyBatchSize, Type: connectors.ConfigInt, Default: 2000, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 12, Width: connectors.WidthShort, DisplayName: "Batch size", Doc: "Most records that are handed over at once."},
	)
}

// SinkConfig defines the keys of the sink.
func SinkConfig() *connectors.ConfigDef {
	return connectors.NewConfigDef(connectionKeys()...).With(
		connectors.ConfigKey{Name: keySubject, Aliases: []string{"subject"}, Type: connectors.ConfigString, Default: "${topic}", Validator: sinkSubjectCheck,
			Importance: connectors.High, Group: groupRecords, Order: 1, Width: connectors.WidthMedium, DisplayName: "Subject",
			Doc: "Subject to publish to. ${topic}, ${partition}, ${key} and ${header:name} stand for those of the record."},
		connectors.ConfigKey{Name: keyMode, Type: connectors.ConfigString, Default: modeJetStream, Validator: connectors.In(modeCore, modeJetStream),
			Importance: connectors.High, Group: groupRecords, Order: 2, Width: connectors.WidthShort, DisplayName: "Mode",
			Doc: "jetstream waits until a stream has stored each message, core only until the server has received it."},
		connectors.ConfigKey{Name: keyStream, Type: connectors.ConfigString, Default: "",
			Importance: connectors.Medium, Group: groupRecords, Order: 3, Width: connectors.WidthMedium, DisplayName: "Stream", Doc: "Stream that must take the messages; empty lets any."},
		connectors.ConfigKey{Name: keyMessageID, Type: connectors.ConfigBoolean, Default: true,
			Importance: connectors.Medium, Group: groupRecords, Order: 4, Width: connectors.WidthShort, DisplayName: "Message id",
			Doc: "Whether messages carry the id topic-partition-offset, by which the stream drops what is sent twice within its duplicate window."},
		connectors.ConfigKey{Name: keyHeaders, Type: connectors.ConfigBoolean, Default: true,
			Importance: connectors.Low, Group: groupRecords, Order: 5, Width: connectors.WidthShort, DisplayName: "Headers", Doc: "Whether record headers become message headers."},
		connectors.ConfigKey{Name: keyKeyHeader, Type: connectors.ConfigString, Default: "Kafka-Key",
			Importance: connectors.Low, Group: groupRecords, Order: 6, Width: connectors.WidthMedium, DisplayName: "Key header", Doc: "Header that carries the record's key; empty carries none."},
		connectors.ConfigKey{Name: keyMaxAsync, Type: connectors.ConfigInt, Default: 1000, Validator: connectors.Between(1, 4000),
			Importance: connectors.Low, Group: groupRecords, Order: 7, Width: connectors.WidthShort, DisplayName: "In flight", Doc: "Most messages that wait for a confirmation at the same time."},
		connectors.ConfigKey{Name: keyAckTimeout, Type: connectors.ConfigInt, Default: 10000, Validator: connectors.AtLeast(1),
			Importance: connectors.Low, Group: groupRecords, Order: 8, Width: connectors.WidthShort, DisplayName: "Confirmation timeout",
			Doc: "Milliseconds to wait for a confirmation before a message is sent again."},
		connectors.ConfigKey{Name: keyMaxRetryTime, Type: connectors.ConfigInt, Default: 0, Validator: connectors.AtLeast(0),
			Importance: connectors.Low, Group: groupRecords, Order: 9, Width: connectors.WidthShort, DisplayName: "Longest retrying",
			Doc: "Milliseconds without success after which the task fails; 0 tries for ever."},
	)
}

type sourceConfig struct {
	connection    connection
	topic         template.Template
	subjects      []string
	mode          string
	stream        string
	durable       string
	deliver       jetstream.DeliverPolicy
	startSequence uint64
	ackWait       time.Duration
	maxAckPending int
	queueGroup    string
	maxPending    int
	maxPoll       int
}

// jetstream reports whether the source reads a stream.
func (c *sourceConfig) jetstream() bool {
	return c.mode == modeJetStream || c.mode == modeAuto && c.stream != ""
}

// consumer is the durable consumer to create.
func (c *sourceConfig) consumer() jetstream.ConsumerConfig {
	consumer := jetstream.ConsumerConfig{
		Durable:        c.durable,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        c.ackWait,
		MaxAckPending:  c.maxAckPending,
		DeliverPolicy:  c.deliver,
		FilterSubjects: c.subjects,
	}
	if c.deliver == jetstream.DeliverByStartSequencePolicy {
		consumer.OptStartSeq = c.startSequence
	}
	return consumer
}

var deliverPolicies = map[string]jetstream.DeliverPolicy{
	"all":               jetstream.DeliverAllPolicy,
	"last":              jetstream.DeliverLastPolicy,
	"new":               jetstream.DeliverNewPolicy,
	"last_per_subject":  jetstream.DeliverLastPerSubjectPolicy,
	"by_start_sequence": jetstream.DeliverByStartSequencePolicy,
}

func parseSource(config map[string]string) (sourceConfig, error) {
	values, err := SourceConfig().Parse(connectors.Raw(config))
	if err != nil {
		return sourceConfig{}, err
	}
	c := sourceConfig{
		subjects:      values.List(keySubject),
		mode:          values.String(keyMode),
		stream:        values.String(keyStream),
		durable:       values.String(keyDurable),
		deliver:       deliverPolicies[values.String(keyDeliver)],
		startSequence: uint64(values.Long(keyStartSequence)),
		ackWait:       values.Millis(keyAckWait),
		maxAckPending: int(values.Int(keyMaxAckPending)),
		queueGroup:    values.String(keyQueueGroup),
		maxPending:    int(values.Int(keyMaxPending)),
		maxPoll:       int(values.Int(keyBatchSize)),
	}
	if len(c.subjects) == 0 && (!c.jetstream() || c.stream == "") {
		return sourceConfig{}, &connectors.ConfigError{Msg: fmt.Sprintf("%s: at least one subject is needed unless %s is set", keySubject, keyStream)}
	}
	if c.topic, err = template.Parse(values.String(keyTopic), "subject"); err != nil {
		return sourceConfig{}, err
	}
	c.connection, err = parseConnection(values, config["name"])
	return c, err
}

type sinkConfig struct {
	connection   connection
	subject      template.Template
	mode         string
	stream       string
	messageID    bool
	headers      bool
	keyHeader    string
	maxPending   int
	ackTimeout   time.Duration
	maxRetryTime time.Duration
}

func parseSink(config map[string]string) (sinkConfig, error) {
	values, err := SinkConfig().Parse(connectors.Raw(config))
	if err != nil {
		return sinkConfig{}, err
	}
	c := sinkConfig{
		mode:         values.String(keyMode),
		stream:       values.String(keyStream),
		messageID:    values.Bool(keyMessageID),
		headers:      values.Bool(keyHeaders),
		keyHeader:    values.String(keyKeyHeader),
		maxPending:   int(values.Int(keyMaxAsync)),
		ackTimeout:   values.Millis(keyAckTimeout),
		maxRetryTime: values.Millis(keyMaxRetryTime),
	}
	if c.subject, err = template.Parse(values.String(keySubject), template.SinkVariables...); err != nil {
		return sinkConfig{}, err
	}
	c.connection, err = parseConnection(values, config["name"])
	return c, err
}

func parseConnection(values connectors.Values, name string) (connection, error) {
	c := connection{
		servers:   values.List(keyURL),
		name:      name,
		user:      values.String(keyUser),
		password:  values.Password(keyPassword),
		token:     values.Password(keyToken),
		credsFile: values.String(keyCredsFile),
		domain:    values.String(keyDomain),
		timeout:   values.Millis(keyTimeout),
	}
	var err error
	c.tls, err = tlsconfig.From(values)
	return c, err
}

var urlCheck = connectors.CheckFunc("list of URLs", func(value any) string {
	servers, _ := value.([]string)
	if len(servers) == 0 {
		return "at least one URL is needed, such as nats://127.0.0.1:4222"
	}
	for _, s := range servers {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss" {
			return "a URL is scheme://host:port with a scheme of nats, tls, ws, wss"
		}
	}
	return ""
})

var subjectCheck = connectors.CheckFunc("list of subjects", func(value any) string {
	subjects, _ := value.([]string)
	for _, s := range subjects {
		if reason := badSubject(s); reason != "" {
			return fmt.Sprintf("subject %q: %s", s, reason)
		}
	}
	return ""
})

// badSubject says what is wrong with a subject to subscribe to, "" if nothing.
func badSubject(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\r\n\x00") {
		return "it must not be empty and has no blanks"
	}
	tokens := strings.Split(s, ".")
	for i, token := range tokens {
		if token == "" {
			return "tokens between dots must not be empty"
		}
		if token == ">" && i != len(tokens)-1 {
			return "> stands alone at the end"
		}
	}
	return ""
}

var durableCheck = connectors.CheckFunc("consumer name", func(value any) string {
	name, _ := value.(string)
	if durableName(name) != name {
		return `a consumer name has no blanks and none of . * > / \`
	}
	return ""
})

var targetCheck = template.TopicCheck("subject")

var sinkSubjectCheck = connectors.CheckFunc("subject", func(value any) string {
	text, _ := value.(string)
	t, err := template.Parse(text, template.SinkVariables...)
	switch {
	case err != nil:
		return err.Error()
	case t.Constant() && !legalSubject(text):
		return "a subject to publish to has no blanks, no empty tokens and none of * and >"
	}
	return ""
})
