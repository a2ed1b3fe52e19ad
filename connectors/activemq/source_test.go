package activemq_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/connectortest"
)

func sourceConfig(t *testing.T, addr string, more ...map[string]string) map[string]string {
	return merge(append([]map[string]string{{
		"activemq.server_uris": "failover:(tcp://" + addr + ")?maxReconnectDelay=200", "activemq.destination": queue(t), "topic": "t",
	}}, more...)...)
}

func numbered(n int) []string {
	v := make([]string, n)
	for i := range v {
		v[i] = fmt.Sprintf("message-%06d", i)
	}
	return v
}

func texts(records []*connectors.SourceRecord) []string {
	var v []string
	for _, r := range records {
		if b, ok := r.Value.([]byte); ok {
			v = append(v, string(b))
			continue
		}
		v = append(v, r.Value.(string))
	}
	return v
}

func TestSourceRecords(t *testing.T) {
	b := activemqtest.Shared(t)

	t.Run("headers_and_properties", func(t *testing.T) {
		c := dial(t, b.Stomp)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp, map[string]string{"record.key": "correlation-id"}), nil)
		c.send("/queue/"+queue(t), []string{"text"}, "correlation-id", "c:1", "type", "kind", "priority", "7", "reply-to", "/queue/answers",
			"timestamp", "1700000000123", "thing", "äöü: \\ and\nmore")
		r := s.Wait(1)[0]
		got := map[string]any{}
		for _, h := range r.Headers {
			got[h.Key] = h.Value
		}
		id, _ := got["JMSMessageID"].(string)
		if !strings.HasPrefix(id, "ID:") {
			t.Errorf("JMSMessageID is %q", id)
		}
		delete(got, "JMSMessageID")
		want := map[string]any{
			"JMSDestination": "queue://" + queue(t), "JMSCorrelationID": "c:1", "JMSType": "kind", "JMSPriority": int32(7),
			"JMSReplyTo": "queue://answers", "JMSTimestamp": int64(1700000000123), "JMSExpiration": int64(0),
			"JMSDeliveryMode": int32(2), "thing": "äöü: \\ and\nmore",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if r.Key != "c:1" || r.Value != "text" || r.Timestamp != 1700000000123 || r.Topic != "t" ||
			r.Partition != connectors.NoPartition || r.SourcePartition != nil || r.SourceOffset != nil {
			t.Errorf("record %+v", r)
		}
		s.CommitAll()
	})

	t.Run("text_and_bytes", func(t *testing.T) {
		c := dial(t, b.Stomp)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp), nil)
		big := strings.Repeat("0123456789abcdef", 1<<16)
		binary := []byte{0, 1, 0xff, '\n', 0}
		for _, m := range []struct {
			body    []byte
			options []string
		}{{binary, nil}, {[]byte(big), []string{"amq-msg-type", "text"}}, {[]byte("nul\x00inside"), []string{"amq-msg-type", "text"}}, {nil, nil}} {
			var h []func(*frame.Frame) error
			for i := 0; i < len(m.options); i += 2 {
				h = append(h, stomp.SendOpt.Header(m.options[i], m.options[i+1]))
			}
			if err := c.conn.Send("/queue/"+queue(t), "", m.body, append(h, stomp.SendOpt.Receipt)...); err != nil {
				t.Fatal(err)
			}
		}
		r := s.Wait(4)
		if diff := cmp.Diff([]any{binary, big, "nul\x00inside", []byte{}},
			[]any{r[0].Value, r[1].Value, r[2].Value, r[3].Value}); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff[:min(len(diff), 500)])
		}
		if r[0].ValueSchema != connectors.BytesSchema || r[1].ValueSchema != connectors.StringSchema {
			t.Errorf("schemas %v %v", r[0].ValueSchema, r[1].ValueSchema)
		}
		s.CommitAll()
	})

	t.Run("no_headers_and_text_as_bytes", func(t *testing.T) {
		c := dial(t, b.Stomp)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp,
			map[string]string{"record.headers": "none", "record.format": "bytes", "record.timestamp": "now"}), nil)
		c.send("/queue/"+queue(t), []string{"x"}, "timestamp", "1000")
		r := s.Wait(1)[0]
		if len(r.Headers) != 0 || string(r.Value.([]byte)) != "x" || r.Timestamp <= 1000 {
			t.Errorf("record %+v", r)
		}
		s.CommitAll()
	})
}

