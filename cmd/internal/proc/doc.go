// Package proc runs the millrace binary as an operator would, for tests and measurements from outside: start, wait until
// it answers, kill, read its CPU time and memory.
package proc
