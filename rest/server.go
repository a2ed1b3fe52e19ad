package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"millrace/connectors"
	"millrace/runtime"
)

// A Server serves the REST API of a worker.
type Server struct {
	config  Config
	herder  runtime.Herder
	log     *slog.Logger
	metrics prometheus.Gatherer
	headers []headerRule
	origins *origins
	users   *fresh[users] // nil: no credentials are asked for

	main, admin http.Handler

	mu        sync.Mutex
	listeners []listener // nil until Listen
}

type listener struct {
	net.Listener
	handler http.Handler
}

// New returns a Server over h. It neither listens nor starts anything. log and metrics may be nil: no log, no /metrics.
func New(c Config, h runtime.Herder, log *slog.Logger, metrics prometheus.Gatherer) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	rules, err := parseHeaderRules(c.ResponseHeaders)
	if err != nil {
		return nil, err
	}
	allowed, err := newOrigins(c.AllowOrigins)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: c, herder: h, log: log, metrics: metrics, headers: rules, origins: allowed}
	if c.hasBasicAuth() {
		s.users, err = newFresh("users", log, func() (users, []string, error) { return loadUsers(c.LoginConfig) })
		if err != nil {
			return nil, err
		}
	}
	s.main, s.admin = s.handler(s.mainRoutes(), s.users != nil), s.handler(s.adminRoutes(), false)
	return s, nil
}

// Handler serves what the main listeners serve.
func (s *Server) Handler() http.Handler { return s.main }

// AdminHandler serves what the admin listeners serve.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// Listen opens all listeners, so that a port in use is known before anything else starts. Run calls it if nobody has.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners != nil {
		return nil
	}
	var open []listener
	for _, group := range s.config.groups() {
		for _, address := range group.list {
			l, err := s.listen(ctx, group.key, address)
			if err == nil {
				open = append(open, l)
				continue
			}
			for _, o := range open {
				if cerr := o.Close(); cerr != nil {
					s.log.Warn("closing a listener failed", "err", cerr)
				}
			}
			return err
		}
	}
	s.listeners = open
	return nil
}

// listen opens a listener of the list that key names.
func (s *Server) listen(ctx context.Context, key, address string) (listener, error) {
	l := listener{handler: s.main}
	if key == adminListenersKey {
		l.handler = s.admin
	}
	at, https, err := listenAddress(address)
	if err != nil {
		return l, connectors.InvalidValue(key, address, err.Error())
	}
	var config *tls.Config
	if https {
		if config, err = s.config.tls[key].following(key, s.log); err != nil {
			return l, err
		}
	}
	if l.Listener, err = new(net.ListenConfig).Listen(ctx, "tcp", at); err != nil {
		return l, fmt.Errorf("REST API cannot listen at %s: %w; free the port or set %s", address, err, key)
	}
	if https {
		l.Listener = tls.NewListener(l.Listener, config)
	}
	return l, nil
}

// Addr returns host:port of the first listener, "" before Listen.
func (s *Server) Addr() string {
	if all := s.Addrs(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Addrs returns host:port of all listeners, those of the admin routes last.
func (s *Server) Addrs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]string, len(s.listeners))
	for i, l := range s.listeners {
		all[i] = l.Addr().String()
	}
	return all
}

// shutdownTimeout is how long requests may still take after Run was told to end.
const shutdownTimeout = 2 * time.Second

// Run serves until ctx ends, then finishes the requests under way, for at most two seconds.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	listeners := s.listeners
	s.mu.Unlock()
	failed := make(chan error, len(listeners))
	servers := make([]*http.Server, len(listeners))
	for i, l := range listeners {
		servers[i] = &http.Server{
			Handler:           l.handler,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
			WriteTimeout:      s.config.RequestTimeout + 30*time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		go func() { failed <- servers[i].Serve(l) }()
		s.log.Info("REST API listens", "address", l.Addr().String())
	}
	var err error
	running := len(servers)
	select {
	case <-ctx.Done():
	case err = <-failed:
		running--
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	for _, server := range servers {
		if serr := server.Shutdown(end); serr != nil {
			if cerr := server.Close(); cerr != nil {
				s.log.Debug("closing the REST server failed", "err", cerr)
			}
		}
	}
	for range running {
		if serr := <-failed; err == nil {
			err = serr
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func init() { gin.SetMode(gin.ReleaseMode) } // the only way to keep gin quiet; it says nothing to anybody else

// handler puts paths, headers and the access log around routes. With credentials, all but those between workers need them.
func (s *Server) handler(routes []route, credentials bool) http.Handler {
	engine := s.engine(routes, credentials)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		logged := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", logged.status,
				"remote", r.RemoteAddr, "ms", time.Since(began).Milliseconds())
		}()
		path, err := routePath(r)
		if err != nil {
			refusePath(logged, err)
			return
		}
		applyHeaders(s.headers, w.Header(), began)
		s.applyCORS(w.Header(), r)
		u := *r.URL
		u.Path, u.RawPath = path, ""
		routed := r.WithContext(r.Context())
		routed.URL = &u
		engine.ServeHTTP(logged, routed)
	})
}

// refusePath answers what Connect's bare server refuses. As there, configured headers are not added.
func refusePath(w http.ResponseWriter, err error) {
	body, merr := marshal(errorBody{http.StatusBadRequest, "Bad request path: " + err.Error()})
	if merr != nil { // texts always marshal
		body = nil
	}
	w.Header().Set("Content-Type", mediaJSON)
	w.WriteHeader(http.StatusBadRequest)
	if _, werr := w.Write(body); werr != nil {
		return // the client went away
	}
}

// statusWriter remembers the status for the access log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
