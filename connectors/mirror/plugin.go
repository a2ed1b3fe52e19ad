package mirror

import "millrace/connectors"

const (
	// version is the version of Apache Kafka whose connectors these are.
	version     = "4.3.1"
	classPrefix = "org.apache.kafka.connect.mirror."
	// converter leaves bytes as they are.
	converter = "org.apache.kafka.connect.converters.ByteArrayConverter"
)

// Plugins returns the descriptors of MirrorSource, MirrorCheckpoint and MirrorHeartbeat.
func Plugins(env Environment) []connectors.Plugin {
	if env.Regex == nil {
		env.Regex = goRegex
	}
	plugin := func(name string, def *connectors.ConfigDef, make func() connectors.Source) connectors.Plugin {
		return connectors.Plugin{
			Kind: connectors.KindSource, Class: classPrefix + name + "Connector", TaskClass: classPrefix + name + "Task", Version: version,
			Config: def, Converter: converter, HeaderConverter: converter, NewSource: make,
		}
	}
	return []connectors.Plugin{
		plugin("MirrorSource", sourceDef, func() connectors.Source { return &sourceConnector{connector: connector{env: env}} }),
		plugin("MirrorCheckpoint", checkpointDef, func() connectors.Source { return &checkpointConnector{connector: connector{env: env}} }),
		plugin("MirrorHeartbeat", heartbeatDef, func() connectors.Source { return &heartbeatConnector{connector: connector{env: env}} }),
	}
}
