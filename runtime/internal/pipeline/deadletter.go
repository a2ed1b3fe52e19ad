package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A DeadLetterQueue is the topic for records of one task that failed.
type DeadLetterQueue struct {
	Connector string
	Task      int
	Topic     string
	// Context adds headers that tell what happened.
	Context  bool
	Producer *kgo.Client
	// Redact removes secrets from the texts of errors; nil leaves them as they are.
	Redact func(string) string
	// Sent and Failed count.
	Sent, Failed prometheus.Counter
}

// Create creates the topic if it is not there: one partition, as Kafka Connect does.
func (q *DeadLetterQueue) Create(ctx context.Context, admin *kadm.Client, replication int16) error {
	topics, err := admin.ListTopics(ctx, q.Topic)
	if err != nil {
		return fmt.Errorf("dead letter queue %s: %w", q.Topic, err)
	}
	if topics.Has(q.Topic) {
		return nil
	}
	if _, err := admin.CreateTopic(ctx, 1, replication, nil, q.Topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create dead letter queue %s with replication factor %d "+
			"(errors.deadletterqueue.topic.replication.factor): %w", q.Topic, replication, err)
	}
	return nil
}

// Send writes key, value, headers and timestamp of r for the failure f. It does not wait: done is called once the log has the
// record, or with the error that ends the task.
func (q *DeadLetterQueue) Send(f *Failure, r *kgo.Record, done func(error)) {
	letter := &kgo.Record{Topic: q.Topic, Partition: -1, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
	if q.Context {
		context := ContextHeaders(q.Connector, q.Task, f, q.Redact)
		letter.Headers = append(make([]kgo.RecordHeader, 0, len(r.Headers)+len(context)), r.Headers...)
		letter.Headers = append(letter.Headers, context...)
	}
	if letter.Timestamp.UnixMilli() < 0 {
		letter.Timestamp = time.Time{} // no timestamp: the time of writing
	}
	q.Producer.Produce(context.Background(), letter, func(_ *kgo.Record, err error) {
		if err != nil {
			q.Failed.Inc()
			done(&FatalError{Msg: deadLetterFailed + q.Topic, Cause: err})
			return
		}
		q.Sent.Inc()
		done(nil)
	})
}
