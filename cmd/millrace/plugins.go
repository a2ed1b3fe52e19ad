package main

import (
	"millrace/connectors"
	"millrace/connectors/activemq"
	"millrace/connectors/file"
	"millrace/connectors/mqtt"
	"millrace/connectors/nats"
	"millrace/connectors/tools"
	"millrace/plugins"
	"millrace/plugins/converters"
	"millrace/plugins/converters/avro"
	"millrace/plugins/converters/jsonschema"
	"millrace/plugins/transforms"
)

// wrapSource is nil in every build but that of the crash test's self-test.
var wrapSource func(connectors.Plugin) connectors.Plugin

// builtIn returns a registry of everything that is compiled in.
func builtIn() (*plugins.Registry, error) {
	registry := plugins.New()
	for _, list := range [][]connectors.Plugin{
		file.Plugins(), activemq.Plugins(), mqtt.Plugins(), nats.Plugins(), tools.Plugins(), converters.Plugins(), transforms.Plugins(),
		avro.Plugins(), jsonschema.Plugins(),
	} {
		if wrapSource != nil {
			for i := range list {
				list[i] = wrapSource(list[i])
			}
		}
		if err := registry.Add(list...); err != nil {
			return nil, err
		}
	}
	return registry, nil
}
