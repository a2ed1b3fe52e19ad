package mqtt

import "millrace/connectors"

const version = "1.0.0"

// converter keeps the bytes of messages as they are.
const converter = "org.apache.kafka.connect.storage.StringConverter"

// Plugins returns the descriptors of the source and the sink.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Kind: connectors.KindSource, Class: "io.millrace.connect.mqtt.MqttSourceConnector", Version: version, Converter: converter,
			Aliases: []string{
				"io.confluent.connect.mqtt.MqttSourceConnector",
				"com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector",
				"io.lenses.streamreactor.connect.mqtt.source.MqttSourceConnector",
			},
			Config: SourceConfig(), TaskClass: "io.millrace.connect.mqtt.MqttSourceTask",
			NewSource: func() connectors.Source { return &Source{} },
		},
		{
			Kind: connectors.KindSink, Class: "io.millrace.connect.mqtt.MqttSinkConnector", Version: version, Converter: converter,
			Aliases: []string{
				"io.confluent.connect.mqtt.MqttSinkConnector",
				"com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector",
				"io.lenses.streamreactor.connect.mqtt.sink.MqttSinkConnector",
			},
			Config: SinkConfig(), TaskClass: "io.millrace.connect.mqtt.MqttSinkTask",
			NewSink: func() connectors.Sink { return &Sink{} },
		},
	}
}
