package mirror

import (
	"sync"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
)

// TestSyncsInOrder has several goroutines write offset syncs of a partition, as a task does. One that is written after a later one would
// look as if the source had begun anew, and make earlier offsets untranslatable.
func TestSyncsInOrder(t *testing.T) {
	c := startTwo(t)
	const topic, n = "mm2-offset-syncs.b.internal", 3000
	c.from.CreateTopic(topic, 1)
	w := newSyncWriter(c.from.Client(), topic, connectortest.Logger(t))
	m := &mirrored{topicPartition: topicPartition{"t", 0}, sync: newSyncState(2)}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					w.promote()
				}
			}
		})
	}
	for i := range position(n) {
		r := connectors.SourceRecord{SourceOffset: &i, Handle: m}
		w.note([]connectors.CommittedRecord{{Record: &r, Offset: int64(i)}})
		w.fire()
	}
	close(done)
	wg.Wait()
	if err := w.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends, err := c.fromC.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	last := int64(-1)
	for _, r := range c.read(topic, int(end.Offset)) {
		s, err := readOffsetSync(r.Key, r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if s.upstream <= last {
			t.Fatalf("the sync of %d was written after that of %d", s.upstream, last)
		}
		last = s.upstream
	}
	if last != n-1 {
		t.Errorf("the last sync is that of %d", last)
	}
}
