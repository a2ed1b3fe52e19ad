package sinktask

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/connectors"
	"millrace/runtime/internal/pipeline"
)

// DeadLetters is the dead letter queue of one task. No offset of a partition is committed before the queue has the records below
// it that it was given.
type DeadLetters struct {
	Queue *pipeline.DeadLetterQueue
	// Fail ends the task when the queue refuses a record.
	Fail func(error)

	mu sync.Mutex
	// pending are the offsets on their way, by the partition they were read from.
	pending map[connectors.TopicPartition]map[int64]bool
	moved   chan struct{} // closed when pending shrinks and somebody waits
}

var _ pipeline.Reporter = (*DeadLetters)(nil)

// Report implements pipeline.Reporter. It does not wait for the log.
func (d *DeadLetters) Report(_ context.Context, f *pipeline.Failure) error {
	in := f.Consumed
	if in == nil {
		return nil
	}
	tp := connectors.TopicPartition{Topic: in.Topic, Partition: in.Partition}
	d.add(tp, in.Offset)
	offset := in.Offset
	d.Queue.Send(f, in, func(err error) {
		if err != nil {
			d.Fail(err) // the offset stays pending: nothing above it is committed
			return
		}
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
