package mirror

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
)

// syncState decides when an offset sync of a partition is due at once: when translated offsets would be lag behind, when the source has
// skipped an offset or the target gone back, and for the first record.
type syncState struct {
	lag                  int64
	upstream, downstream int64 // of the record before
	synced               int64 // downstream offset of the sync before
}

func newSyncState(lag int64) syncState {
	return syncState{lag: lag, upstream: -1, downstream: -1, synced: -1}
}

func (s *syncState) due(upstream, downstream int64) bool {
	// A group behind a sync is translated to one offset past it.
	due := s.synced == -1 || downstream-(s.synced+1) >= s.lag || upstream-s.upstream != 1 || downstream < s.downstream
	if due {
		s.synced = downstream
	}
	s.upstream, s.downstream = upstream, downstream
	return due
}

// maxSyncsUnderWay bounds what the offset-syncs topic has not acknowledged.
const maxSyncsUnderWay = 10

// A syncWriter writes offset syncs, of each partition the latest that is due. A nil one does nothing.
type syncWriter struct {
	producer *kgo.Client
	topic    string
	log      connectors.Logger

	// sending keeps syncs in order: it is held from taking them to handing them to the producer. It is locked before mu.
	sending sync.Mutex

	mu sync.Mutex
	// delayed are for a calm moment, pending for as soon as fewer are under way.
	delayed, pending map[*mirrored]offsetSync
	underWay         int
}

func newSyncWriter(producer *kgo.Client, topic string, log connectors.Logger) *syncWriter {
	return &syncWriter{producer: producer, topic: topic, log: log, delayed: make(map[*mirrored]offsetSync), pending: make(map[*mirrored]offsetSync)}
}

// note takes note of acknowledged records.
func (w *syncWriter) note(records []connectors.CommittedRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last *mirrored // of the run of records that are not due
	var delayed offsetSync
	end := func() {
		if last != nil {
			w.delayed[last] = delayed
		}
	}
	for i := range records {
		r := &records[i]
		m, ok := r.Record.Handle.(*mirrored)
		at, isPosition := r.Record.SourceOffset.(*position)
		if r.Offset < 0 || !ok || !isPosition {
			continue // dropped by a transform
		}
		sync := offsetSync{m.topicPartition, int64(*at), r.Offset}
		if last != m {
			end()
			last = nil
		}
		if m.sync.due(sync.upstream, sync.downstream) {
			w.pending[m] = sync
			delete(w.delayed, m)
			last = nil
		} else {
			last, delayed = m, sync
		}
	}
	end()
}

// promote makes what was delayed due.
func (w *syncWriter) promote() {
	if w == nil {
		return
	}
	w.mu.Lock()
	for m, sync := range w.delayed {
		w.pending[m] = sync
	}
	clear(w.delayed)
	w.mu.Unlock()
	w.fire()
}

// fire sends what may be sent. It does not wait for the producer, nor does that call back within TryProduce.
func (w *syncWriter) fire() {
	w.sending.Lock()
	defer w.sending.Unlock()
	w.mu.Lock()
	var ready []offsetSync
	for m, sync := range w.pending {
		if w.underWay == maxSyncsUnderWay {
			break
		}
		w.underWay++
		delete(w.pending, m)
		ready = append(ready, sync)
	}
	w.mu.Unlock()
	for _, s := range ready {
		record := &kgo.Record{Topic: w.topic, Partition: 0, Key: s.key(), Value: s.value()}
		w.producer.TryProduce(context.Background(), record, w.sent)
	}
}

func (w *syncWriter) sent(_ *kgo.Record, err error) {
	if err != nil {
		w.log.Error("an offset sync was not written: translated offsets stay behind until the next one", "topic", w.topic, "err", err)
	}
	w.mu.Lock()
	w.underWay--
	more := len(w.pending) > 0
	w.mu.Unlock()
	if more {
		w.fire()
	}
}

// close writes all that there is, while ctx lasts.
func (w *syncWriter) close(ctx context.Context) error {
	if w == nil {
		return nil
	}
	w.promote()
	err := w.producer.Flush(ctx)
	w.producer.Close()
	if err != nil {
		return fmt.Errorf("write offset syncs: %w", err)
	}
	return nil
}
