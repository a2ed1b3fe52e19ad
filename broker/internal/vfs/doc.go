// Package vfs is the narrow file-system interface under the broker's logs, with two implementations.
//
// [OS] is the real one. [Mem] keeps everything in memory, knows what a crash of the machine would leave behind (only
// what was synced, directory entries included), can end the world at any operation, and fails operations on demand with
// ENOSPC, EIO or any other error. The log uses nothing but this interface, so every place where it touches the disk is
// a place where a test can crash it.
//
// Start at vfs.go for the interface; os.go and mem.go implement it.
package vfs
