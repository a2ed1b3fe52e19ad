// Package membership says who is in the group of workers and what each of them runs. Solo is the group of one: a
// standalone worker, or a distributed one until groups are spoken.
package membership
