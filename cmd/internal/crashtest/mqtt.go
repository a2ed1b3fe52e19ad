package crashtest

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/proc"
)

const mqttTopic = "crash-mqtt"

// MQTTFlow goes from the MQTT broker at url, with QoS 1, into a topic of w.
func MQTTFlow(url string, w *proc.Worker) (Flow, error) {
	// Several producers, to be faster than the worker.
	producers := make([]paho.Client, 4)
	for i := range producers {
		producers[i] = paho.NewClient(paho.NewClientOptions().AddBroker(url).SetClientID(fmt.Sprintf("crash-feed-%d", i)))
		if err := wait(producers[i].Connect()); err != nil {
			return Flow{}, err
		}
	}
	return Flow{
		Name: "MQTT -> topic",
		Connectors: []Connector{
			{"mqtt-source", 1, map[string]string{"connector.class": "MqttSourceConnector", "kafka.topic": mqttTopic, "mqtt.server.uri": url,
				"mqtt.topics": "crash/#", "mqtt.qos": "1", "key.converter": stringConverter, "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"}},
		},
		Backlog:    true,
		Subscribed: func(ctx context.Context) error { return subscribed(ctx, producers[0], w) },
		Feed: func(_ context.Context, from, to int) error {
			tokens := make([]paho.Token, 0, to-from)
			for seq := from; seq < to; seq++ {
				tokens = append(tokens, producers[seq%len(producers)].Publish("crash/1", 1, false, payload(seq)))
			}
			for _, t := range tokens {
				if err := wait(t); err != nil {
					return err
				}
			}
			return nil
		},
		Collect: func(ctx context.Context, seen func(int)) error { return collectTopic(ctx, w, mqttTopic, seen) },
	}, nil
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(30 * time.Second) {
		return fmt.Errorf("no answer from the MQTT broker within 30 s")
	}
	return t.Error()
}

// subscribed publishes marks until one is in the topic: from then on the session of the source keeps everything.
func subscribed(ctx context.Context, producer paho.Client, w *proc.Worker) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	arrived := make(chan error, 1)
	go func() {
		arrived <- collectTopic(ctx, w, mqttTopic, func(int) { cancel() })
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := wait(producer.Publish("crash/1", 1, false, payload(-1))); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case err := <-arrived:
			return err
		}
	}
}

// collectTopic reads the numbers in a topic.
func collectTopic(ctx context.Context, w *proc.Worker, topic string, seen func(int)) error {
	return readTopic(ctx, w, topic, func(r *kgo.Record) error {
		seq, err := sequence(r.Value)
		if err != nil {
			return fmt.Errorf("a record that nobody sent: %q", r.Value)
		}
		seen(seq)
		return nil
	})
}

// readTopic reads a topic from its beginning, over restarts of the worker, until ctx ends.
func readTopic(ctx context.Context, w *proc.Worker, topic string, each func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.UnknownTopicRetries(-1), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		// Errors are of a worker that is away: the client goes on by itself.
		for _, r := range cl.PollFetches(ctx).Records() {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}
