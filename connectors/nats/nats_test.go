package nats_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/nats"
)

var source, sink = nats.Plugins()[0], nats.Plugins()[1]

// A peer is a running NATS server with JetStream, and a connection of the test's own.
type peer struct {
	t      *testing.T
	opts   server.Options
	server *server.Server
	conn   *natsgo.Conn
	js     jetstream.JetStream
}

func start(t *testing.T) *peer {
	t.Helper()
	p := &peer{t: t, opts: server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}}
	p.run()
	p.opts.Port = p.server.Addr().(*net.TCPAddr).Port
	t.Cleanup(func() {
		p.conn.Close()
		p.stop()
	})
	var err error
	if p.conn, err = natsgo.Connect(p.server.ClientURL(), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if p.js, err = jetstream.New(p.conn); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *peer) run() {
	p.t.Helper()
	opts := p.opts
	s, err := server.NewServer(&opts)
	if err != nil {
		p.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		p.t.Fatal("nats server is not ready")
	}
	p.server = s
	if p.conn != nil {
		for up := p.conn.StatusChanged(natsgo.CONNECTED); !p.conn.IsConnected(); {
			<-up
		}
	}
}

func (p *peer) stop() {
	p.server.Shutdown()
	p.server.WaitForShutdown()
}

func (p *peer) addr() string { return fmt.Sprintf("127.0.0.1:%d", p.opts.Port) }

func (p *peer) url() string { return "nats://" + p.addr() }

func (p *peer) stream(name string, subjects ...string) jetstream.Stream {
	p.t.Helper()
	s, err := p.js.CreateStream(p.t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects})
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *peer) publish(subject string, values ...string) {
	p.t.Helper()
	for _, v := range values {
		// A server that has just started may lose the first request; the id keeps a second one from being stored twice.
		id := natsgo.NewInbox()
		err := errors.New("not tried")
		for try := 0; err != nil && try < 5; try++ {
			ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Second)
			_, err = p.js.Publish(ctx, subject, []byte(v), jetstream.WithMsgID(id))
			cancel()
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// stored returns the data of a stream's messages once there are n.
func (p *peer) stored(name string, n int) []string {
	p.t.Helper()
	s, err := p.js.Stream(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := s.OrderedConsumer(p.t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		p.t.Fatal(err)
	}
	values := make([]string, 0, n)
	for range n {
		m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			p.t.Fatalf("message %d of %d: %v", len(values)+1, n, err)
		}
		values = append(values, string(m.Data()))
	}
	info, err := s.Info(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if got := int(info.State.Msgs); got != n {
		p.t.Errorf("stream has %d messages, want %d", got, n)
	}
	return values
}

func TestJetStreamSourceContract(t *testing.T) {
	connectortest.TestSource(t, connectortest.SourceCase{Plugin: source, AnyOrder: true, Setup: func(t *testing.T) (map[string]string, func(...string)) {
		p := start(t)
		p.stream("ORDERS", "orders.>")
		return map[string]string{"name": connectortest.Name, "nats.url": p.url(), "nats.stream": "ORDERS", "topic": "orders", "nats.ack.wait.ms": "1000"},
			func(values ...string) { p.publish("orders.new", values...) }
	}})
}

func TestCoreSourceContract(t *testing.T) {
	connectortest.TestSource(t, connectortest.SourceCase{Plugin: source, NoReplay: true, Setup: func(t *testing.T) (map[string]string, func(...string)) {
		p := start(t)
		return map[string]string{"name": connectortest.Name, "nats.url": p.url(), "nats.subject": "orders.>", "topic": "orders"},
			func(values ...string) {
				// The subscription of the task goes over another connection than the messages.
				for p.server.NumSubscriptions() == 0 || !subscribed(p.server, "orders.new") {
					if err := p.conn.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				for _, v := range values {
					if err := p.conn.Publish("orders.new", []byte(v)); err != nil {
						t.Fatal(err)
					}
				}
			}
	}})
}

func subscribed(s *server.Server, subject string) bool {
	z, err := s.Subsz(&server.SubszOptions{Subscriptions: true, Test: subject})
	return err == nil && z.Total > 0
}

func TestSinkContract(t *testing.T) {
	connectortest.TestSink(t, connectortest.SinkCase{Plugin: sink, Setup: func(t *testing.T) (map[string]string, func(int) []string) {
		p := start(t)
		p.stream("OUT", "topic")
		return map[string]string{"name": connectortest.Name, "nats.url": p.url()}, func(n int) []string { return p.stored("OUT", n) }
	}})
}

func TestSource(t *testing.T) {
	t.Run("carries_subject_headers_and_timestamp", func(t *testing.T) {
		p := start(t)
		p.stream("ORDERS", "orders.>")
		m := natsgo.NewMsg("orders.eu.new")
		m.Data = []byte("x")
		m.Header.Add("Site", "north")
		m.Header.Add("Site", "south")
		if _, err := p.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		s := connectortest.StartSource(t, source, map[string]string{
			"name": "c", "nats.url": p.url(), "nats.stream": "ORDERS", "topic": "from.${subject}"}, nil)
		r := s.Wait(1)[0]
		if r.Topic != "from.orders.eu.new" || r.Key != "orders.eu.new" || r.Timestamp <= 0 {
			t.Errorf("got topic %q, key %q, timestamp %d", r.Topic, r.Key, r.Timestamp)
		}
		var got []string
		for _, h := range r.Headers {
			got = append(got, fmt.Sprintf("%s=%v", h.Key, h.Value))
		}
		want := []string{"Site=north", "Site=south", "nats.subject=orders.eu.new", "nats.sequence=1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("loses_nothing_when_the_connection_is_cut", func(t *testing.T) {
		p := start(t)
		p.stream("ORDERS", "orders")
		proxy := connectortest.NewProxy(t, p.addr())
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "nats.url": "nats://" + proxy.Addr(), "nats.stream": "ORDERS",
			"topic": "orders", "nats.ack.wait.ms": "1000"}, nil)
		want := make(map[string]bool)
		for round := range 5 {
			for i := range 100 {
				v := fmt.Sprintf("%d-%d", round, i)
				want[v] = true
				p.publish("orders", v)
			}
			proxy.Cut()
			s.CommitAll()
		}
		for n := 1; len(want) > 0; n++ {
			for _, r := range s.Wait(n)[n-1:] {
				delete(want, string(r.Value.([]byte)))
			}
		}
	})

	t.Run("waits_for_a_server_that_is_away", func(t *testing.T) {
		p := start(t)
		p.stream("ORDERS", "orders")
		p.stop()
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "nats.url": p.url(), "nats.stream": "ORDERS", "topic": "orders", "nats.timeout.ms": "500"}, nil)
		p.run()
		p.publish("orders", "late")
		if got := string(s.Wait(1)[0].Value.([]byte)); got != "late" {
			t.Errorf("got %q", got)
		}
	})

	t.Run("shares_a_durable_consumer_between_tasks", func(t *testing.T) {
		p := start(t)
		p.stream("ORDERS", "orders")
		configs := connectortest.TaskConfigs(t, source, map[string]string{"name": "c", "nats.url": p.url(), "nats.stream": "ORDERS", "topic": "orders"}, 2)
		if configs[0]["nats.consumer.durable"] != "c" || configs[1]["nats.consumer.durable"] != "c" {
			t.Fatalf("durable consumers %q and %q", configs[0]["nats.consumer.durable"], configs[1]["nats.consumer.durable"])
		}
	})

	t.Run("refuses_a_consumer_without_explicit_acks", func(t *testing.T) {
		p := start(t)
		stream := p.stream("ORDERS", "orders")
		if _, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "mine", AckPolicy: jetstream.AckNonePolicy}); err != nil {
			t.Fatal(err)
		}
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "nats.url": p.url(), "nats.stream": "ORDERS", "topic": "orders",
			"nats.consumer.durable": "mine"}, nil)
		if err := s.Failure(); !strings.Contains(err.Error(), "explicit is needed") {
			t.Errorf("error %v", err)
		}
	})
}

