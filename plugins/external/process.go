package external

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

const (
	startTimeout  = 30 * time.Second
	memoryPeriod  = 250 * time.Millisecond
	exitPatience  = time.Second     // for the exit status of a process whose stream broke
	closePatience = 2 * time.Second // for a process that was asked to end
)

// A process is a running program. Streams on it are started with plugin.
type process struct {
	program *program
	client  *plugin.Client
	runner  *processRunner
	plugin  proto.PluginClient
	log     *slog.Logger
	began   time.Time
	watched chan struct{} // closed when watch has ended
}

// startProcess verifies and starts a program, and waits for its handshake.
func startProcess(p *program, log *slog.Logger) (*process, error) {
	proc := &process{program: p, began: time.Now(), watched: make(chan struct{})}
	lines := &lineLogger{log: log}
	proc.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		Plugins:          plugin.PluginSet{wire.Name: &hostSide{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     min(startTimeout, p.timeout),
		Logger:           hclog.NewNullLogger(),
		Stderr:           lines,
		SyncStdout:       &lineLogger{log: log},
		SyncStderr:       &lineLogger{log: log},
		SkipHostEnv:      true,
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage))},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			r, err := newRunner(p, spec)
			if err != nil {
				return nil, err
			}
			proc.runner = r
			return r, nil
		},
	})
	if err := proc.connect(); err != nil {
		// Kill hangs on a program that never answers, unless that is dead already.
		if proc.runner != nil {
			proc.runner.kill("")
		}
		proc.client.Kill()
		return nil, fmt.Errorf("plugin %s: start: %w", p.file, err)
	}
	proc.log = log.With("pid", proc.runner.ID())
	go proc.watch()
	return proc, nil
}

func (p *process) connect() error {
	client, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := client.Dispense(wire.Name)
	if err != nil {
		return err
	}
	p.plugin = raw.(proto.PluginClient)
	return nil
}

// hostSide is go-plugin's view of the service.
type hostSide struct{ plugin.NetRPCUnsupportedPlugin }

func (*hostSide) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a worker is no plugin")
}

func (*hostSide) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return proto.NewPluginClient(conn), nil
}

// watch kills the process when it takes more memory than it may.
func (p *process) watch() {
	defer close(p.watched)
	if p.program.maxMemory <= 0 {
		<-p.runner.exited
		return
	}
	ticker := time.NewTicker(memoryPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-p.runner.exited:
			return
		case <-ticker.C:
		}
		if used := memoryOf(p.runner.cmd.Process.Pid); used > p.program.maxMemory {
			p.kill(fmt.Sprintf("used %d MiB of memory, its limit is %d, and was killed", used>>20, p.program.maxMemory>>20))
		}
	}
}

// kill ends the process at once; reason completes the sentence "process 12 ...".
func (p *process) kill(reason string) {
	p.log.Warn("killing plugin process", "reason", reason)
	p.runner.kill(reason)
}

// close ends the process, gently if it listens, and waits for it.
func (p *process) close() {
	timer := time.AfterFunc(closePatience, func() { p.runner.kill("did not end when asked and was killed") })
	defer timer.Stop()
	p.client.Kill()
	<-p.runner.exited
	<-p.watched
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.runner.exited:
		return false
	default:
		return true
	}
}

// within calls f, and kills the process if that takes longer than the manifest allows.
func (p *process) within(what string, f func() error) error {
	timer := time.AfterFunc(p.program.timeout, func() { p.hung(what) })
	defer timer.Stop()
	return p.explain(f())
}

func (p *process) hung(what string) {
	p.kill(fmt.Sprintf("did not answer %s within %v and was killed", what, p.program.timeout))
}

// explain turns the error of a stream into one that says what happened to the process, if it is that.
func (p *process) explain(err error) error {
	if err == nil {
		return nil
	}
	if a, ok := errors.AsType[*answered](err); ok {
		return a.error
	}
	timer := time.NewTimer(exitPatience)
	defer timer.Stop()
	select {
	case <-p.runner.exited:
		return fmt.Errorf("plugin %s: process %s %s", p.program.file, p.runner.ID(), p.runner.end())
	case <-timer.C:
		return fmt.Errorf("plugin %s: process %s: %w", p.program.file, p.runner.ID(), err)
	}
}

// answered is an error that the plugin answered with, or one of the caller: it says nothing about the process.
type answered struct{ error }

func (e *answered) Unwrap() error { return e.error }
