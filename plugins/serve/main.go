package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"millrace/connectors"
	"millrace/plugins/external/proto"
	"millrace/plugins/external/wire"
)

// Main serves plugins until the worker ends the program, and does not return. Started by hand the program explains itself and
// exits with 1.
func Main(plugins ...connectors.Plugin) {
	s, err := newServer(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})), plugins)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue {
		go exitWithParent(os.Getppid())
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake,
		Plugins:         plugin.PluginSet{wire.Name: &service{server: s}},
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(wire.MaxMessage), grpc.MaxSendMsgSize(wire.MaxMessage))...)
		},
	})
	os.Exit(0)
}

// exitWithParent ends the program when the worker that started it was killed.
func exitWithParent(parent int) {
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(1)
		}
	}
}

// service is the server as go-plugin wants it.
type service struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (s *service) GRPCServer(_ *plugin.GRPCBroker, r *grpc.Server) error {
	proto.RegisterPluginServer(r, s.server)
	return nil
}

func (s *service) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin program is no host")
}

type server struct {
	proto.UnimplementedPluginServer
	plugins []connectors.Plugin
	byClass map[string]*connectors.Plugin
	log     *slog.Logger
}

func newServer(log *slog.Logger, plugins []connectors.Plugin) (*server, error) {
	s := &server{plugins: plugins, byClass: make(map[string]*connectors.Plugin, len(plugins)), log: log}
	for i := range plugins {
		p := &plugins[i]
		switch {
		case p.Class == "" || p.Config == nil:
			return nil, fmt.Errorf("plugin %q: Class and Config must be set", p.Class)
		case s.byClass[p.Class] != nil:
			return nil, fmt.Errorf("plugin %s: served twice", p.Class)
		case p.Kind == connectors.KindSource && p.NewSource != nil, p.Kind == connectors.KindSink && p.NewSink != nil:
			s.byClass[p.Class] = p
		default:
			return nil, fmt.Errorf("plugin %s: only sources and sinks with their constructor can be served, not a %s", p.Class, p.Kind)
		}
	}
	return s, nil
}

// lookup returns a class of a kind; any kind if it is empty.
func (s *server) lookup(class string, kind connectors.Kind) (*connectors.Plugin, error) {
	p := s.byClass[class]
	if p == nil || kind != "" && p.Kind != kind {
		return nil, fmt.Errorf("this program has no %s class %q", kind, class)
	}
	return p, nil
}

func (s *server) logger(start *proto.Start, task bool) *slog.Logger {
	log := s.log.With("connector", start.GetConnector())
	if task {
		log = log.With("task", start.GetTask())
	}
	return log
}

// guard calls f and turns a panic into an error, so that it fails a task and not the program.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}
