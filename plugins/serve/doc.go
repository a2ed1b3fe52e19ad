// Package serve makes a Go program a plugin program of Millrace: it exports ordinary connectors.Plugin values to a worker that
// runs in another process.
//
//	func main() { serve.Main(weather.Source(), weather.Sink()) }
//
// The program is built, put into a folder of the worker's plugin.path, and named by a manifest beside it;
// plugins/external/DESIGN.md has the format. Connectors behave as compiled-in ones do. Everything they are given works, but for
// what cannot cross a process border: RequestTaskReconfiguration and RaiseError arrive a moment later. What they log with their Logger
// appears in the worker's log; so does what the program writes to standard error, line by line. Standard output is not to be used.
//
// Files: main.go (the program), describe.go (unary calls), connector.go, source.go, sourceloop.go, sink.go, sinkcontext.go
// (one stream each), log.go.
//
// # Limits
//
// Sources and sinks only: converters, transforms and predicates are not served.
package serve
