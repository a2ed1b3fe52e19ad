package server

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/broker/api"
)

// Config opens a Server. Dispatcher and at least one listener are required.
type Config struct {
	Listeners  []Listener
	Dispatcher Dispatcher

	// MaxRequestBytes is socket.request.max.bytes: connections that announce a larger request are closed. 0: 100 MiB.
	MaxRequestBytes int32
	// QueuedMaxRequestBytes is queued.max.request.bytes: what the requests of all connections that are being read may take
	// together; the others wait. 0 or below: no limit.
	QueuedMaxRequestBytes int64
	// MaxInFlight is the most answers of a connection that may be under way; with so many, its next request is not read. 0: 64.
	MaxInFlight int
	// MaxConnections is max.connections and MaxConnectionsPerIP max.connections.per.ip: a connection above either is closed at
	// once. 0: no limit.
	MaxConnections, MaxConnectionsPerIP int
	// IdleTimeout is connections.max.idle.ms: a connection without a request in this time is closed. 0: 10 minutes, below 0
	// never.
	IdleTimeout time.Duration
	// SendBuffer and ReceiveBuffer are socket.send.buffer.bytes and socket.receive.buffer.bytes; 0 leaves them to the system.
	SendBuffer, ReceiveBuffer int
	// MemoryHost is the host that in-memory connections come from. Empty: memory.
	MemoryHost string
	// ShutdownTimeout is how long a stopping server waits for acknowledgements that are under way. 0: 2 s.
	ShutdownTimeout time.Duration

	// Listen opens a listener; nil is that of the operating system. Simulations have their own.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)

	Logger     *slog.Logger          // nil: none
	Registerer prometheus.Registerer // nil: none
}

// Listener is one address to listen at.
type Listener struct {
	// Name is Kafka's listener name, such as PLAINTEXT.
	Name string
	// Address is host:port. An empty host is all interfaces, port 0 a free one.
	Address string
	// Advertised is the host:port that clients are told; empty is the address listened at. Port 0 is the port listened at.
	Advertised string
}

// Dispatcher starts requests; *api.API is the one there is.
type Dispatcher interface {
	Dispatch(ctx context.Context, c *api.Client, frame []byte) (api.Reply, error)
}

func (c Config) withDefaults() Config {
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = 100 << 20
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 64
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 10 * time.Minute
	}
	if c.MemoryHost == "" {
		c.MemoryHost = "memory"
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = 2 * time.Second
	}
	if c.Listen == nil {
		c.Listen = new(net.ListenConfig).Listen
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
