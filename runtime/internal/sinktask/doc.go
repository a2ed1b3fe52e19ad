// Package sinktask runs one sink task: consume, convert, transform, put, and commit what the task says is safe.
//
// Everything the task sees happens on one goroutine, Run's: calls of the task, polls, commits, and also the opening and closing of
// partitions, which the consumer asks for from a goroutine of its own. Such a request interrupts the poll, is served between
// two steps, and the consumer waits for it: a revoked partition is flushed and committed before another member has it.
//
// While a task is paused, or waits to put a batch again, it is not polled: the consumer's heartbeat goes on by itself.
//
//	task.go        Config, Task, Run, requests from outside
//	loop.go        the loop: poll, convert, put
//	partitions.go  open, close, offsets of the assigned partitions
//	commit.go      preCommit or flush, then the commit of offsets
//	context.go     what the task is given
//	deadletter.go  the dead letter queue
package sinktask
