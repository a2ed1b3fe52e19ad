// Package connectortest drives connectors as the runtime does and holds the contract that every source and sink must pass.
//
// Read first: Source and Sink, a running task with the fakes it is given; TestSource and TestSink, the contracts.
//
// Files: source.go and sink.go drive tasks, contract.go has the contracts, context.go the fakes, proxy.go a TCP proxy
// that cuts connections.
package connectortest
