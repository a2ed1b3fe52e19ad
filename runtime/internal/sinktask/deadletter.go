package sinktask

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/runtime/internal/pipeline"
)

// DeadLetters is the dead letter queue of one task. No offset of a partition is committed before the queue has the records below
// it that it was given.
type DeadLetters struct {
	Connector string
	Task      int
	Topic     string
	// Context adds headers that tell what happened.
	Context  bool
	Producer *kgo.Client
	// Sent and Failed count.
	Sent, Failed prometheus.Counter
	// Fail ends the task when the queue refuses a record.
	Fail func(error)

	mu sync.Mutex
	// pending are the offsets on their way, by the partition they were read from.
	pending map[connectors.TopicPartition]map[int64]bool
	moved   chan struct{} // closed when pending shrinks and somebody waits
}

var _ pipeline.Reporter = (*DeadLetters)(nil)

// Create creates the topic if it is not there: one partition, as Kafka Connect does.
func (d *DeadLetters) Create(ctx context.Context, admin *kadm.Client, replication int16) error {
	topics, err := admin.ListTopics(ctx, d.Topic)
	if err != nil {
		return fmt.Errorf("dead letter queue %s: %w", d.Topic, err)
	}
	if topics.Has(d.Topic) {
		return nil
	}
	if _, err := admin.CreateTopic(ctx, 1, replication, nil, d.Topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create dead letter queue %s with replication factor %d "+
			"(errors.deadletterqueue.topic.replication.factor): %w", d.Topic, replication, err)
	}
	return nil
}

// Report implements pipeline.Reporter. It does not wait for the log.
func (d *DeadLetters) Report(_ context.Context, f *pipeline.Failure) error {
	in := f.Consumed
	if in == nil {
		return nil
	}
	var headers []kgo.RecordHeader
	if d.Context {
		headers = pipeline.ContextHeaders(d.Connector, d.Task, f)
	}
	tp := connectors.TopicPartition{Topic: in.Topic, Partition: in.Partition}
	d.add(tp, in.Offset)
	offset := in.Offset
	d.Producer.Produce(context.Background(), pipeline.DeadLetter(d.Topic, in, headers), func(_ *kgo.Record, err error) {
		if err != nil {
			// The offset stays pending: nothing above it is committed.
			d.Failed.Inc()
			d.Fail(&pipeline.FatalError{Msg: "Could not write to the dead letter queue " + d.Topic, Cause: err})
			return
		}
		d.Sent.Inc()
		d.remove(tp, offset)
	})
	return nil
}

func (d *DeadLetters) add(tp connectors.TopicPartition, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending == nil {
		d.pending = make(map[connectors.TopicPartition]map[int64]bool)
	}
	if d.pending[tp] == nil {
		d.pending[tp] = make(map[int64]bool)
	}
	d.pending[tp][offset] = true
}

func (d *DeadLetters) remove(tp connectors.TopicPartition, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pending[tp], offset)
	if len(d.pending[tp]) == 0 {
		delete(d.pending, tp)
	}
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}

// limit lowers the offset to commit to the first record that the queue does not have yet.
func (d *DeadLetters) limit(tp connectors.TopicPartition, offset int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.pending[tp]) == 0 {
		return offset
	}
	return min(offset, slices.Min(slices.Collect(maps.Keys(d.pending[tp]))))
}

// await waits until the queue has what parts gave it.
func (d *DeadLetters) await(ctx context.Context, parts []connectors.TopicPartition, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		d.mu.Lock()
		waiting := slices.ContainsFunc(parts, func(tp connectors.TopicPartition) bool { return len(d.pending[tp]) > 0 })
		if waiting && d.moved == nil {
			d.moved = make(chan struct{})
		}
		moved := d.moved
		d.mu.Unlock()
		if !waiting {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}
