// Package pipeline is what records pass between a connector and the log: transforms under predicates, converters, and the
// policy for records that fail there (errors.*), with its reporters: the log and the dead letter queue.
//
// Read first: Config and New, which builds a Pipeline for one task; Transform; Errors, the policy. A Pipeline belongs to the
// goroutine of its task. Nothing here allocates for a record that passes.
package pipeline
