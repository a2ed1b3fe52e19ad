package main

import (
	"context"
	"log/slog"

	"millrace/connectors"
	"millrace/connectors/activemq"
	"millrace/connectors/file"
	"millrace/connectors/mirror"
	"millrace/connectors/mqtt"
	"millrace/connectors/nats"
	"millrace/connectors/tools"
	"millrace/plugins"
	"millrace/plugins/clients"
	"millrace/plugins/converters"
	"millrace/plugins/converters/avro"
	"millrace/plugins/converters/jsonschema"
	"millrace/plugins/converters/protobuf"
	"millrace/plugins/external"
	"millrace/plugins/javaregex"
	"millrace/plugins/transforms"
	"millrace/runtime"
)

// wrapSource is nil in every build but that of the crash test's self-test.
var wrapSource func(connectors.Plugin) connectors.Plugin

// builtIn returns a registry of everything that is compiled in, for a worker.
func builtIn(worker runtime.Config) (*plugins.Registry, error) {
	registry := plugins.New()
	for _, list := range [][]connectors.Plugin{
		file.Limited(allowedFiles(worker)), activemq.Plugins(), mqtt.Plugins(), nats.Plugins(), mirror.Plugins(mirrors(worker)), tools.Plugins(), converters.Plugins(), transforms.Plugins(),
		avro.Plugins(), jsonschema.Plugins(), protobuf.Plugins(),
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

// addExternal adds the plugins of the programs in paths to registry. What cannot be used is logged and left out, so that one broken plugin
// does not keep a worker from starting. The programs run until the service that it starts ends.
func addExternal(ctx context.Context, all *services, registry *plugins.Registry, paths []string, log *slog.Logger) {
	if len(paths) == 0 {
		return
	}
	found, supervisor, problems := external.Discover(ctx, paths, log)
	all.start(ctx, "plugin programs", func(ctx context.Context) error {
		<-ctx.Done()
		return supervisor.Close()
	})
	for _, p := range problems {
		log.Error("plugin left out", "file", p.File, "err", p.Err)
	}
	for _, p := range found {
		if err := registry.Add(p); err != nil {
			log.Error("plugin left out", "class", p.Class, "err", err)
		}
	}
}

// mirrors makes clients of Kafka with the worker's mapping of settings; a cluster that is not named is the log that the worker uses.
func mirrors(worker runtime.Config) mirror.Environment {
	return mirror.Environment{
		Clients: clients.Config{
			Bootstrap: worker.Bootstrap, Dialer: worker.Dialer, Options: worker.Client, Worker: worker.Properties, Log: worker.Log.With("plugin", "mirror"),
		},
		Regex: func(pattern string) (func(string) bool, error) {
			r, err := javaregex.Compile(pattern)
			if err != nil {
				return nil, err
			}
			return r.MatchWhole, nil
		},
	}
}
