package external

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// maxHandshake bounds the first line of a program's standard output.
const maxHandshake = 4096

// processRunner runs a program for go-plugin: in a process group of its own, which is killed as a whole, with standard input empty and
// standard output dropped after the handshake.
type processRunner struct {
	program *program
	cmd     *exec.Cmd
	stdout  io.ReadCloser
	stderr  io.ReadCloser
	exited  chan struct{} // closed when the process was waited for

	mu     sync.Mutex
	reason string // why it was killed
	state  string // how it ended
	ended  bool
}

var _ runner.Runner = (*processRunner)(nil)

// newRunner prepares the program; spec has the environment that go-plugin adds.
func newRunner(p *program, spec *exec.Cmd) (*processRunner, error) {
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir = filepath.Dir(p.path)
	cmd.Env = append(p.environment(), spec.Env...)
	cmd.SysProcAttr = isolated()
	cmd.WaitDelay = time.Second
	r := &processRunner{program: p, cmd: cmd, exited: make(chan struct{})}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.stdout = &firstLine{Closer: out, r: bufio.NewReader(out)}
	r.stderr, err = cmd.StderrPipe()
	return r, err
}

// Start implements runner.Runner.
func (r *processRunner) Start(context.Context) error {
	if err := r.program.verify(); err != nil {
		return err
	}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	if err := limit(r.cmd.Process.Pid, r.program.maxMemory); err != nil {
		r.kill("")
		return errors.Join(err, r.cmd.Wait())
	}
	return nil
}

// Wait implements runner.Runner.
func (r *processRunner) Wait(context.Context) error {
	err := r.cmd.Wait()
	r.mu.Lock()
	r.ended, r.state = true, "exit status 0"
	if err != nil {
		r.state = err.Error()
	}
	r.mu.Unlock()
	close(r.exited)
	return err
}

// Kill implements runner.Runner.
func (r *processRunner) Kill(context.Context) error {
	r.kill("")
	return nil
}

// kill ends the process and those it has started; the first reason is remembered.
func (r *processRunner) kill(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason == "" {
		r.reason = reason
	}
	if r.cmd.Process != nil && !r.ended {
		killGroup(r.cmd.Process.Pid)
		// A process that has left the group may hold the pipes; nobody waits for it.
		time.AfterFunc(closePatience, func() {
			_ = errors.Join(r.stdout.Close(), r.stderr.Close()) // they are usually closed by then
		})
	}
}

// end says how the process ended.
func (r *processRunner) end() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason != "" {
		return r.reason
	}
	return "ended with " + r.state
}

// ID implements runner.Runner.
func (r *processRunner) ID() string {
	if r.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(r.cmd.Process.Pid)
}

// Name implements runner.Runner.
func (r *processRunner) Name() string { return r.program.path }

// Stdout implements runner.Runner.
func (r *processRunner) Stdout() io.ReadCloser { return r.stdout }

// Stderr implements runner.Runner.
func (r *processRunner) Stderr() io.ReadCloser { return r.stderr }

// Diagnose implements runner.Runner.
func (r *processRunner) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner.
func (r *processRunner) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" && !strings.HasPrefix(address, "127.0.0.1:") {
		return "", "", fmt.Errorf("the program listens at %s %q; only Unix sockets and 127.0.0.1 are allowed", network, address)
	}
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (r *processRunner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// firstLine gives the first line of a stream and drops the rest, so that a program that prints to its standard output neither
// confuses the handshake nor blocks.
type firstLine struct {
	io.Closer
	r    *bufio.Reader
	line []byte
	read bool
}

func (f *firstLine) Read(p []byte) (int, error) {
	if !f.read {
		f.read = true
		for len(f.line) < maxHandshake && (len(f.line) == 0 || f.line[len(f.line)-1] != '\n') {
			c, err := f.r.ReadByte()
			if err != nil {
				break
			}
			f.line = append(f.line, c)
		}
		if n := len(f.line); n > 0 && f.line[n-1] != '\n' {
			f.line = append(f.line, '\n')
		}
	}
	if len(f.line) > 0 {
		n := copy(p, f.line)
		f.line = f.line[n:]
		return n, nil
	}
	if _, err := io.Copy(io.Discard, f.r); err != nil {
		return 0, err
	}
	return 0, io.EOF
}
