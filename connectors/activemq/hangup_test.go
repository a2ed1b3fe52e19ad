package activemq_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
)

// hangingUp is a broker that ends the connection, without a word, on a transaction with a message that says bad. kept lists what it
// took and counts connections.
func hangingUp(t *testing.T) (addr string, kept func() (bodies []string, connections int)) {
	var mu sync.Mutex
	var bodies []string
	connections := 0
	addr = newFake(t, func(_ int, p *peer) {
		mu.Lock()
		connections++
		mu.Unlock()
		connected(p, "0,0")
		var tx []string
		p.obey(func(f *frame.Frame) bool {
			switch f.Command {
			case frame.SEND:
				tx = append(tx, string(f.Body))
			case frame.COMMIT:
				if slices.Contains(tx, "bad") {
					return false
				}
				mu.Lock()
				bodies = append(bodies, tx...)
				mu.Unlock()
				tx = nil
			}
			return true
		})
	})
	return addr, func() ([]string, int) {
		mu.Lock()
		defer mu.Unlock()
		return bodies, connections
	}
}

func TestABrokerThatHangsUpOnARecord(t *testing.T) {
	t.Run("fails_the_task_in_the_end", func(t *testing.T) {
		addr, kept := hangingUp(t)
		s := connectortest.StartSink(t, sink, fakeConfig(addr))
		records := connectortest.Records("t", 0, "0", "1", "bad", "3")
		err := s.TryPut(t.Context(), records...)
		for connectors.Retriable(err) {
			err = s.TryPut(t.Context(), records...)
		}
		if _, ok := errors.AsType[*connectors.DataError](err); !ok {
			t.Errorf("error %v", err)
		}
		s.Stop()
		bodies, connections := kept()
		if diff := cmp.Diff([]string{"0", "1"}, bodies); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		if connections > 7 {
			t.Errorf("%d connections", connections)
		}
	})

	t.Run("leaves_the_record_to_the_reporter", func(t *testing.T) {
		addr, kept := hangingUp(t)
		s := connectortest.StartSinkContext(t, sink, fakeConfig(addr), func(c *connectortest.SinkContext) { c.Tolerant = true })
		s.Put(connectortest.Records("t", 0, "0", "bad", "2", "bad", "4")...)
		s.Put(connectortest.Records("t", 5, "5", "6")...)
		s.Stop()
		bodies, _ := kept()
		if diff := cmp.Diff([]string{"0", "2", "4", "5", "6"}, bodies); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		var reported []int64
		for _, r := range s.Context.Reported() {
			reported = append(reported, r.Record.Offset)
		}
		if diff := cmp.Diff([]int64{1, 3}, reported); diff != "" {
			t.Errorf("reported (-want +got):\n%s", diff)
		}
	})
}
