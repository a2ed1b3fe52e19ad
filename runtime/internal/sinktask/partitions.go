package sinktask

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/runtime/internal/pipeline"
)

// A partition is assigned to the task. Offsets are next offsets to read; -1 is unknown.
type partition struct {
	// first is where reading began, delivered what the task has been given, committed what the group knows.
	first, delivered, committed int64
	// end is the high watermark of the last fetch, 0 before.
	end int64
}

func (p *partition) sawFirst(offset int64) {
	if p.first < 0 {
		p.first = offset
	}
}

// A rebalance is a request of the consumer; it waits until it is served.
type rebalance struct {
	kind   rebalanceKind
	parts  []connectors.TopicPartition
	served chan struct{}
}

type rebalanceKind int

const (
	assigned rebalanceKind = iota
	revoked
	lost
)

// request is called by the consumer from its own goroutine.
func (t *Task) request(ctx context.Context, kind rebalanceKind, m map[string][]int32) {
	r := &rebalance{kind: kind, served: make(chan struct{})}
	for topic, partitions := range m {
		for _, p := range partitions {
			r.parts = append(r.parts, connectors.TopicPartition{Topic: topic, Partition: p})
		}
	}
	if len(r.parts) == 0 {
		return
	}
	sortPartitions(r.parts)
	t.change(func() { t.requests = append(t.requests, r) })
	select {
	case <-r.served:
	case <-t.ended:
	case <-ctx.Done():
	}
}

func sortPartitions(parts []connectors.TopicPartition) {
	slices.SortFunc(parts, func(a, b connectors.TopicPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
}

// refuseRequests lets the consumer go: the task has closed its partitions already.
func (t *Task) refuseRequests() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.requests {
		close(r.served)
	}
	t.requests = nil
	t.interrupt = func() {
		for _, r := range t.requests {
			close(r.served)
		}
		t.requests = nil
	}
}

func (t *Task) serve(ctx context.Context, r *rebalance) error {
	switch r.kind {
	case assigned:
		return t.open(ctx, r.parts)
	case revoked:
		return t.close(ctx, r.parts, true)
	default:
		return t.close(ctx, r.parts, false)
	}
}

func (t *Task) open(ctx context.Context, parts []connectors.TopicPartition) error {
	for _, tp := range parts {
		t.parts[tp] = &partition{first: -1, delivered: -1, committed: -1}
	}
	if l, ok := t.cfg.Sink.(connectors.PartitionListener); ok {
		if err := l.OpenPartitions(ctx, parts); err != nil {
			return fmt.Errorf("open partitions: %w", err)
		}
	}
	return nil
}

// close flushes and commits parts unless they are lost, tells the task, and forgets them.
func (t *Task) close(ctx context.Context, parts []connectors.TopicPartition, commit bool) error {
	parts = slices.DeleteFunc(slices.Clone(parts), func(tp connectors.TopicPartition) bool { return t.parts[tp] == nil })
	if len(parts) == 0 {
		return nil
	}
	if commit {
		t.commitNowSync(ctx, parts)
	}
	for _, tp := range parts {
		delete(t.parts, tp)
		delete(t.rewinds, tp)
	}
	t.dropFromBatch()
	if l, ok := t.cfg.Sink.(connectors.PartitionListener); ok {
		if err := l.ClosePartitions(ctx, parts); err != nil {
			return fmt.Errorf("close partitions: %w", err)
		}
	}
	return nil
}

// closeAll ends the task's work on all partitions.
func (t *Task) closeAll(ctx context.Context) (err error) {
	defer pipeline.Recover(&err)
	var parts []connectors.TopicPartition
	for tp := range t.parts {
		parts = append(parts, tp)
	}
	sortPartitions(parts)
	return t.close(ctx, parts, true)
}

// dropFromBatch drops records of partitions that are not ours any more from a batch that waits.
func (t *Task) dropFromBatch() {
	b := &t.batch
	var records []connectors.SinkRecord
	var raw []*kgo.Record
	for i := range b.records {
		if t.parts[b.records[i].Original] != nil {
			records, raw = append(records, b.records[i]), append(raw, b.raw[i])
		}
	}
	if len(records) < len(b.records) {
		t.account.GiveBack(len(b.records) - len(records))
		b.records, b.raw = records, raw
	}
	for tp := range b.next {
		if t.parts[tp] == nil {
			delete(b.next, tp)
		}
	}
}

// rewind moves the consumer to where the task asked for.
func (t *Task) rewind() {
	if len(t.rewinds) == 0 {
		return
	}
	t.seek(t.rewinds)
	for tp, offset := range t.rewinds {
		if part := t.parts[tp]; part != nil {
			part.delivered, part.committed = offset, offset
		}
	}
	t.rewinds = nil
}

func (t *Task) seek(offsets map[connectors.TopicPartition]int64) {
	set := make(map[string]map[int32]kgo.EpochOffset)
	for tp, offset := range offsets {
		if t.parts[tp] == nil {
			continue
		}
		if set[tp.Topic] == nil {
			set[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		set[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	t.consumer.SetOffsets(set)
}
