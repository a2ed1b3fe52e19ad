package activemq

import (
	"strings"
	"sync"

	"millrace/connectors"
	"millrace/connectors/internal/template"
)

// Keys of the sink.
const (
	keyBatchRecords    = "batch.max.records"
	keyBatchBytes      = "batch.max.bytes"
	keyPersistent      = "activemq.persistent"
	keyTTL             = "activemq.ttl.ms"
	keyPriority        = "activemq.priority"
	keyMessageType     = "activemq.message.type"
	keyForwardKey      = "jms.forward.kafka.key"
	keyForwardMetadata = "jms.forward.kafka.metadata"
	keyForwardHeaders  = "jms.forward.kafka.headers"
	keyGroupFromKey    = "activemq.group.from.key"
	keyNulls           = "behavior.on.null.values"
)

var sinkDef = sync.OnceValue(func() *connectors.ConfigDef {
	keys := append(connectionKeys(), connectors.ConfigKey{
		Name: keyDestination, Type: connectors.ConfigString, Default: "${topic}", Importance: connectors.High, Group: "Messages", Order: 1,
		Width: connectors.WidthLong, Aliases: []string{"jms.destination.name", "activemq.destination.name", "destinationName"},
		Validator: connectors.CheckFunc("destination or template", func(value any) string {
			text, _ := value.(string)
			if _, err := parseTarget(text); err != nil {
				return err.Error()
			}
			return ""
		}),
		Doc: "The queue or topic to write to: a name, queue://name or topic://name, in which ${topic}, ${partition}, ${key} and " +
			"${header:name} stand for what the record says. Not set: each record goes to the queue named as its topic.",
	})
	keys = append(keys, destinationKeys...)
	return connectors.NewConfigDef(append(keys, sinkKeys...)...)
})

var sinkKeys = []connectors.ConfigKey{
	{
		Name: keyBatchRecords, Type: connectors.ConfigInt, Default: 500, Importance: connectors.Medium, Group: "Messages", Order: 4,
		Validator: connectors.Between(1, 100000),
		Doc:       "The most messages of one transaction.",
	},
	{
		Name: keyBatchBytes, Type: connectors.ConfigInt, Default: 1 << 20, Importance: connectors.Low, Group: "Messages", Order: 5,
		Validator: connectors.AtLeast(1),
		Doc:       "The most bytes of one transaction's messages, unless one message has more.",
	},
	{
		Name: keyMessageType, Type: connectors.ConfigString, Default: "auto", Importance: connectors.Medium, Group: "Messages", Order: 6,
		Aliases: []string{"jms.message.format"}, Validator: connectors.In("auto", "text", "bytes", "string", "json", "avro"),
		Doc: "What messages are: auto makes a bytes message of bytes and a text message of all else. string and json mean text, avro means bytes.",
	},
	{
		Name: keyPersistent, Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Medium, Group: "Messages", Order: 7,
		Doc: "Whether the broker stores messages on its disk.",
	},
	{
		Name: keyTTL, Type: connectors.ConfigLong, Default: 0, Importance: connectors.Low, Group: "Messages", Order: 8,
		Aliases: []string{"jms.producer.time.to.live.ms"}, Validator: connectors.AtLeast(0),
		Doc: "After how many milliseconds the broker drops a message; 0 is never.",
	},
	{
		Name: keyPriority, Type: connectors.ConfigInt, Default: 4, Importance: connectors.Low, Group: "Messages", Order: 9,
		Aliases: []string{"jms.producer.priority"}, Validator: connectors.Between(0, 9),
		Doc: "The priority of messages.",
	},
	{
		Name: keyForwardHeaders, Type: connectors.ConfigBoolean, Default: true, Importance: connectors.Low, Group: "Messages", Order: 10,
		Doc: "Whether record headers become message properties. JMSCorrelationID, JMSReplyTo, JMSType and JMSXGroupID become what they name; " +
			"other names that STOMP uses itself get the prefix kafka_; what the broker assigns (JMSMessageID, JMSDestination ...) is left out.",
	},
	{
		Name: keyForwardKey, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: "Messages", Order: 11,
		Doc: "Whether the record's key becomes JMSCorrelationID.",
	},
	{
		Name: keyForwardMetadata, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: "Messages", Order: 12,
		Doc: "Whether messages get the properties KAFKA_TOPIC, KAFKA_PARTITION and KAFKA_OFFSET.",
	},
	{
		Name: keyGroupFromKey, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: "Messages", Order: 13,
		Doc: "Whether the record's key becomes JMSXGroupID, so that one of several consumers gets all messages of a key, in order.",
	},
	{
		Name: keyNulls, Type: connectors.ConfigString, Default: "ignore", Importance: connectors.Low, Group: "Messages", Order: 14,
		Validator: connectors.In("ignore", "empty", "fail"),
		Doc:       "What becomes of a record without a value: ignore drops it, empty sends an empty message, fail treats it as a bad record.",
	},
}

