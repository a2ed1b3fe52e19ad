package controller_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/quorum"
)

func TestRestart(t *testing.T) {
	c, q := cluster(t, 2)
	create(t, c, topic("a"))
	q.updates <- quorum.Update{CompactionDue: true, Applied: c.Image().Index()}
	await(t, func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.snap.Index > 0 })

	again := newFakeQuorum()
	<-again.updates
	again.updates <- quorum.Update{Snapshot: &q.snap}
	c2 := start(t, again)
	again.lead(2)
	if _, err := c2.AllocateProducerIDs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := c2.Image().Topic("a"), c.Image().Topic("a"); !cmp.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if c2.Image().ClusterID() != c.Image().ClusterID() || c.Image().ClusterID() == "" || c.Image().Feature("metadata.version") != 1 {
		t.Errorf("cluster %q became %q", c.Image().ClusterID(), c2.Image().ClusterID())
	}

	other := newFakeQuorum()
	<-other.updates
	other.updates <- quorum.Update{Snapshot: &q.snap}
	stranger, err := controller.New(controller.Config{Quorum: other, ClusterID: "another"})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("a log of another cluster: %v", err)
	}
}

func TestReplayShowsNothingOfThePast(t *testing.T) {
	c, q := cluster(t, 1)
	create(t, c, topic("a"))
	if _, err := c.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	create(t, c, topic("a"), topic("b"))
	now := c.Image().Topic("a").ID

	again := newFakeQuorum()
	c2, err := controller.New(controller.Config{NodeID: 1, Quorum: again})
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	c2.Subscribe(func(_, next *metadata.Image) {
		if shown++; shown > 1 {
			return // what comes later is of the present
		}
		if a := next.Topic("a"); a == nil || a.ID != now || next.Topic("b") == nil {
			t.Errorf("the first image is one of the past: a %+v, b %+v", a, next.Topic("b"))
		}
	})
	for _, e := range q.log {
		again.updates <- quorum.Update{Entries: []quorum.Entry{e}}
	}
	again.index = q.index
	again.lead(2)
	run(t, c2)
	register(t, c2, 1, 2)
	if shown == 0 {
		t.Error("nothing was shown")
	}
}
