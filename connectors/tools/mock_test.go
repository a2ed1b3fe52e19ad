package tools_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"millrace/connectors"
	"millrace/connectors/connectortest"
)

const mockError = "java.lang.RuntimeException"

// A connector is what a source and a sink connector have in common.
type connector interface {
	Start(connectors.ConnectorContext, map[string]string) error
	TaskConfigs(int) ([]map[string]string, error)
	Stop() error
}

func mocks(t *testing.T) map[string]connector {
	return map[string]connector{
		"source": plugin(t, "MockSource", io.Discard).NewSource(),
		"sink":   plugin(t, "MockSink", io.Discard).NewSink(),
	}
}

func TestMockConnectorFails(t *testing.T) {
	tests := []struct {
		name   string
		config map[string]string
		after  time.Duration // 0 is never
	}{
		{"after_the_delay", map[string]string{"mock_mode": "connector-failure", "delay_ms": "2000"}, 2 * time.Second},
		{"after_the_default_delay", map[string]string{"mock_mode": "connector-failure"}, 15 * time.Second},
		{"not_when_its_task_is_to_fail", map[string]string{"mock_mode": "task-failure", "delay_ms": "1"}, 0},
		{"not_under_another_mode", map[string]string{"mock_mode": "nonsense", "delay_ms": "x"}, 0},
		{"not_for_ever_away", map[string]string{"mock_mode": "connector-failure", "delay_ms": "9223372036854775807"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for kind, c := range mocks(t) {
					ctx := connectortest.NewConnectorContext(t)
					if err := c.Start(ctx, tt.config); err != nil {
						t.Fatalf("%s: start: %v", kind, err)
					}
					configs, err := c.TaskConfigs(5)
					if err != nil || len(configs) != 1 {
						t.Errorf("%s: %d tasks, %v; want one", kind, len(configs), err)
					}
					if tt.after > 0 {
						time.Sleep(tt.after - time.Millisecond)
						synctest.Wait()
						if err := ctx.Err(); err != nil {
							t.Errorf("%s failed too soon: %v", kind, err)
						}
						time.Sleep(time.Millisecond)
					} else {
						time.Sleep(time.Hour)
					}
					synctest.Wait()
					if err := ctx.Err(); (err != nil) != (tt.after > 0) || err != nil && err.Error() != mockError {
						t.Errorf("%s: got failure %v", kind, err)
					}
					if err := c.Stop(); err != nil {
						t.Errorf("%s: stop: %v", kind, err)
					}
				}
			})
		})
	}
}

func TestStoppedMockDoesNotFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := plugin(t, "MockSource", io.Discard).NewSource()
		config := map[string]string{"mock_mode": "connector-failure", "delay_ms": "1000"}
		first, second := connectortest.NewConnectorContext(t), connectortest.NewConnectorContext(t)
		for _, ctx := range []*connectortest.ConnectorContext{first, second} {
			if err := c.Start(ctx, config); err != nil {
				t.Fatal(err)
			}
			time.Sleep(600 * time.Millisecond)
			if ctx == first {
				if err := c.Stop(); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if first.Err() != nil || second.Err() == nil {
			t.Errorf("failures: before the stop %v, after the second start %v; want only the second", first.Err(), second.Err())
		}
	})
}

func TestMockSourceTaskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connectortest.StartSource(t, plugin(t, "MockSource", io.Discard), map[string]string{"mock_mode": "task-failure", "delay_ms": "2500"}, nil)
		begin := time.Now()
		if err := s.Failure(); err.Error() != mockError || connectors.Retriable(err) {
			t.Errorf("got failure %v", err)
		}
		if d := time.Since(begin); d != 2500*time.Millisecond {
			t.Errorf("failed after %v", d)
		}
	})
}

func TestMockSourceTaskIdles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := task(t, "MockSource", io.Discard, map[string]string{"mock_mode": "connector-failure"})
		begin := time.Now()
		if records := poll(t, source); len(records) != 0 || time.Since(begin) != time.Second {
			t.Errorf("a poll returned %d records after %v", len(records), time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := source.Poll(ctx); err != nil || time.Since(begin) != time.Second {
			t.Errorf("a cancelled poll returned %v after %v", err, time.Since(begin)-time.Second)
		}
	})
}

func TestMockSinkTaskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connectortest.StartSink(t, plugin(t, "MockSink", io.Discard), map[string]string{"mock_mode": "task-failure", "delay_ms": "1000"})
		s.Put(connectortest.Records("t", 0, "a", "b")...)
		s.Flush()
		time.Sleep(time.Second)
		if err := s.TryPut(t.Context()); err == nil || err.Error() != mockError || connectors.Retriable(err) {
			t.Errorf("an empty batch after the delay: got error %v", err)
		}
	})
}

func TestMockRefusesDelay(t *testing.T) {
	const want = "Invalid value x for configuration delay_ms: Not a number of type LONG"
	config := map[string]string{"mock_mode": "connector-failure", "delay_ms": "x"}
	for kind, c := range mocks(t) {
		if err := c.Start(connectortest.NewConnectorContext(t), config); err == nil || err.Error() != want {
			t.Errorf("%s connector: got error %v", kind, err)
		}
	}
	config["mock_mode"] = "task-failure"
	source := plugin(t, "MockSource", io.Discard).NewSource().NewTask()
	if err := source.Start(t.Context(), connectortest.NewSourceContext(t), config); err == nil || err.Error() != want {
		t.Errorf("source task: got error %v", err)
	}
	sink := plugin(t, "MockSink", io.Discard).NewSink().NewTask()
	if err := sink.Start(t.Context(), new(connectortest.SinkContext), config); err == nil || err.Error() != want {
		t.Errorf("sink task: got error %v", err)
	}
}
