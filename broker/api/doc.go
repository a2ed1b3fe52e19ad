// Package api answers the requests of the Kafka protocol. It decodes, calls the packages below, and encodes; it decides
// nothing about logs, metadata or groups.
//
// Read rows in versions.go (what is served), API.Dispatch (how a request begins) and Reply (how its answer ends) first.
// Each API has a file of its own, named with its key: 01_fetch.go. Its comment lists versions, behaviour and KIPs. To add
// one, write the handler and its row:
//
//   - now(handler) for a handler that has its answer when it returns. It runs on the connection's goroutine, which does
//     nothing else meanwhile;
//   - later(handler) for one whose answer may have to wait: it returns Call.Now(response), or a Promise from Call.Promise
//     that somebody Sets later. No goroutine waits for it.
//
// A handler may keep what is in its request. Its ctx ends with the connection.
//
// errors.go has the one mapping from the errors of the packages below to Kafka's codes. Answers are made with kmsg, apart
// from Fetch, whose records must not be copied (fetch_encode.go; a test compares it with kmsg in every version).
package api