func TestSink(t *testing.T) {
	t.Run("stores_once_what_is_sent_twice", func(t *testing.T) {
		p := start(t)
		p.stream("OUT", "topic")
		config := map[string]string{"name": "c", "nats.url": p.url()}
		records := connectortest.Records("topic", 0, "a", "b", "c")
		for range 2 { // as after a crash between the put and the commit
			s := connectortest.StartSink(t, sink, config)
			s.Put(records...)
			s.Stop()
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, p.stored("OUT", 3)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("waits_for_a_server_that_restarts", func(t *testing.T) {
		p := start(t)
		p.stream("OUT", "topic")
		s := connectortest.StartSink(t, sink, map[string]string{"name": "c", "nats.url": p.url(), "nats.ack.timeout.ms": "1000"})
		s.Put(connectortest.Records("topic", 0, "before")...)
		p.stop()
		restarted := make(chan struct{})
		go func() {
			defer close(restarted)
			p.run()
		}()
		s.Put(connectortest.Records("topic", 1, "after")...)
		<-restarted
		if diff := cmp.Diff([]string{"before", "after"}, p.stored("OUT", 2)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("reports_what_cannot_be_published", func(t *testing.T) {
		p := start(t)
		p.stream("OUT", "out.>")
		s := connectortest.StartSink(t, sink, map[string]string{"name": "c", "nats.url": p.url(), "nats.subject": "out.${key}"})
		s.Context.Tolerant = true
		bad := connectortest.Record("topic", 0, connectors.StringSchema, "x")
		bad.Key = "a b"
		good := connectortest.Record("topic", 1, connectors.StringSchema, "y")
		good.Key = "k"
		s.Put(bad, good)
		if got := s.Context.Reported(); len(got) != 1 || got[0].Record.Offset != 0 {
			t.Errorf("reported %+v, want the record at offset 0", got)
		}
		if diff := cmp.Diff([]string{"y"}, p.stored("OUT", 1)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConfig(t *testing.T) {
	base := map[string]string{"name": "c", "nats.url": "nats://127.0.0.1:4222", "nats.subject": "a", "topic": "t"}
	for _, c := range []struct{ key, value, want string }{
		{"nats.url", "http://x", "scheme of nats"},
		{"nats.subject", "a..b", "must not be empty"},
		{"nats.subject", "a.>.b", "> stands alone at the end"},
		{"nats.subject", "", "at least one subject"},
		{"topic", "a b", "only letters"},
		{"topic", "${nope}", "unknown variable ${nope}"},
		{"nats.mode", "x", "nats.mode"},
		{"nats.consumer.durable", "a.b", "consumer name"},
		{"tls.ca.file", "/nonexistent", "tls.ca.file"},
		{"tls.cert.file", "x", "belong together"},
	} {
		config := map[string]string{}
		for k, v := range base {
			config[k] = v
		}
		config[c.key] = c.value
		err := source.NewSource().Start(connectortest.NewConnectorContext(t), config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: error %v, want one with %q", c.key, c.value, err, c.want)
		}
	}
}
