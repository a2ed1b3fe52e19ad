// Package runtime runs connectors: the Herder that owns their configurations, the worker that runs them, and the loops
// of source and sink tasks. It reaches the log through the Kafka protocol only.
//
// Read first: Config and ParseWorkerConfig, New and Runtime.Run, Herder; then DESIGN.md, which has the data flow, the invariants
// and the limits.
//
//	r, err := runtime.New(cfg, registry, validation.New(registry), levels)
//	go r.Run(ctx)
//	<-r.Ready()
//	r.Herder().CreateConnector(ctx, "lines", config, "")
//
// The parts below: runtime/state keeps configurations and statuses, runtime/assign and runtime/membership say who runs
// what, runtime/internal has the task loops. runtime/validation and runtime/loggers sit above and are passed in.
package runtime
