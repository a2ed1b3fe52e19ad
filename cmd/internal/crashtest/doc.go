// Package crashtest kills a worker with SIGKILL while sequence-numbered records move through it, restarts it, and counts
// what got lost or came twice.
//
// A Flow is a way through the worker: something that is fed, connectors, something that is read. Run feeds it, keeps a
// backlog in front of the worker so that every kill hits it at work, and kills it once while it recovers from the kill before.
package crashtest
