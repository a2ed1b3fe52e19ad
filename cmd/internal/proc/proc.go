package proc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tags are those of the Makefile: they leave out what costs memory and nothing here uses.
const tags = "nomsgpack,grpcnotrace"

// Build builds pkg, such as millrace/cmd/millrace, into dir with further flags of go build, and returns the binary's path.
func Build(ctx context.Context, pkg, dir string, flags ...string) (string, error) {
	bin := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-tags", tags, "-o", bin}, flags, []string{pkg})...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return bin, nil
}

// A Worker is a worker, standalone unless it has a File, that can be started again and again on the same data. Its addresses stay.
type Worker struct {
	Bin   string
	Dir   string
	Kafka string // host:port of the log
	REST  string // host:port of the REST API
	// Bootstrap is the log to run on, as host:port; "" is the worker's own. Before Start.
	Bootstrap string
	// File is the worker file of a distributed worker; what else is here goes before it. Before Start.
	File   string
	Extra  []string
	Env    []string // beside this process's own
	Stderr io.Writer

	cmd   *exec.Cmd
	done  chan struct{}
	watch *lineWatch
}

// NewWorker returns a worker on free loopback ports with its data in dir. It is not started.
func NewWorker(bin, dir string, extra ...string) (*Worker, error) {
	w := &Worker{Bin: bin, Dir: dir, Extra: extra, Stderr: io.Discard}
	for _, addr := range []*string{&w.Kafka, &w.REST} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // when both are taken, so that they differ
		*addr = l.Addr().String()
	}
	return w, nil
}

// Start starts the process and returns at once.
func (w *Worker) Start() error {
	args := []string{"standalone"}
	if w.File != "" {
		args = []string{"distributed", w.File}
	}
	args = append(args, "--set", "listeners=http://"+w.REST, "--set", "offset.flush.interval.ms=1000")
	if w.Bootstrap != "" {
		args = append(args, "--set", "bootstrap.servers="+w.Bootstrap)
	} else {
		args = append(args, "--set", "broker.listeners=PLAINTEXT://"+w.Kafka, "--set", "broker.log.dirs="+w.Dir)
	}
	w.cmd = exec.Command(w.Bin, append(args, w.Extra...)...)
	w.cmd.Env = append(os.Environ(), w.Env...)
	w.watch = &lineWatch{next: w.Stderr}
	w.cmd.Stderr = w.watch
	w.cmd.Stdout = w.watch
	if err := w.cmd.Start(); err != nil {
		return err
	}
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		_ = w.cmd.Wait() // how it ended is asked by the process state
	}()
	return nil
}

// Ready waits until the REST API answers.
func (w *Worker) Ready(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.REST+"/connectors", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-w.done:
			return fmt.Errorf("millrace ended before it was ready: %s\n%s", w.cmd.ProcessState, w.watch.tail())
		case <-ctx.Done():
			return fmt.Errorf("millrace is not ready: %w\n%s", ctx.Err(), w.watch.tail())
		}
	}
}

// Ended waits until the process has ended by itself.
func (w *Worker) Ended(ctx context.Context) error {
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Killed returns an error if the process that has ended was not ended by SIGKILL.
func (w *Worker) Killed() error {
	if status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return nil
	}
	return fmt.Errorf("millrace ended by itself: %s\n%s", w.cmd.ProcessState, w.watch.tail())
}

// Logged waits until a line of the current process's output contains text, or ctx ends.
func (w *Worker) Logged(ctx context.Context, text string) error { return w.watch.wait(ctx, text) }

// Kill ends the process with SIGKILL and waits for its end.
func (w *Worker) Kill() error { return w.signal(syscall.SIGKILL) }

// Pause makes the process stand still with SIGSTOP until Continue.
func (w *Worker) Pause() error { return w.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (w *Worker) Continue() error { return w.cmd.Process.Signal(syscall.SIGCONT) }

// Stop ends the process with SIGTERM and waits for its end; it says how long that took.
func (w *Worker) Stop() (time.Duration, error) {
	begin := time.Now()
	err := w.signal(syscall.SIGTERM)
	return time.Since(begin), err
}

func (w *Worker) signal(s syscall.Signal) error {
	if w.cmd == nil || w.cmd.Process == nil {
		return nil
	}
	if err := w.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-w.done
	return nil
}

// ExitCode returns the code of the ended process, -1 if a signal ended it.
func (w *Worker) ExitCode() int { return w.cmd.ProcessState.ExitCode() }

// CPU returns the user and system time that the process has used.
func (w *Worker) CPU() (time.Duration, error) { return CPU(w.cmd.Process.Pid) }

// RSS returns the resident memory of the process in bytes.
func (w *Worker) RSS() (int64, error) { return RSS(w.cmd.Process.Pid) }

// CPU returns the user and system time of a process and its threads.
func CPU(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command in parentheses may hold blanks; utime and stime are the 12th and 13th field behind it.
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: too few fields", pid)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil // USER_HZ is 100 on Linux
}

// PeakRSS returns the most resident memory in bytes that the process has had since ResetPeak, or since its start.
func (w *Worker) PeakRSS() (int64, error) { return PeakRSS(w.Pid()) }

// ResetPeak makes PeakRSS count from now.
func (w *Worker) ResetPeak() error { return ResetPeak(w.Pid()) }

// Pid is the process.
func (w *Worker) Pid() int { return w.cmd.Process.Pid }

// PeakRSS returns the most resident memory in bytes that a process has had since ResetPeak, or since its start.
func PeakRSS(pid int) (int64, error) { return statusBytes(pid, "VmHWM:") }

// ResetPeak makes PeakRSS count from now.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// RSS returns the resident memory of a process in bytes.
func RSS(pid int) (int64, error) { return statusBytes(pid, "VmRSS:") }

func statusBytes(pid int, key string) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if kb, ok := strings.CutPrefix(s.Text(), key); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(kb, "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, key)
}

// A lineWatch passes output on, keeps its end and wakes those who wait for a text.
type lineWatch struct {
	next io.Writer

	mu      sync.Mutex
	kept    []byte
	changed chan struct{}
}

const keep = 16 << 10

func (l *lineWatch) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - keep; over > 0 {
		l.kept = append(l.kept[:0], l.kept[over:]...)
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	l.mu.Unlock()
	return l.next.Write(p)
}

func (l *lineWatch) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}

func (l *lineWatch) wait(ctx context.Context, text string) error {
	for {
		l.mu.Lock()
		found := bytes.Contains(l.kept, []byte(text))
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
