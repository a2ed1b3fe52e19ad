package mqtt

import (
	"strings"

	"millrace/connectors"
	"millrace/connectors/internal/template"
)

// record makes the source record of a message: the MQTT topic as key, the payload as value, the rest as headers under the
// names that Confluent's connector gave them. MQTT 3.1.1 has no timestamp; now is used.
func (c *sourceConfig) record(d delivery, now int64) connectors.SourceRecord {
	m := d.msg
	topic, err := c.topic.Expand(func(string, string) (string, error) {
		return template.LegalTopic(strings.ReplaceAll(strings.TrimPrefix(m.Topic(), "/"), "/", c.separator)), nil
	})
	if err != nil { // the variable above cannot fail
		panic(err)
	}
	return connectors.SourceRecord{
		Record: connectors.Record{
			Topic:     topic,
			Partition: connectors.NoPartition,
			KeySchema: connectors.StringSchema, Key: m.Topic(),
			ValueSchema: connectors.BytesSchema, Value: m.Payload(),
			Timestamp: now,
			Headers: connectors.Headers{
				{Key: "mqtt.message.id", Schema: connectors.Int32Schema, Value: int32(m.MessageID())},
				{Key: "mqtt.qos", Schema: connectors.Int32Schema, Value: int32(m.Qos())},
				{Key: "mqtt.retained", Schema: connectors.BooleanSchema, Value: m.Retained()},
				{Key: "mqtt.duplicate", Schema: connectors.BooleanSchema, Value: m.Duplicate()},
			},
		},
		Handle: d.ticket,
	}
}
