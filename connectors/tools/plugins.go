package tools

import (
	"maps"
	"os"
	"strconv"

	"millrace/connectors"
)

const (
	// version is the version of Apache Kafka whose connectors these are.
	version     = "4.3.1"
	classPrefix = "org.apache.kafka.connect.tools."
)

// stdout is shared by all tasks, so that their lines stay whole.
var stdout = &lines{w: os.Stdout}

// Plugins returns the descriptors of all connectors of the package.
func Plugins() []connectors.Plugin { return pluginsWritingTo(stdout) }

func pluginsWritingTo(out *lines) []connectors.Plugin {
	return []connectors.Plugin{
		sourcePlugin("MockSource", func() connectors.Source { return new(mockSource) }),
		sinkPlugin("MockSink", func() connectors.Sink { return new(mockSink) }),
		sourcePlugin("SchemaSource", func() connectors.Source {
			return &source{newTask: func() connectors.SourceTask { return &schemaSourceTask{out: out} }}
		}),
		sourcePlugin("VerifiableSource", func() connectors.Source {
			return &source{newTask: func() connectors.SourceTask { return &verifiableSourceTask{out: out} }}
		}),
		sinkPlugin("VerifiableSink", func() connectors.Sink { return &sink{out: out} }),
	}
}

func sourcePlugin(name string, make func() connectors.Source) connectors.Plugin {
	p := plugin(connectors.KindSource, name)
	p.NewSource = make
	return p
}

func sinkPlugin(name string, make func() connectors.Sink) connectors.Plugin {
	p := plugin(connectors.KindSink, name)
	p.NewSink = make
	return p
}

func plugin(kind connectors.Kind, name string) connectors.Plugin {
	return connectors.Plugin{
		Kind: kind, Version: version, Config: connectors.NewConfigDef(),
		Class: classPrefix + name + "Connector", TaskClass: classPrefix + name + "Task",
	}
}

// numbered is what is the same in the connectors that make as many tasks as they may, each with its number as its id.
type numbered struct{ config map[string]string }

func (n *numbered) Start(_ connectors.ConnectorContext, config map[string]string) error {
	n.config = config
	return nil
}

func (n *numbered) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = make(map[string]string, len(n.config)+1)
		maps.Copy(configs[i], n.config)
		configs[i][keyID] = strconv.Itoa(i)
	}
	return configs, nil
}

func (n *numbered) Stop() error { return nil }

// source is VerifiableSource and SchemaSource.
type source struct {
	numbered
	newTask func() connectors.SourceTask
}

func (s *source) NewTask() connectors.SourceTask { return s.newTask() }

// sink is VerifiableSink.
type sink struct {
	numbered
	out *lines
}

func (s *sink) NewTask() connectors.SinkTask { return &verifiableSinkTask{out: s.out} }
