package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"millrace/broker/api"
)

// Server accepts connections and answers the requests on them.
//
// Use: New, Listen, Run. DialContext works while Run runs.
type Server struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	limiter lineLimiter
	memory  *requestMemory

	listeners []*listener

	running  chan struct{} // closed when Run has begun
	stopping atomic.Bool
	stopped  chan struct{} // closed when stopping is set

	mu      sync.Mutex
	serving context.Context // what connections live in; nil before Run and after
	conns   map[*conn]struct{}
	perIP   map[string]int
	wg      sync.WaitGroup
	dialed  int // in-memory connections so far, to name them
}

// listener is a bound Listener.
type listener struct {
	Listener
	nl         net.Listener
	advertised Endpoint
}

// Endpoint is a listener's address as clients are told.
type Endpoint struct {
	Listener string
	Host     string
	Port     uint16
}

func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// New returns a server that listens nowhere yet.
func New(cfg Config) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger,
		running: make(chan struct{}),
		stopped: make(chan struct{}),
		conns:   make(map[*conn]struct{}),
		perIP:   make(map[string]int),
		memory:  newRequestMemory(cfg.QueuedMaxRequestBytes),
	}
	s.metrics = newMetrics(cfg.Registerer)
	return s
}

// Listen binds every listener, or none. An address in use is an error that says what to do.
func (s *Server) Listen(ctx context.Context) error {
	for _, l := range s.cfg.Listeners {
		nl, err := s.cfg.Listen(ctx, "tcp", l.Address)
		if err != nil {
			s.closeListeners()
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("listener %s %s: %w; stop the other program or set listeners to a free port", l.Name, l.Address, syscall.EADDRINUSE)
			}
			return fmt.Errorf("listener %s %s: %w", l.Name, l.Address, err)
		}
		bound := &listener{Listener: l, nl: nl}
		s.listeners = append(s.listeners, bound)
		if bound.advertised, err = advertised(ctx, l, nl.Addr()); err != nil {
			s.closeListeners()
			return err
		}
	}
	return nil
}

// advertised completes a listener's advertised address with what was bound. A listener for all interfaces that nobody said more
// about is advertised under the host's name, as Apache Kafka does: clients cannot connect to "all interfaces".
func advertised(ctx context.Context, l Listener, bound net.Addr) (Endpoint, error) {
	address := l.Advertised
	if address == "" {
		address = l.Address
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Endpoint{}, fmt.Errorf("listener %s: address %q: %w", l.Name, address, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Endpoint{}, fmt.Errorf("listener %s: address %q: port must be 0 to 65535", l.Name, address)
	}
	if tcp, ok := bound.(*net.TCPAddr); ok && n == 0 {
		n = uint64(tcp.Port)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = hostName(ctx)
	}
	return Endpoint{Listener: l.Name, Host: host, Port: uint16(n)}, nil
}

// hostName is this host's name if it can be looked up, else localhost.
func hostName(ctx context.Context) string {
	const lookup = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	if _, err := net.DefaultResolver.LookupHost(ctx, name); err != nil {
		return "localhost"
	}
	return name
}

// Endpoints are the advertised addresses, with the ports that Listen got.
func (s *Server) Endpoints() []Endpoint {
	var out []Endpoint
	for _, l := range s.listeners {
		out = append(out, l.advertised)
	}
	return out
}

// Addrs are the addresses listened at, in the order of the configuration.
func (s *Server) Addrs() []net.Addr {
	var out []net.Addr
	for _, l := range s.listeners {
		out = append(out, l.nl.Addr())
	}
	return out
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		if err := l.nl.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn("listener was not closed cleanly", "listener", l.Name, "err", err)
		}
	}
}

// Running is closed when Run has begun: DialContext works.
func (s *Server) Running() <-chan struct{} { return s.running }

// Run serves until ctx ends, then stops within about Config.ShutdownTimeout: acknowledgements under way are still written.
// Nothing it started runs when it returns. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	serving, hardStop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hardStop(errStopped)
	s.mu.Lock()
	s.serving = serving
	s.mu.Unlock()
	close(s.running)

	g, ctx := errgroup.WithContext(ctx)
	for _, l := range s.listeners {
		g.Go(func() error { return s.accept(ctx, l) })
	}
	g.Go(func() error {
		s.closeIdle(ctx)
		s.closeListeners() // ends accept
		return nil
	})
	err := g.Wait()
	s.stop(hardStop)
	return err
}

// stop ends all connections: those that are reading at once, the others when their acknowledgements have left or time is up.
func (s *Server) stop(hardStop context.CancelCauseFunc) {
	s.mu.Lock()
	s.serving = nil
	s.stopping.Store(true)
	close(s.stopped)
	for c := range s.conns {
		// A failure means that the connection is closed already.
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()

	timer := time.AfterFunc(s.cfg.ShutdownTimeout+s.cfg.ShutdownTimeout/4, func() {
		hardStop(errStopped)
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			_ = c.nc.Close() // as above
		}
	})
	s.wg.Wait()
	timer.Stop()
}

