// Package topiclog is a compacted topic used as a table: read to its end, then tailed. Source offsets, configs and statuses of
// connectors are kept in one each.
//
// A Log is opened (which creates the topic compacted, or checks that it is, and reads it to its end), then tailed by Run.
// Every record goes through Config.Apply once, in the order of its partition, called from one goroutine at a time; our own
// records come back that way too, and Append returns after that. A topic whose cleanup.policy is not exactly compact is refused:
// its records would vanish with time.
package topiclog
