package external

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolated puts a process into a group of its own and has the kernel kill it when the worker dies.
func isolated() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int) {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
		// No such group: the process has not got so far, or all of it is gone.
		_ = syscall.Kill(pid, syscall.SIGKILL) // the same
	}
}

// mappedUnused is what a program maps and does not touch: stacks of threads, arenas of allocators.
const mappedUnused = 512 << 20

// limit makes the kernel refuse more than about twice the allowed memory, for what grows faster than it is looked at, and choose the
// process before the worker when the machine runs out.
func limit(pid int, memory int64) error {
	// Not being allowed to says nothing about the plugin.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0)
	if memory <= 0 {
		return nil
	}
	most := uint64(memory)*2 + mappedUnused
	bound := unix.Rlimit{Cur: most, Max: most}
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &bound, nil); err != nil {
		return fmt.Errorf("limit its memory: %w", err)
	}
	return nil
}

// memoryOf returns the resident memory of a process in bytes, 0 if it is gone.
func memoryOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