func TestSourceDestinations(t *testing.T) {
	b := activemqtest.Shared(t)

	t.Run("virtual_topic_with_the_users_wildcards", func(t *testing.T) {
		config := map[string]string{
			"topics": "ThingsUpstreamSourceTopic", "activemq.server_uris": "failover:(tcp://" + b.Stomp + ")?randomize=false",
			"activemq.destination": "Consumer.Iot-Hub-Kafka-Mqtt.VirtualTopic.conpany.v1.things.*.>",
		}
		configs := connectortest.TaskConfigs(t, source, config, 10)
		if len(configs) != 10 {
			t.Fatalf("%d task configs", len(configs))
		}
		s := connectortest.StartSource(t, source, config, nil)
		s.AwaitPolls(1) // the queue exists once somebody has subscribed
		c := dial(t, b.Stomp)
		c.send("/topic/VirtualTopic.conpany.v1.things.7.temperature.in", []string{"21.5"})
		r := s.Wait(1)[0]
		origin, _ := r.Headers.Last("JMSOriginalDestination")
		if r.Topic != "ThingsUpstreamSourceTopic" || r.Value != "21.5" || origin.Value != "topic://VirtualTopic.conpany.v1.things.7.temperature.in" {
			t.Errorf("record %+v", r)
		}
		s.CommitAll()
	})

	t.Run("wildcard_queue_to_topics_by_destination", func(t *testing.T) {
		c := dial(t, b.Stomp)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp,
			map[string]string{"activemq.destination": "queue://wild.*.in", "topic": "from-${destination}-${header:kind}"}), nil)
		c.send("/queue/wild.a.in", []string{"a"}, "kind", "x/y")
		c.send("/queue/wild.b.in", []string{"b"}, "kind", "z")
		got := map[string]any{}
		for _, r := range s.Wait(2) {
			got[r.Topic] = r.Value
		}
		if diff := cmp.Diff(map[string]any{"from-wild.a.in-x_y": "a", "from-wild.b.in-z": "b"}, got); diff != "" {
			t.Error(diff)
		}
		s.CommitAll()
	})

	t.Run("composite", func(t *testing.T) {
		c := dial(t, b.Stomp)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp,
			map[string]string{"activemq.destination": "composite.a, queue://composite.b"}), nil)
		c.send("/queue/composite.a", []string{"a"})
		c.send("/queue/composite.b", []string{"b"})
		got := texts(s.Wait(2))
		slices.Sort(got)
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
			t.Error(diff)
		}
		s.CommitAll()
	})

	t.Run("selector", func(t *testing.T) {
		c := dial(t, b.Stomp)
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp, map[string]string{"jms.message.selector": "level > 5"}), nil)
		c.send("/queue/"+queue(t), []string{"low"}, "level", "1")
		c.send("/queue/"+queue(t), []string{"high"}, "level", "9")
		if got := s.Wait(1)[0].Value; got != "high" {
			t.Errorf("got %v", got)
		}
		s.CommitAll()
		s.Stop()
		if n := c.count("/queue/" + queue(t)); n != 1 {
			t.Errorf("%d messages are left, want the one that does not match", n)
		}
	})

	t.Run("durable_topic", func(t *testing.T) {
		config := sourceConfig(t, b.Stomp, map[string]string{"activemq.destination": "topic://durable", "activemq.subscription.name": "sub"})
		if n := len(connectortest.TaskConfigs(t, source, config, 5)); n != 1 {
			t.Errorf("%d tasks read a topic", n)
		}
		s := connectortest.StartSource(t, source, config, nil)
		c := dial(t, b.Stomp)
		awaitSubscribed(t, s, c, "/topic/durable")
		s.Stop()
		c.send("/topic/durable", []string{"while away"})
		s = connectortest.StartSource(t, source, config, nil)
		if got := s.Wait(1)[0].Value; got != "while away" {
			t.Errorf("got %v", got)
		}
		s.CommitAll()
	})

	t.Run("competing_tasks", func(t *testing.T) {
		config := sourceConfig(t, b.Stomp, map[string]string{"activemq.prefetch": "10"})
		var tasks []*connectortest.Source
		for i, task := range connectortest.TaskConfigs(t, source, config, 3) {
			tasks = append(tasks, connectortest.StartSourceTask(t, source, task, i, nil))
		}
		for _, s := range tasks {
			s.AwaitPolls(1)
		}
		want := numbered(300)
		dial(t, b.Stomp).send("/queue/"+queue(t), want)
		seen := map[string]int{}
		for polls := 0; len(seen) < len(want) && polls < 3000; polls++ {
			for _, s := range tasks {
				s.CommitAll()
				for _, text := range texts(s.Wait(0)) {
					seen[text] = 1
				}
			}
			tasks[polls%3].AwaitPolls(1)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		for i, s := range tasks {
			if polled, _ := s.Count(); polled == 0 || polled == len(want) {
				t.Errorf("task %d got %d messages", i, polled)
			}
		}
	})
}

