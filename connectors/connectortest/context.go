package connectortest

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"millrace/connectors"
)

// patience is how long a wait lasts before the test fails.
const patience = 30 * time.Second

// Name is the connector's name in every context.
const Name = "test"

// Logger returns a logger that writes to the test's log.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A ConnectorContext records what a connector asks for.
type ConnectorContext struct {
	mu       sync.Mutex
	requests int
	err      error
	log      *slog.Logger
}

var _ connectors.ConnectorContext = (*ConnectorContext)(nil)

// NewConnectorContext returns a context that logs to t.
func NewConnectorContext(t testing.TB) *ConnectorContext { return &ConnectorContext{log: Logger(t)} }

// RequestTaskReconfiguration counts.
func (c *ConnectorContext) RequestTaskReconfiguration() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
}

// Reconfigurations returns how often tasks were asked to be reconfigured.
func (c *ConnectorContext) Reconfigurations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// RaiseError keeps err.
func (c *ConnectorContext) RaiseError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Err returns the error raised last.
func (c *ConnectorContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Logger returns the test's logger.
func (c *ConnectorContext) Logger() connectors.Logger { return c.log }

// Offsets is an offset store in memory; it outlives the tasks that use it. The zero Offsets is empty.
type Offsets struct {
	mu      sync.Mutex
	offsets map[string]map[string]any
}

// Set remembers offset for partition; nil forgets it.
func (o *Offsets) Set(partition, offset map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.offsets == nil {
		o.offsets = make(map[string]map[string]any)
	}
	o.offsets[key(partition)] = offset
}

// Get returns the offset of partition, nil if there is none.
func (o *Offsets) Get(partition map[string]any) map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.offsets[key(partition)]
}

func key(partition map[string]any) string {
	b, err := json.Marshal(partition)
	if err != nil {
		panic("connectortest: a source partition is JSON-like: " + err.Error())
	}
	return string(b)
}

type sourceContext struct {
	offsets *Offsets
	task    int
	log     *slog.Logger
}

var _ connectors.SourceTaskContext = (*sourceContext)(nil)

func (c *sourceContext) Offset(_ context.Context, p *connectors.SourcePartition) (map[string]any, error) {
	return c.offsets.Get(p.Map()), nil
}

func (c *sourceContext) Offsets(_ context.Context, ps []*connectors.SourcePartition) ([]map[string]any, error) {
	found := make([]map[string]any, len(ps))
	for i, p := range ps {
		found[i] = c.offsets.Get(p.Map())
	}
	return found, nil
}

func (c *sourceContext) ConnectorName() string     { return Name }
func (c *sourceContext) TaskID() int               { return c.task }
func (c *sourceContext) Logger() connectors.Logger { return c.log }

// NewSourceContext returns a context of task 0 with no offsets.
func NewSourceContext(t testing.TB) connectors.SourceTaskContext {
	return &sourceContext{offsets: new(Offsets), log: Logger(t)}
}
