package mqtt_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/mqtt"
	"millrace/connectors/mqtt/mosquittotest"
)

var source, sink = mqtt.Plugins()[0], mqtt.Plugins()[1]

// A broker is a running Mosquitto.
type broker struct {
	*mosquittotest.Broker
	t *testing.T
}

// mosquitto starts a broker with further lines of configuration.
func mosquitto(t *testing.T, lines ...string) *broker {
	t.Helper()
	return &broker{mosquittotest.New(t, lines...), t}
}

// client connects the test itself.
func (b *broker) client(id string, clean bool) paho.Client {
	b.t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(b.URL()).SetClientID(id).SetCleanSession(clean).SetAutoReconnect(false))
	b.done(c.Connect())
	return c
}

func (b *broker) done(token paho.Token) {
	b.t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		b.t.Fatalf("mqtt: %v", token.Error())
	}
}

// session makes a kept session, so that messages wait before the task's first connection.
func (b *broker) session(id, filter string) {
	b.t.Helper()
	c := b.client(id, false)
	b.done(c.Subscribe(filter, 1, func(paho.Client, paho.Message) {}))
	c.Disconnect(100)
}

func (b *broker) publish(topic string, values ...string) {
	b.t.Helper()
	c := b.client("publisher", true)
	defer c.Disconnect(100)
	for _, v := range values {
		b.done(c.Publish(topic, 1, false, v))
	}
}

// subscribe collects what is published to filter; the returned function waits for n messages.
func (b *broker) subscribe(filter string) func(n int) []string {
	b.t.Helper()
	var mu sync.Mutex
	var got []string
	more := make(chan struct{}, 1)
	c := b.client("subscriber", true)
	b.t.Cleanup(func() { c.Disconnect(0) })
	b.done(c.Subscribe(filter, 1, func(_ paho.Client, m paho.Message) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(m.Payload()))
		select {
		case more <- struct{}{}:
		default:
		}
	}))
	return func(n int) []string {
		b.t.Helper()
		deadline := time.After(20 * time.Second)
		for {
			mu.Lock()
			have := append([]string(nil), got...)
			mu.Unlock()
			if len(have) >= n {
				return have
			}
			select {
			case <-more:
			case <-deadline:
				b.t.Fatalf("got %d of %d messages", len(have), n)
			}
		}
	}
}

func TestSourceContract(t *testing.T) {
	for qos := 1; qos <= 2; qos++ {
		t.Run(fmt.Sprintf("qos_%d", qos), func(t *testing.T) {
			connectortest.TestSource(t, connectortest.SourceCase{Plugin: source, Setup: func(t *testing.T) (map[string]string, func(...string)) {
				b := mosquitto(t, "max_inflight_messages 0") // the contract leaves hundreds uncommitted
				b.session(connectortest.Name+"-0", "things/#")
				return map[string]string{"name": connectortest.Name, "mqtt.server.uri": b.URL(), "mqtt.topics": "things/#", "kafka.topic": "things", "mqtt.qos": fmt.Sprint(qos)},
					func(values ...string) { b.publish("things/1", values...) }
			}})
		})
	}
}

func TestSinkContract(t *testing.T) {
	connectortest.TestSink(t, connectortest.SinkCase{Plugin: sink, Setup: func(t *testing.T) (map[string]string, func(int) []string) {
		b := mosquitto(t)
		return map[string]string{"name": connectortest.Name, "mqtt.server.uri": b.URL()}, b.subscribe("topic")
	}})
}

