package tools

import (
	"context"
	"math"
	"sync"
	"time"

	"millrace/connectors"
)

const (
	connectorFailure = "connector-failure"
	taskFailure      = "task-failure"
)

// mockFailure is what the mocks fail with: an exception that has no message, so that its class is all there is to show.
type mockFailure struct{}

func (mockFailure) Error() string { return "java.lang.RuntimeException" }

// ErrorClass is the text too.
func (f mockFailure) ErrorClass() string { return f.Error() }

// mock is what MockSource and MockSink have in common.
type mock struct {
	config map[string]string
	mu     sync.Mutex
	// timer is guarded by mu: a failure that comes at the same time as Stop is raised before it or not at all.
	timer *time.Timer
}

func (m *mock) Start(ctx connectors.ConnectorContext, config map[string]string) error {
	m.config = config
	if config[keyMockMode] != connectorFailure {
		return nil
	}
	delay, err := mockDelay(config)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var timer *time.Timer
	timer = time.AfterFunc(delay, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.timer == timer {
			ctx.RaiseError(mockFailure{})
		}
	})
	m.timer = timer
	return nil
}

func (m *mock) TaskConfigs(int) ([]map[string]string, error) {
	return []map[string]string{m.config}, nil
}

func (m *mock) Stop() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
	return nil
}

func mockDelay(config map[string]string) (time.Duration, error) {
	values, err := mockDef().Parse(connectors.Raw(config))
	if err != nil {
		return 0, err
	}
	ms := min(values.Long(keyDelayMs), math.MaxInt64/int64(time.Millisecond))
	return time.Duration(max(ms, 0)) * time.Millisecond, nil
}

type mockSource struct{ mock }

func (s *mockSource) NewTask() connectors.SourceTask { return new(mockSourceTask) }

type mockSink struct{ mock }

func (s *mockSink) NewTask() connectors.SinkTask { return new(mockSinkTask) }

// mockTask knows when to fail.
type mockTask struct {
	fails bool
	begin time.Time
	delay time.Duration
}

func (t *mockTask) start(config map[string]string) (err error) {
	t.begin = time.Now()
	if t.fails = config[keyMockMode] == taskFailure; t.fails {
		t.delay, err = mockDelay(config)
	}
	return err
}

// left is how long the task still works.
func (t *mockTask) left() time.Duration {
	if !t.fails {
		return math.MaxInt64
	}
	return t.delay - time.Since(t.begin)
}

type mockSourceTask struct{ mockTask }

func (t *mockSourceTask) Start(_ context.Context, _ connectors.SourceTaskContext, config map[string]string) error {
	return t.start(config)
}

func (t *mockSourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if left := t.left(); left > 0 {
		sleep(ctx, min(left, pollTime))
	}
	if ctx.Err() == nil && t.left() <= 0 {
		return nil, mockFailure{}
	}
	return nil, nil
}

func (t *mockSourceTask) Stop(context.Context) error { return nil }

type mockSinkTask struct{ mockTask }

func (t *mockSinkTask) Start(_ context.Context, _ connectors.SinkTaskContext, config map[string]string) error {
	return t.start(config)
}

func (t *mockSinkTask) Put(context.Context, []connectors.SinkRecord) error {
	if t.left() <= 0 {
		return mockFailure{}
	}
	return nil
}

func (t *mockSinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (t *mockSinkTask) Stop(context.Context) error { return nil }
