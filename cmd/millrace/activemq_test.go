package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"

	"millrace/connectors/activemq/activemqtest"
)

// TestUsersActiveMQPair posts the two bodies that users bring, with another port and nothing else changed: what is sent to the
// virtual topic comes out of the Kafka topic as it is, and what is written to the other Kafka topic out of the queue.
func TestUsersActiveMQPair(t *testing.T) {
	mq := activemqtest.New(t)
	w := start(t)
	for _, name := range []string{"iot-data-kafka-mqtt-source", "iot-data-kafka-mqtt-sink"} {
		body, err := os.ReadFile(filepath.Join(examples, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		body = []byte(strings.ReplaceAll(string(body), "127.0.0.1:61613", mq.Stomp))
		if _, err := w.Do(t.Context(), "POST", "/connectors", body); err != nil {
			t.Fatal(err)
		}
		if err := w.Running(t.Context(), name, 1); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := stomp.Dial("tcp", mq.Stomp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.MustDisconnect() }() // the test is over

	// ActiveMQ takes a message without content-length as text.
	// The consumer queue of the virtual topic is there once a task has subscribed; a message sent before that is nobody's.
	const sent = `{"temperature":21}`
	eventually(t, "a message in the Kafka topic", func() bool {
		if err := conn.Send("/topic/VirtualTopic.conpany.v1.things.room.sensor", "text/plain", []byte(sent), stomp.SendOpt.Receipt, stomp.SendOpt.NoContentLength); err != nil {
			t.Fatal(err)
		}
		_, out, _ := millrace(t, "", "consume", "ThingsUpstreamSourceTopic", "-b", w.Kafka, "--from-beginning", "-n", "1", "--idle-timeout", "500ms")
		return strings.TrimSpace(out) == sent
	})

	code, _, errs := millrace(t, "", "produce", "ThingsDownstreamMqttSinkTopic", "open the gate", "-b", w.Kafka)
	if code != 0 {
		t.Fatal(errs)
	}
	sub, err := conn.Subscribe("/queue/ThingsDownstreamMqttSinkTopic", stomp.AckAuto)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-sub.C:
		if m.Err != nil || string(m.Body) != "open the gate" {
			t.Errorf("the queue has %q, %v", m.Body, m.Err)
		}
	case <-time.After(startTimeout):
		status, err := w.Do(t.Context(), "GET", "/connectors/iot-data-kafka-mqtt-sink/status", nil)
		t.Fatalf("nothing came to the queue: %s %v", status, err)
	}
	status, err := w.Do(t.Context(), "GET", "/connectors/iot-data-kafka-mqtt-source/status", nil)
	if err != nil || !json.Valid(status) || strings.Contains(string(status), "FAILED") {
		t.Errorf("the source says %s, %v", status, err)
	}
}
