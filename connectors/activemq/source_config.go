package activemq

import (
	"fmt"
	"strings"
	"sync"

	"millrace/connectors"
	"millrace/connectors/internal/template"
)

// Keys of the source.
const (
	keyTopic          = "topic"
	keySubscription   = "activemq.subscription.name"
	keySelector       = "activemq.selector"
	keyPrefetch       = "activemq.prefetch"
	keyMaxPending     = "max.pending.messages"
	keyBatchSize      = "batch.size"
	keyExclusive      = "activemq.exclusive"
	keyAckMode        = "activemq.ack.mode"
	keyTransformation = "activemq.transformation"
	keyFormat         = "record.format"
	keyRecordKey      = "record.key"
	keyHeaders        = "record.headers"
	keyHeadersPrefix  = "record.headers.prefix"
	keyTimestamp      = "record.timestamp"
)

// topicVariables may stand in the source's topic.
var topicVariables = []string{"destination", "original-destination", "header:"}

var destinationKeys = []connectors.ConfigKey{
	{
		Name: keyDestinationType, Type: connectors.ConfigString, Default: "queue", Importance: connectors.Medium,
		Group: "Messages", Order: 3, Aliases: []string{"jms.destination.type", "destinationType"},
		Validator: connectors.In("queue", "topic"),
		Doc:       "What a destination without queue:// or topic:// in front is.",
	},
}

var sourceDef = sync.OnceValue(func() *connectors.ConfigDef {
	keys := append(connectionKeys(), connectors.ConfigKey{
		Name: keyDestination, Type: connectors.ConfigString, Required: true, Importance: connectors.High, Group: "Messages", Order: 1,
		Width: connectors.WidthLong, Aliases: []string{"jms.destination.name", "activemq.destination.name", "destinationName"},
		Validator: connectors.CheckFunc("destination", func(value any) string {
			if text, ok := value.(string); !ok {
				return "" // missing, which is an error of its own
			} else if _, err := parseDestination(text, "queue", false); err != nil {
				return err.Error()
			}
			return ""
		}),
		Doc: "The queue or topic to read: a name, queue://name or topic://name, with wildcards (a.*.>), several joined by commas, or the " +
			"consumer queue of a virtual topic (Consumer.app.VirtualTopic.name).",
	}, connectors.ConfigKey{
		Name: keyTopic, Type: connectors.ConfigString, Required: true, Importance: connectors.High, Group: "Messages", Order: 2,
		Aliases: []string{"kafka.topic", "topics"},
		Validator: connectors.CheckFunc("topic or template", func(value any) string {
			if text, ok := value.(string); !ok {
				return "" // missing, which is an error of its own
			} else if _, err := parseTopic(text); err != nil {
				return err.Error()
			}
			return ""
		}),
		Doc: "The topic to write to. ${destination}, ${original-destination} and ${header:name} stand for what the message says; what " +
			"may not stand in a topic's name becomes an underscore.",
	})
	keys = append(keys, destinationKeys...)
	keys = append(keys, subscriptionKeys...)
	return connectors.NewConfigDef(append(keys, recordKeys...)...)
})

var subscriptionKeys = []connectors.ConfigKey{
	{
		Name: keySubscription, Type: connectors.ConfigString, Importance: connectors.Medium, Group: "Messages", Order: 4,
		Aliases: []string{"jms.subscription.name", "connect.jms.subscription.name"}, Validator: oneLine("subscription"),
		Doc: "The name of a durable subscription to a topic. The broker then keeps messages while the connector is away.",
	},
	{
		Name: keySelector, Type: connectors.ConfigString, Importance: connectors.Medium, Group: "Messages", Order: 5,
		Aliases: []string{"jms.message.selector"}, Validator: oneLine("selector"),
		Doc: "A message selector (SQL-92); messages that do not match stay in the queue.",
	},
	{
		Name: keyPrefetch, Type: connectors.ConfigInt, Default: 1000, Importance: connectors.Medium, Group: "Messages", Order: 6,
		Validator: connectors.Between(1, maxPrefetch),
		Doc:       "How many messages the broker sends ahead of the acknowledgements of the log.",
	},
	{
		Name: keyMaxPending, Type: connectors.ConfigInt, Default: 4096, Importance: connectors.Low, Group: "Messages", Order: 7,
		Validator: connectors.AtLeast(1),
		Doc:       "How many messages may be on their way into the log before no more are taken.",
	},
	{
		Name: keyBatchSize, Type: connectors.ConfigInt, Default: 1024, Importance: connectors.Low, Group: "Messages", Order: 8,
		Aliases: []string{"mq.batch.size"}, Validator: connectors.AtLeast(1),
		Doc: "The most records one poll returns.",
	},
	{
		Name: keyExclusive, Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Low, Group: "Messages", Order: 9,
		Doc: "Whether one consumer gets all messages of the queue, in order, while the others stand by.",
	},
	{
		Name: keyAckMode, Type: connectors.ConfigString, Default: "client", Importance: connectors.Low, Group: "Messages", Order: 10,
		Validator: connectors.In("client", "individual"),
		Doc:       "client acknowledges a run of messages with one frame, individual each message by itself.",
	},
	{
		Name: keyTransformation, Type: connectors.ConfigString, Importance: connectors.Low, Group: "Messages", Order: 11,
		Validator: oneLine("transformation"),
		Doc:       "How the broker turns map and object messages into text, for example jms-map-json. Without it they arrive empty.",
	},
}

