package kafkatest

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for a process.
const patience = time.Minute

// jars returns the folder of Apache Kafka's jars.
func jars(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("the test runs outside of its module")
	}
	dir = filepath.Join(dir, ".cache", "kafka")
	found, err := filepath.Glob(filepath.Join(dir, "kafka_*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = exec.LookPath("java")
	switch {
	case err == nil && len(found) > 0:
		return dir
	case os.Getenv("CI") != "":
		t.Fatal("java or Apache Kafka's jars are missing; run: make peers")
	default:
		t.Skip("java or Apache Kafka's jars are missing; run: make peers")
	}
	return ""
}

// java prepares a Java program with Apache Kafka's jars.
func java(t testing.TB, dir string, properties []string, class string, args ...string) *exec.Cmd {
	t.Helper()
	all := append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}, properties...)
	all = append(all, "-cp", filepath.Join(jars(t), "*"), class)
	cmd := exec.Command("java", append(all, args...)...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a program to its end.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// A process is a program that runs until it is stopped.
type process struct {
	cmd  *exec.Cmd
	out  lockedBuffer
	done chan struct{}
	err  error // valid when done is closed
}

func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(t, syscall.SIGKILL) })
	return p
}

// stop sends a signal and waits for the end.
func (p *process) stop(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Errorf("%s does not end; it says\n%s", p.cmd.Args[0], p.out.String())
	}
}

// await polls ready until it is true or the process has ended.
func (p *process) await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ready() {
		select {
		case <-tick.C:
		case <-p.done:
			t.Fatalf("%s ended: %v\n%s", what, p.err, p.out.String())
		case <-deadline:
			t.Fatalf("%s is not ready; it says\n%s", what, p.out.String())
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// freePorts returns addresses that nobody listens at.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	return addresses
}
