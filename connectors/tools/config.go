package tools

import (
	"fmt"
	"sync"

	"millrace/connectors"
)

const (
	keyName           = "name"
	keyID             = "id"
	keyTopic          = "topic"
	keyThroughput     = "throughput"
	keyCompleteData   = "complete.record.data"
	keyNumMessages    = "num.messages"
	keyMultipleSchema = "multiple.schema"
	keyPartitionCount = "partition.count"
	keyMockMode       = "mock_mode"
	keyDelayMs        = "delay_ms"
)

// The definitions of what tasks read. No plugin shows them: Kafka's connectors declare no keys.
var (
	verifiableSourceDef = sync.OnceValue(func() *connectors.ConfigDef {
		return connectors.NewConfigDef(append(generatorKeys(), text(keyCompleteData))...)
	})
	schemaSourceDef = sync.OnceValue(func() *connectors.ConfigDef {
		return connectors.NewConfigDef(append(generatorKeys(),
			required(keyNumMessages, connectors.ConfigLong), text(keyMultipleSchema),
			connectors.ConfigKey{Name: keyPartitionCount, Type: connectors.ConfigInt, Default: 1, Validator: connectors.AtLeast(1), Importance: connectors.Low},
		)...)
	})
	verifiableSinkDef = sync.OnceValue(func() *connectors.ConfigDef {
		return connectors.NewConfigDef(text(keyName), required(keyID, connectors.ConfigInt))
	})
	mockDef = sync.OnceValue(func() *connectors.ConfigDef {
		return connectors.NewConfigDef(connectors.ConfigKey{Name: keyDelayMs, Type: connectors.ConfigLong, Default: 15000, Importance: connectors.Low})
	})
)

func generatorKeys() []connectors.ConfigKey {
	topic := required(keyTopic, connectors.ConfigString)
	topic.Validator = connectors.NonEmpty()
	return []connectors.ConfigKey{
		text(keyName), required(keyID, connectors.ConfigInt), topic, required(keyThroughput, connectors.ConfigLong),
	}
}

func required(name string, t connectors.ConfigType) connectors.ConfigKey {
	return connectors.ConfigKey{Name: name, Type: t, Required: true, Importance: connectors.High}
}

// text is an optional string. Flags are text too: anything but true is false.
func text(name string) connectors.ConfigKey {
	return connectors.ConfigKey{Name: name, Type: connectors.ConfigString, Importance: connectors.Low}
}

// parse reads the configuration of the task of a class.
func parse(def *connectors.ConfigDef, class string, config map[string]string) (connectors.Values, error) {
	values, err := def.Parse(connectors.Raw(config))
	if err != nil {
		return nil, fmt.Errorf("Invalid %s configuration: %w", class, err)
	}
	return values, nil
}
