// Command bench measures a worker from outside, each figure next to the limit that the machine sets in the same run.
//
// Every figure is the median of several runs. CPU seconds are those of the whole process, client and server apart. A
// produce row says whether its acknowledgement means the page cache (flush.messages set to its maximum) or the disk
// (the default: one fdatasync for all that waits).
package main