// awaitSubscribed sends to a topic until the source gets a message: there is no other sign that it has subscribed.
func awaitSubscribed(t *testing.T, s *connectortest.Source, c *client, topic string) {
	t.Helper()
	for range 30 {
		c.send(topic, []string{"are you there?"})
		s.AwaitPolls(1)
		if polled, _ := s.Count(); polled > 0 {
			s.CommitAll()
			return
		}
	}
	t.Fatal("the source does not subscribe")
}

func TestSourceAcknowledges(t *testing.T) {
	b := activemqtest.Shared(t)

	for _, mode := range []string{"client", "individual"} {
		t.Run("only_what_the_log_has_in_mode_"+mode, func(t *testing.T) {
			c := dial(t, b.Stomp)
			want := numbered(100)
			c.send("/queue/"+queue(t), want)
			config := sourceConfig(t, b.Stomp, map[string]string{"activemq.ack.mode": mode})
			s := connectortest.StartSource(t, source, config, nil)
			s.Wait(100)
			s.Commit(40)
			s.Stop()
			if n := c.count("/queue/" + queue(t)); n != 60 {
				t.Errorf("the broker holds %d messages, want 60", n)
			}
			s = connectortest.StartSource(t, source, config, nil)
			records := s.Wait(60)
			if diff := cmp.Diff(want[40:], texts(records)); diff != "" {
				t.Errorf("delivered again (-want +got):\n%s", diff)
			}
			if h, ok := records[0].Headers.Last("JMSRedelivered"); !ok || h.Value != true {
				t.Errorf("JMSRedelivered is %v", h.Value)
			}
			s.CommitAll()
			s.Stop()
			if n := c.count("/queue/" + queue(t)); n != 0 {
				t.Errorf("%d messages are left", n)
			}
		})
	}

	t.Run("never_past_one_that_the_log_does_not_have", func(t *testing.T) {
		c := dial(t, b.Stomp)
		c.send("/queue/"+queue(t), numbered(10))
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp), nil)
		s.Wait(10)
		s.CommitOnly(0, 1, 2, 5, 6, 9) // out of order, as partitions answer
		s.Stop()
		if n := c.count("/queue/" + queue(t)); n != 7 {
			t.Errorf("the broker holds %d messages, want 7: the first three are acknowledged", n)
		}
	})

	t.Run("with_a_window_of_one", func(t *testing.T) {
		c := dial(t, b.Stomp)
		c.send("/queue/"+queue(t), numbered(20))
		s := connectortest.StartSource(t, source, sourceConfig(t, b.Stomp,
			map[string]string{"activemq.prefetch": "1", "max.pending.messages": "1"}), nil)
		for i := range 20 {
			if polled := len(s.Wait(i + 1)); polled != i+1 {
				t.Fatalf("%d records are out while one is allowed", polled-i)
			}
			s.Commit(1)
		}
	})
}
