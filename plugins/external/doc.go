// Package external runs sources and sinks in other processes: programs that lie on plugin.path and speak the protocol of
// plugins/external/proto over gRPC (github.com/hashicorp/go-plugin). Discover returns them as ordinary connectors.Plugin values.
//
// Only a program that a manifest beside it names is run, and only if its checksum is the manifest's. Each task has a process of its own
// unless the manifest says otherwise; a process that crashes, does not answer or takes too much memory ends, its task fails with an error that
// says so, and the runtime starts the task again. DESIGN.md has the format of manifests and the reasons.
//
// Files: manifest.go, discover.go (what may run); runner.go, limits_*.go, process.go (one process); supervisor.go (all of them);
// connector.go, task.go, source.go, sink.go (the plugins, as the runtime sees them); log.go (what programs print).
//
// # Limits
//
// Sources and sinks only. Memory is limited, and processes end with a worker that is killed, on Linux; elsewhere only programs made with
// plugins/serve end by themselves. A program may do what the worker's user may: a checksum keeps mistakes out, not malice.
package external
