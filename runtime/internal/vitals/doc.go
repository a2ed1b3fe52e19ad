// Package vitals keeps the accounts of one life of a task: where its records are, and what waits for how long. Both kinds of tasks
// enter batches, never single records.
package vitals
