package nats

import "millrace/connectors"

const version = "1.0.0"

// converter keeps the bytes of messages as they are.
const converter = "org.apache.kafka.connect.storage.StringConverter"

// Plugins returns the descriptors of the source and the sink.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Kind: connectors.KindSource, Class: "io.millrace.connect.nats.NatsSourceConnector", Version: version, Converter: converter,
			Aliases: []string{"org.apache.camel.kafkaconnector.natssource.CamelNatssourceSourceConnector", "NatsSource"},
			Config:  SourceConfig(), TaskClass: "io.millrace.connect.nats.NatsSourceTask",
			NewSource: func() connectors.Source { return &Source{} },
		},
		{
			Kind: connectors.KindSink, Class: "io.millrace.connect.nats.NatsSinkConnector", Version: version, Converter: converter,
			Aliases: []string{"org.apache.camel.kafkaconnector.natssink.CamelNatssinkSinkConnector", "NatsSink"},
			Config:  SinkConfig(), TaskClass: "io.millrace.connect.nats.NatsSinkTask",
			NewSink: func() connectors.Sink { return &Sink{} },
		},
	}
}
