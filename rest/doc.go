// Package rest serves Kafka Connect's REST API over a Herder: decode, call, encode, and nothing else.
//
// Read Server first (server.go), then the table in routes.go. A request passes path.go, which refuses and rewrites paths as
// Connect's server does, then gin (router.go), then negotiate.go (415 and 406), auth.go (401), then its handler: connectors.go, tasks.go, offsets.go, plugins.go,
// loggers.go, root.go, internal.go, one file per resource. body.go reads JSON with Jackson's strictness; errors.go turns every error into an
// answer, nobody else does. cors.go and headers.go add headers when configured. openapi.go describes the table (about.go has its words);
// tls.go and fresh.go are https listeners whose files may be renewed.
//
// Limits: a body may have Config.MaxBody bytes, a call to the Herder may take Config.RequestTimeout. Forwarding to
// another worker is not here yet. DESIGN.md lists where answers differ from Apache Kafka Connect's.
package rest