// A sinkConfig is the sink's configuration, parsed.
type sinkConfig struct {
	*connection
	target      template.Template
	kind        string
	kindSet     bool
	maxRecords  int
	maxBytes    int
	persistent  bool
	ttl         int64
	priority    string // "" is the broker's own default
	messageType string // auto, text or bytes
	headers     bool
	key         bool
	metadata    bool
	group       bool
	nulls       string
	named       bool // a destination was given
}

func parseSink(config map[string]string) (*sinkConfig, error) {
	values, err := sinkDef().Parse(connectors.Raw(config))
	if err != nil {
		return nil, err
	}
	c := &sinkConfig{
		kind: values.String(keyDestinationType), kindSet: isSet(config, keyDestinationType), named: isSet(config, keyDestination),
		maxRecords: int(values.Int(keyBatchRecords)), maxBytes: int(values.Int(keyBatchBytes)),
		persistent: values.Bool(keyPersistent), ttl: values.Long(keyTTL), messageType: values.String(keyMessageType),
		headers: values.Bool(keyForwardHeaders), key: values.Bool(keyForwardKey), metadata: values.Bool(keyForwardMetadata),
		group: values.Bool(keyGroupFromKey), nulls: values.String(keyNulls),
	}
	switch c.messageType {
	case "string", "json":
		c.messageType = "text"
	case "avro":
		c.messageType = "bytes"
	}
	if p := values.Int(keyPriority); p != 4 {
		c.priority = string(rune('0' + p))
	}
	if c.connection, err = parseConnection(values); err != nil {
		return nil, err
	}
	if c.target, err = parseTarget(values.String(keyDestination)); err != nil {
		return nil, connectors.InvalidValue(keyDestination, values.String(keyDestination), err.Error())
	}
	if c.target.Constant() {
		if _, err := parseDestination(c.target.String(), c.kind, c.kindSet); err != nil {
			return nil, connectors.InvalidValue(keyDestination, values.String(keyDestination), err.Error())
		}
	}
	return c, nil
}

func parseTarget(text string) (template.Template, error) {
	t, err := template.Parse(text, template.SinkVariables...)
	if err == nil {
		name := text
		if !t.Constant() {
			name = strings.NewReplacer("${", "", "}", "").Replace(text)
		}
		_, err = parseDestination(name, "queue", false)
	}
	return t, err
}

// addError adds err to the values of the keys that it names, if they have no error of their own yet.
func addError(values []*connectors.ConfigValue, err error) {
	if err == nil {
		return
	}
	for _, v := range values {
		if len(v.Errors) > 0 {
			return // parsing stopped there
		}
	}
	for _, v := range values {
		if strings.Contains(err.Error(), "configuration "+v.Name+":") || strings.HasPrefix(err.Error(), v.Name) {
			v.AddError(err.Error())
			return
		}
	}
}
