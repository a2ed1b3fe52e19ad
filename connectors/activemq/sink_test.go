package activemq_test

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/activemq/activemqtest"
	"millrace/connectors/connectortest"
)

func sinkConfig(addr string, more ...map[string]string) map[string]string {
	return merge(append([]map[string]string{{"activemq.server_uris": "failover:(tcp://" + addr + ")?maxReconnectDelay=200"}}, more...)...)
}

func TestSinkMessages(t *testing.T) {
	b := activemqtest.Shared(t)

	t.Run("go_to_the_queue_of_the_topic's_name", func(t *testing.T) {
		sub := dial(t, b.Stomp).subscribe("/queue/ThingsDownstreamMqttSinkTopic")
		s := connectortest.StartSink(t, sink, map[string]string{
			"topics": "ThingsDownstreamMqttSinkTopic", "activemq.server_uris": "failover:(tcp://" + b.Stomp + ")?randomize=false",
		})
		s.Put(connectortest.Records("ThingsDownstreamMqttSinkTopic", 0, "on")...)
		m := receive(t, sub, 1)[0]
		if string(m.Body) != "on" || m.Header.Get("persistent") != "true" {
			t.Errorf("message %q %+v", m.Body, m.Header)
		}
	})

	t.Run("carry_headers_key_and_metadata", func(t *testing.T) {
		sub := dial(t, b.Stomp).subscribe("/topic/" + queue(t))
		s := connectortest.StartSink(t, sink, sinkConfig(b.Stomp, map[string]string{
			"activemq.destination": "topic://" + queue(t), "jms.forward.kafka.key": "true", "jms.forward.kafka.metadata": "true",
			"activemq.priority": "9", "activemq.ttl.ms": "60000", "activemq.persistent": "false",
		}))
		r := connectortest.Record("t", 41, connectors.StringSchema, "x")
		r.Key = "key:1"
		r.Headers = connectors.Headers{
			{Key: "plain", Value: "äöü: \\ and\nmore"}, {Key: "number", Value: int64(7)}, {Key: "bytes", Value: []byte("text")},
			{Key: "destination", Value: "elsewhere"}, {Key: "receipt", Value: "r"}, {Key: "JMSType", Value: "kind"},
			{Key: "JMSMessageID", Value: "ID:old"}, {Key: "JMSDestination", Value: "queue://old"}, {Key: "JMSReplyTo", Value: "queue://answers"},
			{Key: "long", Value: strings.Repeat("x", 20000)},
		}
		s.Put(r)
		m := receive(t, sub, 1)[0]
		got := map[string]string{}
		for i := range m.Header.Len() {
			name, value := m.Header.GetAt(i)
			got[name] = value
		}
		for _, name := range []string{"message-id", "subscription", "timestamp", "expires"} {
			if got[name] == "" || got[name] == "0" || got[name] == "ID:old" {
				t.Errorf("%s is %q", name, got[name])
			}
			delete(got, name)
		}
		want := map[string]string{
			"destination": "/topic/" + queue(t), "correlation-id": "key:1", "priority": "9", "type": "kind", "reply-to": "/queue/answers",
			"plain": "äöü: \\ and\nmore", "number": "7", "bytes": "text", "kafka_destination": "elsewhere", "kafka_receipt": "r",
			"KAFKA_TOPIC": "t", "KAFKA_PARTITION": "0", "KAFKA_OFFSET": "41",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})

	t.Run("are_text_or_bytes", func(t *testing.T) {
		sub := dial(t, b.Stomp).subscribe("/queue/" + queue(t))
		s := connectortest.StartSink(t, sink, sinkConfig(b.Stomp, map[string]string{"activemq.destination": queue(t)}))
		schema := connectors.StructOf(connectors.Field{Name: "a", Schema: connectors.Int32Schema},
			connectors.Field{Name: "d", Schema: connectors.DecimalSchema(1)}, connectors.Field{Name: "s", Schema: connectors.StringSchema})
		value := connectors.NewStruct(schema)
		value.Set(0, int32(1))
		value.Set(1, connectors.Decimal{Unscaled: big.NewInt(15), Scale: 1})
		value.Set(2, "<&>")
		big := strings.Repeat("x", 1<<20)
		s.Put(
			connectortest.Record("t", 0, connectors.BytesSchema, []byte{0, 1, 0xff}),
			connectortest.Record("t", 1, connectors.StringSchema, "nul\x00inside"),
			connectortest.Record("t", 2, schema, value),
			connectortest.Record("t", 3, nil, int64(7)),
			connectortest.Record("t", 4, nil, nil),
			connectortest.Record("t", 5, connectors.StringSchema, big),
		)
		var bodies []string
		var isBytes []bool
		for _, m := range receive(t, sub, 5) {
			bodies = append(bodies, string(m.Body))
			isBytes = append(isBytes, m.Header.Get("content-length") != "")
		}
		if diff := cmp.Diff([]string{"\x00\x01\xff", "nul\x00inside", `{"a":1,"d":1.5,"s":"<&>"}`, "7", big}, bodies); diff != "" {
			t.Errorf("bodies (-want +got):\n%s", diff[:min(500, len(diff))])
		}
		if !isBytes[0] || isBytes[2] || isBytes[3] || isBytes[4] {
			t.Errorf("bytes messages: %v", isBytes)
		}
	})

	t.Run("go_where_a_template_says", func(t *testing.T) {
		c := dial(t, b.Stomp)
		sub := c.subscribe("/queue/out." + queue(t) + ".7")
		s := connectortest.StartSink(t, sink, sinkConfig(b.Stomp, map[string]string{"activemq.destination": "queue://out.${topic}.${header:id}"}))
		r := connectortest.Record(queue(t), 0, connectors.StringSchema, "x")
		r.Headers = connectors.Headers{{Key: "id", Value: int32(7)}}
		s.Put(r)
		receive(t, sub, 1)
	})
}

func TestSinkBadRecords(t *testing.T) {
	b := activemqtest.Shared(t)

	t.Run("are_found_in_their_transaction_and_reported", func(t *testing.T) {
		sub := dial(t, b.Stomp).subscribe("/queue/" + queue(t))
		config := sinkConfig(b.Stomp, map[string]string{"activemq.destination": queue(t), "batch.max.bytes": "100000000"})
		s := connectortest.StartSink(t, sink, config)
		records := connectortest.Records("t", 0, numbered(20)...)
		records[13].Value = strings.Repeat("x", activemqtest.MaxData+1)
		err := s.TryPut(context.Background(), records...)
		for connectors.Retriable(err) {
			err = s.TryPut(context.Background(), records...)
		}
		if err == nil || !strings.Contains(err.Error(), "t-0 offset 13") {
			t.Fatalf("without a reporter: %v", err)
		}
		s.Stop()

		tolerant := connectortest.StartSinkContext(t, sink, config, func(c *connectortest.SinkContext) { c.Tolerant = true })
		tolerant.Put(records...)
		reported := tolerant.Context.Reported()
		if len(reported) != 1 || reported[0].Record.Offset != 13 {
			t.Fatalf("reported %d records", len(reported))
		}
		want := map[string]bool{}
		for i, text := range numbered(20) {
			if i != 13 {
				want[text] = true
			}
		}
		got := map[string]bool{}
		for len(got) < len(want) {
			got[string(receive(t, sub, 1)[0].Body)] = true
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("that_cannot_be_messages_fail_without_a_reporter", func(t *testing.T) {
		for name, config := range map[string]map[string]string{
			"null":        {"behavior.on.null.values": "fail"},
			"no header":   {"activemq.destination": "${header:missing}"},
			"not a queue": {"activemq.destination": "${header:list}", "activemq.destination.type": "queue"},
		} {
			s := connectortest.StartSink(t, sink, sinkConfig(b.Stomp, config))
			r := connectortest.Record("t", 0, nil, nil)
			if name != "null" {
				r = connectortest.Record("t", 0, nil, "x")
				r.Headers = connectors.Headers{{Key: "list", Value: "topic://x"}}
			}
			err := s.TryPut(t.Context(), r)
			if _, ok := errors.AsType[*connectors.DataError](err); !ok || connectors.Retriable(err) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	})
}
