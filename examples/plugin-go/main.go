// Command plugin-go is an example of a plugin program: a source that reads the lines of a file and a sink that appends
// lines to one, served to a worker from a process of their own. README.md says how to install it.
package main

import (
	"millrace/connectors"
	"millrace/plugins/serve"
)

const version = "1.0.0"

func main() { serve.Main(plugins()...) }

func plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{
			Kind: connectors.KindSource, Class: "example.LineSource", TaskClass: "example.LineSourceTask", Version: version,
			Config: sourceConfig, NewSource: func() connectors.Source { return &source{} },
		},
		{
			Kind: connectors.KindSink, Class: "example.LineSink", TaskClass: "example.LineSinkTask", Version: version,
			Config: sinkConfig, NewSink: func() connectors.Sink { return &sink{} },
		},
	}
}

func key(name, doc string) connectors.ConfigKey {
	return connectors.ConfigKey{Name: name, Type: connectors.ConfigString, Required: true, Importance: connectors.High, Doc: doc,
		Validator: connectors.NonEmpty()}
}