// accept takes connections from one listener until ctx ends.
func (s *Server) accept(ctx context.Context, l *listener) error {
	const longestPause = time.Second
	pause := time.Duration(0)
	for {
		nc, err := l.nl.Accept()
		if err == nil {
			pause = 0
			s.tune(nc)
			s.start(nc, l.Name)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		// Out of file descriptors, most likely: connections that end make room.
		pause = min(max(2*pause, 10*time.Millisecond), longestPause)
		if n, ok := s.limiter.allow("accept"); ok {
			s.log.Error("connections cannot be accepted", "listener", l.Name, "err", err, "suppressed", n)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) tune(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	var errs []error
	if n := s.cfg.ReceiveBuffer; n > 0 {
		errs = append(errs, tcp.SetReadBuffer(n))
	}
	if n := s.cfg.SendBuffer; n > 0 {
		errs = append(errs, tcp.SetWriteBuffer(n))
	}
	if err := errors.Join(errs...); err != nil {
		s.log.Debug("socket buffers were not set", "err", err)
	}
}

// start serves nc on a goroutine of its own, or closes it if there are too many connections or the server stops.
func (s *Server) start(nc net.Conn, listener string) {
	s.mu.Lock()
	if s.serving == nil {
		s.mu.Unlock()
		_ = nc.Close() // nothing was exchanged yet
		return
	}
	c := newConn(s.serving, s, nc, listener)
	_, inMemory := nc.(*memConn)
	full := !inMemory && (s.cfg.MaxConnections > 0 && len(s.conns) >= s.cfg.MaxConnections ||
		s.cfg.MaxConnectionsPerIP > 0 && s.perIP[c.ip] >= s.cfg.MaxConnectionsPerIP)
	if !full {
		s.conns[c] = struct{}{}
		s.perIP[c.ip]++
		s.wg.Add(1)
	}
	s.mu.Unlock()
	if full {
		_ = nc.Close() // nothing was exchanged yet
		c.cancel(nil)
		s.metrics.refused.Inc()
		if n, ok := s.limiter.allow("full"); ok {
			s.log.Warn("connection refused: max.connections or max.connections.per.ip reached", "client", c.ip, "suppressed", n)
		}
		return
	}
	s.metrics.connections.Inc()
	go func() {
		defer s.wg.Done()
		defer s.end(c)
		s.report(c, c.serve())
	}()
}

func (s *Server) end(c *conn) {
	c.cancel(nil)
	s.metrics.connections.Dec()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
		delete(s.perIP, c.ip)
	}
}

// report logs why a connection ended, if that says something about the client.
func (s *Server) report(c *conn, err error) {
	if err == nil {
		return
	}
	fields := []any{"client", c.ip, "listener", c.client.Listener}
	if c.client.SoftwareName != "" {
		fields = append(fields, "software", c.client.SoftwareName+" "+c.client.SoftwareVersion)
	}
	fields = append(fields, "err", err)
	kind, level := "request", slog.LevelWarn
	if version, ok := errors.AsType[*api.VersionError](err); ok {
		kind = fmt.Sprintf("version %d %d", version.Key, version.Version)
	} else if _, ok := errors.AsType[*errFrame](err); ok {
		kind = "frame"
	} else if errors.Is(err, errIdle) || isNetwork(err) {
		kind, level = "network", slog.LevelDebug
	}
	if level > slog.LevelDebug {
		s.metrics.errors.Inc()
	}
	if n, ok := s.limiter.allow(kind); ok {
		if n > 0 {
			fields = append(fields, "suppressed", n)
		}
		s.log.Log(context.Background(), level, "connection closed", fields...)
	}
}

// isNetwork reports whether err is the client's going away in a less than orderly manner.
func isNetwork(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// errIdle ends a connection that has been idle for connections.max.idle.ms.
var errIdle = errors.New("idle for too long")

// closeIdle closes idle connections until ctx ends.
func (s *Server) closeIdle(ctx context.Context) {
	if s.cfg.IdleTimeout < 0 {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(max(s.cfg.IdleTimeout/8, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.mu.Lock()
			for c := range s.conns {
				if c.idle(now.Add(-s.cfg.IdleTimeout)) {
					c.cancel(errIdle)
					_ = c.nc.Close() // it ends either way
				}
			}
			s.mu.Unlock()
		}
	}
}

// DialContext connects to address: in memory if it is one that this server advertises, else over the network. It has the
// shape of net.Dialer.DialContext. While the server does not run, its own addresses refuse the connection.
func (s *Server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	for _, l := range s.listeners {
		if l.advertised.String() == address {
			return s.dialMemory(l)
		}
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func (s *Server) dialMemory(l *listener) (net.Conn, error) {
	s.mu.Lock()
	running := s.serving != nil
	s.dialed++
	n := s.dialed
	s.mu.Unlock()
	if !running {
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: memAddr(l.advertised.String()), Err: syscall.ECONNREFUSED}
	}
	client, server := newMemConn(memAddr(net.JoinHostPort(s.cfg.MemoryHost, strconv.Itoa(n))), memAddr(l.advertised.String()))
	s.start(server, l.Name)
	return client, nil
}
