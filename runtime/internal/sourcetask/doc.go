// Package sourcetask runs one source task: poll, transform, convert, produce, and commit what the log has.
//
// Polled records are cut into chunks. A chunk is the unit of everything that costs: its records lie in one slab, it takes its
// share of the task's budget before it is produced, its acknowledgements are counted without a lock, and one lock is taken
// when its last one comes. From then on its source offsets may be committed, as far as no older chunk of the same source
// partition is still under way, and its records go to the task's CommitRecords on a goroutine of its own.
//
//	task.go     Config, Task, the loop, stopping
//	chunk.go    polled records on their way into the log
//	tracker.go  which source offsets may be committed
//	commit.go   CommitRecords and the flush of offsets
//	budget.go   records and bytes under way
//	topics.go   topic.creation.*
package sourcetask
