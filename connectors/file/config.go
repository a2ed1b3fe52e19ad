package file

import (
	"sync"

	"millrace/connectors"
)

// version is the version of Apache Kafka whose connectors these are.
const version = "4.3.1"

const (
	keyFile      = "file"
	keyTopic     = "topic"
	keyBatchSize = "batch.size"
)

var sourceDef = sync.OnceValue(func() *connectors.ConfigDef {
	return connectors.NewConfigDef(
		connectors.ConfigKey{
			Name: keyFile, Type: connectors.ConfigString, Importance: connectors.High,
			Doc: "Source filename. If not specified, the standard input will be used.",
		},
		connectors.ConfigKey{
			Name: keyTopic, Type: connectors.ConfigString, Required: true, Importance: connectors.High,
			Validator: connectors.NonEmpty(),
			Doc:       "The topic to publish data to.",
		},
		connectors.ConfigKey{
			Name: keyBatchSize, Type: connectors.ConfigInt, Default: 2000, Importance: connectors.Low,
			Doc: "The most records the source task returns each time it reads the file.",
		},
	)
})

var sinkDef = sync.OnceValue(func() *connectors.ConfigDef {
	return connectors.NewConfigDef(
		connectors.ConfigKey{
			Name: keyFile, Type: connectors.ConfigString, Importance: connectors.High,
			Doc: "Destination filename. If not specified, the standard output will be used.",
		},
	)
})

// Plugins returns the descriptors of the source and the sink.
func Plugins() []connectors.Plugin { return Limited(nil) }

// Limited returns them for a worker whose connectors touch only what is allowed.
func Limited(allowed Allowed) []connectors.Plugin {
	return []connectors.Plugin{
		{
			Kind:      connectors.KindSource,
			Class:     "org.apache.kafka.connect.file.FileStreamSourceConnector",
			Version:   version,
			Config:    sourceDef(),
			TaskClass: "org.apache.kafka.connect.file.FileStreamSourceTask",
			NewSource: func() connectors.Source { return &source{allowed: allowed} },
		},
		{
			Kind:      connectors.KindSink,
			Class:     "org.apache.kafka.connect.file.FileStreamSinkConnector",
			Version:   version,
			Config:    sinkDef(),
			TaskClass: "org.apache.kafka.connect.file.FileStreamSinkTask",
			NewSink:   func() connectors.Sink { return &sink{allowed: allowed} },
		},
	}
}
