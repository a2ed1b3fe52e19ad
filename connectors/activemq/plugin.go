package activemq

import "millrace/connectors"

const version = "1.0.0"

// converter keeps the text and the bytes of messages as they are.
const converter = "org.apache.kafka.connect.storage.StringConverter"

// Plugins returns the descriptors of the source and the sink.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Kind:  connectors.KindSource,
			Class: "io.millrace.connect.activemq.ActiveMQSourceConnector",
			Aliases: []string{
				"io.confluent.connect.activemq.ActiveMQSourceConnector",
				"io.confluent.connect.jms.JmsSourceConnector",
				"com.datamountaineer.streamreactor.connect.jms.source.JMSSourceConnector",
				"io.lenses.streamreactor.connect.jms.source.JMSSourceConnector",
			},
			Version:   version,
			Converter: converter,
			Config:    sourceDef(),
			TaskClass: "io.millrace.connect.activemq.ActiveMQSourceTask",
			NewSource: func() connectors.Source { return new(source) },
		},
		{
			Kind:  connectors.KindSink,
			Class: "io.millrace.connect.activemq.ActiveMQSinkConnector",
			Aliases: []string{
				"io.confluent.connect.jms.ActiveMqSinkConnector",
				"io.confluent.connect.activemq.ActiveMQSinkConnector",
				"io.confluent.connect.jms.JmsSinkConnector",
				"com.datamountaineer.streamreactor.connect.jms.sink.JMSSinkConnector",
				"io.lenses.streamreactor.connect.jms.sink.JMSSinkConnector",
			},
			Version:   version,
			Converter: converter,
			Config:    sinkDef(),
			TaskClass: "io.millrace.connect.activemq.ActiveMQSinkTask",
			NewSink:   func() connectors.Sink { return new(sink) },
		},
	}
}
