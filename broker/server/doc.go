// Package server carries Kafka protocol frames between connections and the request handlers of package api.
//
// Read Server (listeners and lifecycle), conn (one connection's loop) and memConn (the connection of clients in the same
// process) in that order.
//
// Each connection has one reader goroutine. It reads a frame, checks its size before anything is allocated, and starts the
// request through api.Dispatcher on its own stack, so requests of a connection begin in the order they arrived. An answer
// that is there at once is written by the reader itself. An answer that must wait (a Produce until its bytes are on the
// disk, a Fetch until there are bytes) goes into the connection's queue, which a writer goroutine empties in order. While
// Produce answers are in the queue the reader goes on with further Produce requests; anything else waits until the
// answers before it have left, as on Apache Kafka.
//
// Limits: plaintext only; one queue of at most Config.MaxInFlight answers per connection; no fairness between connections
// beyond the scheduler's.
package server