func TestSource(t *testing.T) {
	t.Run("carries_topic_and_headers", func(t *testing.T) {
		b := mosquitto(t)
		b.session("c-0", "#")
		b.publish("/things/a b/1", "x")
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "mqtt.server.uri": b.URL(), "mqtt.topics": "#", "kafka.topic": "from.${mqtt.topic}"}, nil)
		r := s.Wait(1)[0]
		if r.Topic != "from.things.a_b.1" || r.Key != "/things/a b/1" || string(r.Value.([]byte)) != "x" {
			t.Errorf("got topic %q, key %q, value %q", r.Topic, r.Key, r.Value)
		}
		want := connectors.Headers{
			{Key: "mqtt.message.id", Schema: connectors.Int32Schema, Value: int32(1)},
			{Key: "mqtt.qos", Schema: connectors.Int32Schema, Value: int32(1)},
			{Key: "mqtt.retained", Schema: connectors.BooleanSchema, Value: false},
			{Key: "mqtt.duplicate", Schema: connectors.BooleanSchema, Value: false},
		}
		if diff := cmp.Diff(want, r.Headers); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("loses_nothing_when_the_connection_is_cut", func(t *testing.T) {
		b := mosquitto(t)
		b.session("c-0", "things/#")
		proxy := connectortest.NewProxy(t, b.Addr)
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "mqtt.server.uri": "tcp://" + proxy.Addr(), "mqtt.topics": "things/#", "topic": "things"}, nil)
		missing := make(map[string]bool)
		seen := 0
		for round := range 5 {
			var values []string
			for i := range 50 {
				v := fmt.Sprintf("%d-%d", round, i)
				values = append(values, v)
				missing[v] = true
			}
			b.publish("things/1", values...)
			s.CommitAll()
			proxy.Cut()
			for len(missing) > 40*round {
				seen++
				delete(missing, string(s.Wait(seen)[seen-1].Value.([]byte)))
				s.CommitAll()
			}
		}
		for len(missing) > 0 {
			seen++
			delete(missing, string(s.Wait(seen)[seen-1].Value.([]byte)))
			s.CommitAll()
		}
	})

	t.Run("waits_for_a_broker_that_restarts", func(t *testing.T) {
		b := mosquitto(t)
		b.session("c-0", "things/#")
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "mqtt.server.uri": b.URL(), "mqtt.topics": "things/#", "topic": "things"}, nil)
		b.publish("things/1", "a", "b")
		s.Wait(2)
		s.Commit(1)
		if err := b.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := b.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The broker may have gone before it read the acknowledgement of a: then a comes again too.
		for n := 3; string(s.Wait(n)[n-1].Value.([]byte)) != "b"; n++ {
		}
	})

	t.Run("skips_retained_messages_if_told_so", func(t *testing.T) {
		b := mosquitto(t)
		c := b.client("retainer", true)
		b.done(c.Publish("things/1", 1, true, "old"))
		c.Disconnect(100)
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "mqtt.server.uri": b.URL(), "mqtt.topics": "things/#", "topic": "things", "mqtt.retained": "exclude"}, nil)
		for polled := 0; polled == 0; polled, _ = s.Count() { // until the subscription is there
			b.publish("things/1", "new")
		}
		if got := string(s.Wait(1)[0].Value.([]byte)); got != "new" {
			t.Errorf("got %q", got)
		}
	})

	t.Run("fails_on_a_wrong_password", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "passwords")
		if out, err := exec.Command("mosquitto_passwd", "-b", "-c", file, "u", "secret").CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v: %s", err, out)
		}
		b := mosquitto(t, "allow_anonymous false", "password_file "+file)
		s := connectortest.StartSource(t, source, map[string]string{"name": "c", "mqtt.server.uri": b.URL(), "mqtt.topics": "x", "topic": "x",
			"mqtt.username": "u", "mqtt.password": "wrong"}, nil)
		if err := s.Failure(); !strings.Contains(err.Error(), "mqtt.password") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("error %v", err)
		}
	})

	t.Run("spreads_filters_over_tasks", func(t *testing.T) {
		config := map[string]string{"name": "c", "mqtt.server.uri": "tcp://127.0.0.1:1", "mqtt.topics": "a,b,c", "topic": "x"}
		var got []string
		for _, c := range connectortest.TaskConfigs(t, source, config, 2) {
			got = append(got, c["mqtt.client.id"]+" "+c["mqtt.topics"])
		}
		if diff := cmp.Diff([]string{"c-0 a,c", "c-1 b"}, got); diff != "" {
			t.Error(diff)
		}
		config["mqtt.shared.subscription.group"] = "g"
		if got := len(connectortest.TaskConfigs(t, source, config, 5)); got != 5 {
			t.Errorf("%d tasks share a subscription, want 5", got)
		}
	})
}

func TestSharedSubscription(t *testing.T) {
	b := mosquitto(t)
	config := map[string]string{"name": "c", "mqtt.server.uri": b.URL(), "mqtt.topics": "things/#", "topic": "things", "mqtt.shared.subscription.group": "g"}
	b.session("c-0", "$share/g/things/#")
	b.session("c-1", "$share/g/things/#")
	var tasks []*connectortest.Source
	for i, c := range connectortest.TaskConfigs(t, source, config, 2) {
		tasks = append(tasks, connectortest.StartSourceTask(t, source, c, i, nil))
	}
	b.publish("things/1", "1", "2", "3", "4")
	seen := make(map[string]int)
	for _, s := range tasks {
		for _, r := range s.Wait(2) {
			seen[string(r.Value.([]byte))]++
		}
	}
	if diff := cmp.Diff(map[string]int{"1": 1, "2": 1, "3": 1, "4": 1}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestSink(t *testing.T) {
	t.Run("publishes_again_what_was_not_confirmed", func(t *testing.T) {
		b := mosquitto(t)
		received := b.subscribe("out/#")
		proxy := connectortest.NewProxy(t, b.Addr)
		s := connectortest.StartSink(t, sink, map[string]string{"name": "c", "mqtt.server.uri": "tcp://" + proxy.Addr(), "mqtt.topic": "out/${topic}", "mqtt.ack.timeout.ms": "2000"})
		s.Put(connectortest.Records("topic", 0, "a", "b")...)
		proxy.Cut()
		s.Put(connectortest.Records("topic", 2, "c", "d")...)
		if diff := cmp.Diff([]string{"a", "b", "c", "d"}, received(4)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("reports_what_cannot_be_published", func(t *testing.T) {
		b := mosquitto(t)
		received := b.subscribe("#")
		s := connectortest.StartSink(t, sink, map[string]string{"name": "c", "mqtt.server.uri": b.URL()})
		s.Context.Tolerant = true
		s.Put(connectortest.Record("topic", 0, connectors.Int32Schema, int32(1)), connectortest.Record("topic", 1, connectors.StringSchema, "x"))
		if got := s.Context.Reported(); len(got) != 1 || got[0].Record.Offset != 0 {
			t.Errorf("reported %+v, want the record at offset 0", got)
		}
		if diff := cmp.Diff([]string{"x"}, received(1)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConfig(t *testing.T) {
	base := map[string]string{"name": "c", "mqtt.server.uri": "tcp://127.0.0.1:1883", "mqtt.topics": "a", "kafka.topic": "t"}
	for _, c := range []struct{ key, value, want string }{
		{"mqtt.server.uri", "http://x", "scheme of tcp"},
		{"mqtt.server.uri", "", "at least one server URI"},
		{"mqtt.topics", "a/#/b", "# stands alone at the end"},
		{"mqtt.topics", "a+", "+ stands alone between slashes"},
		{"mqtt.topics", "$share/x", "$share/group/filter"},
		{"kafka.topic", "a,b", "exactly one topic"},
		{"topics", "other", "mean the same"},
		{"mqtt.qos", "3", "mqtt.qos"},
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
