package activemq_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/connectortest"
)

// TestLosesNothing cuts connections, and kills the broker, while messages flow both ways.
func TestLosesNothing(t *testing.T) {
	t.Run("source_when_connections_are_cut", func(t *testing.T) {
		b := activemqtest.Shared(t)
		proxy := connectortest.NewProxy(t, b.Stomp)
		want := numbered(3000)
		dial(t, b.Stomp).send("/queue/"+queue(t), want)
		s := connectortest.StartSource(t, source, sourceConfig(t, proxy.Addr(), map[string]string{"activemq.prefetch": "100", "batch.size": "50"}), nil)
		cuts := 0
		committed := drain(t, s, len(want), func(polls, unique int) {
			if unique >= (cuts+1)*300 {
				cuts++
				proxy.Cut()
			}
		})
		if diff := cmp.Diff(want, committed); diff != "" {
			t.Errorf("committed (-want +got):\n%s", diff)
		}
		if cuts < 5 {
			t.Errorf("only %d cuts", cuts)
		}
		for c := dial(t, b.Stomp); c.count("/queue/"+queue(t)) > 0; { // acknowledgements that were cut off
			s.AwaitPolls(1)
			s.CommitAll()
		}
		polled, _ := s.Count()
		t.Logf("%d cuts, %d duplicates", cuts, polled-len(want))
	})

	t.Run("source_when_the_broker_is_killed", func(t *testing.T) {
		b := activemqtest.New(t)
		want := numbered(500)
		dial(t, b.Stomp).send("/queue/"+queue(t), want)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp, map[string]string{"batch.size": "100", "activemq.prefetch": "150"}), nil)
		killed := false
		committed := drain(t, s, len(want), func(_, unique int) {
			if unique >= 200 && !killed {
				killed = true
				b.Kill()
				s.AwaitPolls(2) // it waits, it does not fail
				if err := b.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
		if diff := cmp.Diff(want, committed); diff != "" {
			t.Errorf("committed (-want +got):\n%s", diff)
		}
	})

	t.Run("sink_when_connections_are_cut", func(t *testing.T) {
		b := activemqtest.Shared(t)
		proxy := connectortest.NewProxy(t, b.Stomp)
		s := connectortest.StartSink(t, sink, sinkConfig(proxy.Addr(), map[string]string{"activemq.destination": queue(t), "batch.max.records": "20"}))
		want := numbered(2000)
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					if proxy.Transferred(64 << 10) {
						proxy.Cut()
					}
				}
			}
		}()
		for i := 0; i < len(want); i += 100 {
			s.Put(connectortest.Records("t", int64(i), want[i:i+100]...)...)
		}
		s.Flush()
		close(stop)
		<-done
		s.Stop()
		c := dial(t, b.Stomp)
		n := c.count("/queue/" + queue(t))
		got := map[string]bool{}
		for _, m := range receive(t, c.subscribe("/queue/"+queue(t)), n) {
			got[string(m.Body)] = true
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		t.Logf("%d connections, %d duplicates", proxy.Connections(), n-len(want))
	})

	t.Run("sink_when_there_is_no_broker", func(t *testing.T) {
		b := activemqtest.Shared(t)
		proxy := connectortest.NewProxy(t, b.Stomp)
		proxy.SetDown(true)
		s := connectortest.StartSink(t, sink, sinkConfig(proxy.Addr(), map[string]string{"activemq.destination": queue(t)}))
		if err := s.TryPut(context.Background(), connectortest.Records("t", 0, "x")...); !connectors.Retriable(err) {
			t.Errorf("put: %v", err)
		}
		proxy.SetDown(false)
		s.Put(connectortest.Records("t", 0, "x")...)
		receive(t, dial(t, b.Stomp).subscribe("/queue/"+queue(t)), 1)
	})
}

// drain commits what s polls until n different messages are committed, and returns them in order. between is called between.
func drain(t *testing.T, s *connectortest.Source, n int, between func(polls, unique int)) []string {
	t.Helper()
	unique := map[string]bool{}
	for polls := 0; len(unique) < n; polls++ {
		if polls > 100000 {
			t.Fatalf("%d of %d messages after %d polls", len(unique), n, polls)
		}
		s.AwaitPolls(1)
		_, from := s.Count()
		to := s.CommitAll()
		for _, text := range texts(s.Wait(0)[from:to]) {
			unique[text] = true
		}
		between(polls, len(unique))
	}
	s.CommitAll()
	return slices.Sorted(maps.Keys(unique))
}

