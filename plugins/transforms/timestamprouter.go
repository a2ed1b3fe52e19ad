package transforms

import (
	"context"
	"strings"

	"millrace/connectors"
	"millrace/connectors/javatime"
)

var timestampRouterConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "topic.format", Type: connectors.ConfigString, Default: "${topic}-${timestamp}", Importance: connectors.High,
		Doc: "The new topic; ${topic} stands for the old one and ${timestamp} for the record's timestamp.",
	},
	connectors.ConfigKey{
		Name: "timestamp.format", Type: connectors.ConfigString, Default: "yyyyMMdd", Importance: connectors.High,
		Doc: "The pattern of the timestamp, as Java's SimpleDateFormat has it. It is in UTC.",
	},
)

// timestampRouter is TimestampRouter: it makes the topic depend on the record's timestamp.
type timestampRouter struct {
	noClose
	topic     string
	pattern   string
	timestamp *javatime.Format
}

// Configure is part of connectors.Transform. A wrong pattern only shows at the first record, as in Kafka.
func (t *timestampRouter) Configure(config map[string]string) error {
	values, err := timestampRouterConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	t.topic, t.pattern, t.timestamp = values.String("topic.format"), values.String("timestamp.format"), nil
	return nil
}

// Apply is part of connectors.Transform.
func (t *timestampRouter) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	if r.Timestamp == connectors.NoTimestamp {
		return true, dataError("Timestamp missing on record: topic %s, key %s", r.Topic, connectors.Text(r.Key))
	}
	if t.timestamp == nil {
		format, err := javatime.Compile(t.pattern)
		if err != nil {
			return true, dataError("timestamp.format %s: %v", t.pattern, err)
		}
		t.timestamp = format
	}
	topic := strings.ReplaceAll(t.topic, "${topic}", r.Topic)
	if strings.Contains(topic, "${timestamp}") {
		topic = strings.ReplaceAll(topic, "${timestamp}", t.timestamp.Format(r.Timestamp))
	}
	r.Topic = topic
	return true, nil
}