var recordKeys = []connectors.ConfigKey{
	{
		Name: keyFormat, Type: connectors.ConfigString, Default: "auto", Importance: connectors.Medium, Group: "Records", Order: 1,
		Validator: connectors.In("auto", "string", "bytes"),
		Doc:       "The record's value: auto makes a string of a text message and bytes of a bytes message.",
	},
	{
		Name: keyRecordKey, Type: connectors.ConfigString, Default: "none", Importance: connectors.Medium, Group: "Records", Order: 2,
		Validator: connectors.CheckFunc("none, message-id, correlation-id, group-id, destination, original-destination or header:name", func(value any) string {
			name, _ := value.(string)
			if _, ok := recordKeyHeaders[name]; ok || strings.HasPrefix(name, "header:") && len(name) > len("header:") {
				return ""
			}
			return "Value must be none, message-id, correlation-id, group-id, destination, original-destination or header:name"
		}),
		Doc: "The record's key.",
	},
	{
		Name: keyHeaders, Type: connectors.ConfigString, Default: "all", Importance: connectors.Medium, Group: "Records", Order: 3,
		Validator: connectors.In("all", "jms", "none"),
		Doc:       "Which record headers a message gives: jms are JMSMessageID, JMSDestination, JMSOriginalDestination, JMSCorrelationID and so on; all adds its properties.",
	},
	{
		Name: keyHeadersPrefix, Type: connectors.ConfigString, Default: "", Importance: connectors.Low, Group: "Records", Order: 4,
		Doc: "Stands before the names of record headers.",
	},
	{
		Name: keyTimestamp, Type: connectors.ConfigString, Default: "jms", Importance: connectors.Low, Group: "Records", Order: 5,
		Validator: connectors.In("jms", "now"),
		Doc:       "The record's timestamp: that of the message, if it has one, or now.",
	},
}

// recordKeyHeaders are the STOMP headers behind the values of record.key.
var recordKeyHeaders = map[string]string{
	"none": "", "message-id": "message-id", "correlation-id": "correlation-id", "group-id": "JMSXGroupID",
	"destination": "destination", "original-destination": "original-destination",
}

func parseTopic(text string) (template.Template, error) {
	t, err := template.Parse(text, topicVariables...)
	switch {
	case err != nil:
		return t, err
	case t.Constant() && (text == "" || template.LegalTopic(text) != text || len(text) > 249 || text == "." || text == ".."):
		if strings.Contains(text, ",") {
			return t, fmt.Errorf("a source writes to one topic; %q are several", text)
		}
		return t, fmt.Errorf("%q is not a topic's name: letters, digits, dots, underscores and hyphens, at most 249", text)
	}
	return t, nil
}

// A sourceConfig is the source's configuration, parsed.
type sourceConfig struct {
	*connection
	destination  destination
	topic        template.Template
	constTopic   string // the topic, if it has no variables
	subscription string
	selector     string
	prefetch     int
	maxPending   int
	batchSize    int
	exclusive    bool
	individual   bool
	transform    string
	format       string
	keyHeader    string
	jmsHeaders   bool
	properties   bool
	prefix       string
	jmsTime      bool
}

func parseSource(config map[string]string) (*sourceConfig, error) {
	values, err := sourceDef().Parse(connectors.Raw(config))
	if err != nil {
		return nil, err
	}
	c := &sourceConfig{
		subscription: values.String(keySubscription), selector: values.String(keySelector),
		prefetch: int(values.Int(keyPrefetch)), maxPending: int(values.Int(keyMaxPending)), batchSize: int(values.Int(keyBatchSize)),
		exclusive: values.Bool(keyExclusive), individual: values.String(keyAckMode) == "individual",
		transform: values.String(keyTransformation), format: values.String(keyFormat),
		jmsHeaders: values.String(keyHeaders) != "none", properties: values.String(keyHeaders) == "all",
		prefix: values.String(keyHeadersPrefix), jmsTime: values.String(keyTimestamp) == "jms",
	}
	if c.connection, err = parseConnection(values); err != nil {
		return nil, err
	}
	if c.topic, err = parseTopic(values.String(keyTopic)); err != nil {
		return nil, connectors.InvalidValue(keyTopic, values.String(keyTopic), err.Error())
	}
	if c.topic.Constant() {
		c.constTopic = c.topic.String()
	}
	if c.destination, err = parseDestination(values.String(keyDestination), values.String(keyDestinationType), isSet(config, keyDestinationType)); err != nil {
		return nil, connectors.InvalidValue(keyDestination, values.String(keyDestination), err.Error())
	}
	if c.subscription != "" && !c.destination.topic {
		return nil, connectors.InvalidValue(keySubscription, c.subscription, "a queue has no durable subscriptions; it keeps its messages anyway")
	}
	name := values.String(keyRecordKey)
	if header, ok := strings.CutPrefix(name, "header:"); ok {
		c.keyHeader = header
	} else {
		c.keyHeader = recordKeyHeaders[name]
	}
	if c.destination.prefetch != 0 {
		c.prefetch = c.destination.prefetch
	} else if n := c.failover.prefetch(c.destination.topic); n != 0 && !isSet(config, keyPrefetch) {
		c.prefetch = n
	}
	if c.maxPending < c.prefetch {
		return nil, connectors.InvalidValue(keyMaxPending, c.maxPending, fmt.Sprintf("Value must be at least %s, which is %d", keyPrefetch, c.prefetch))
	}
	return c, nil
}

// isSet reports whether a key of both connectors is given, by any of its names.
func isSet(config map[string]string, name string) bool {
	if _, ok := config[name]; ok {
		return true
	}
	key := sourceDef().Lookup(name)
	for _, alias := range key.Aliases {
		if _, ok := config[alias]; ok {
			return true
		}
	}
	return false
}

// together is how many messages are worth a batch of their own while others are pending.
func (c *sourceConfig) together() int { return max(1, min(c.prefetch/10, c.batchSize, 100)) }