func TestRefusals(t *testing.T) {
	b := activemqtest.Shared(t)

	t.Run("wrong_password", func(t *testing.T) {
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp,
			map[string]string{"activemq.user": activemqtest.User, "activemq.password": "wrong"}), nil)
		err := s.Failure()
		if !strings.Contains(err.Error(), "activemq.user, activemq.password: refused") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("error %v", err)
		}
	})

	t.Run("right_password_with_colon_and_backslash", func(t *testing.T) {
		for name, config := range map[string]map[string]string{
			"keys": {"activemq.username": activemqtest.User, "activemq.password": activemqtest.Password},
			"URI":  {"activemq.server_uris": "tcp://" + activemqtest.User + ":colon%3Aback%5Cslash@" + b.Stomp},
			"URI options": {"activemq.server_uris": "tcp://" + b.Stomp + "?jms.userName=" + activemqtest.User +
				"&jms.password=colon:back%5Cslash"},
		} {
			t.Run(name, func(t *testing.T) {
				s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp, config), nil)
				dial(t, b.Stomp).send("/queue/"+queue(t), []string{"x"})
				s.Wait(1)
				s.CommitAll()
			})
		}
	})

	t.Run("bad_selector", func(t *testing.T) {
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp, map[string]string{"activemq.selector": "this is ( no"}), nil)
		if err := s.Failure(); !strings.Contains(err.Error(), "activemq.destination, activemq.selector: ") {
			t.Errorf("error %v", err)
		}
	})

	t.Run("OpenWire_port_with_STOMP_at_the_fallback_port", func(t *testing.T) {
		_, port, _ := strings.Cut(b.Stomp, ":")
		s := connectortest.StartSource(t, source, sourceConfig(t, b.OpenWire, map[string]string{"activemq.stomp.port.fallback": port}), nil)
		dial(t, b.Stomp).send("/queue/"+queue(t), []string{"x"})
		s.Wait(1)
		s.CommitAll()
	})

	t.Run("OpenWire_port_without", func(t *testing.T) {
		for fallback, more := range map[string]string{"0": "", "1": ", and there is no STOMP at port 1 (activemq.stomp.port.fallback) either"} {
			s := connectortest.StartSource(t, source, sourceConfig(t, b.OpenWire, map[string]string{"activemq.stomp.port.fallback": fallback}), nil)
			err := s.Failure()
			if !strings.Contains(err.Error(), "speaks OpenWire, not STOMP"+more) || !strings.Contains(err.Error(), "activemq.stomp.port") {
				t.Errorf("fallback %s: error %v", fallback, err)
			}
		}
	})

	t.Run("attempts_are_limited_when_the_URI_says_so", func(t *testing.T) {
		s := connectortest.StartSource(t, source, map[string]string{
			"activemq.server_uris": "failover:(tcp://127.0.0.1:1)?startupMaxReconnectAttempts=2&initialReconnectDelay=1", "activemq.destination": "q", "topic": "t",
		}, nil)
		if err := s.Failure(); !strings.Contains(err.Error(), "allows 2 reconnect attempts") {
			t.Errorf("error %v", err)
		}
	})
}

func TestPriorityBackup(t *testing.T) {
	b := activemqtest.Shared(t)
	first, second := connectortest.NewProxy(t, b.Stomp), connectortest.NewProxy(t, b.Stomp)
	first.SetDown(true)
	s := connectortest.StartSource(t, source, map[string]string{
		"activemq.server_uris": "failover:(tcp://" + first.Addr() + ",tcp://" + second.Addr() + ")?randomize=false&priorityBackup=true&maxReconnectDelay=1000",
		"activemq.destination": queue(t), "topic": "t",
	}, nil)
	c := dial(t, b.Stomp)
	c.send("/queue/"+queue(t), []string{"by the second"})
	s.Wait(1)
	s.CommitAll()
	before := first.Connections()
	first.SetDown(false)
	for first.Connections() < before+2 { // the probe, and then the session
		s.AwaitPolls(1)
	}
	c.send("/queue/"+queue(t), []string{"by the first"})
	s.Wait(2)
	s.CommitAll()
}
