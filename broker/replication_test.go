package broker_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker/brokertest"
)

// leaderOf is the node that leads partition 0 of a topic as a client sees it, -1 for none, with the number in sync.
func leaderOf(t *testing.T, admin *kadm.Client, topic string) (leader int32, isr int) {
	t.Helper()
	m, err := admin.Metadata(t.Context(), topic)
	if err != nil {
		return -1, 0 // the node asked has just died
	}
	p := m.Topics[topic].Partitions[0]
	return p.Leader, len(p.ISR)
}

// TestKillLeaders kills the brokers that lead, whole nodes with the controller among them, while an idempotent producer goes on:
// nothing acknowledged is lost, nothing is there twice, and the partition is fully replicated again afterwards.
func TestKillLeaders(t *testing.T) {
	c := brokertest.StartCluster(t, 3)
	client := c.Client(kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(100),
		kgo.RecordDeliveryTimeout(time.Minute), kgo.MetadataMinAge(50*time.Millisecond), kgo.ConsumeTopics("t"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	admin := kadm.NewClient(c.Client(kgo.MetadataMinAge(50 * time.Millisecond)))
	two := "2"
	if _, err := admin.CreateTopic(t.Context(), 1, 3, map[string]*string{"min.insync.replicas": &two}, "t"); err != nil {
		t.Fatal(err)
	}
	inSync := func() bool { _, isr := leaderOf(t, admin, "t"); return isr == 3 }
	brokertest.Await(t, "three in sync", inSync)

	ctx, stop := context.WithCancel(t.Context())
	var acked, last, worst atomic.Int64
	sent := 0
	produced := make(chan struct{})
	last.Store(time.Now().UnixNano())
	go func() {
		defer close(produced)
		for ctx.Err() == nil {
			sent++
			client.Produce(context.Background(), kgo.StringRecord(fmt.Sprint(sent)), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
				now := time.Now().UnixNano()
				worst.Store(max(worst.Load(), now-last.Swap(now)))
			})
		}
	}()
	more := func() {
		t.Helper()
		was := acked.Load()
		brokertest.Await(t, "more acknowledgements", func() bool { return acked.Load() > was+200 })
	}
	var gaps []time.Duration
	for range 2 {
		more()
		brokertest.Await(t, "three in sync", inSync)
		leader, _ := leaderOf(t, admin, "t")
		i := slices.IndexFunc(c.Nodes, func(n *brokertest.Node) bool { return n.ID == leader })
		worst.Store(0)
		c.Nodes[i].Kill()
		more()
		gaps = append(gaps, time.Duration(worst.Load()).Round(time.Millisecond))
		c.Nodes[i].Start()
	}
	stop()
	<-produced
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records; gaps without acknowledgement %v", sent, gaps)
	brokertest.Await(t, "three in sync", inSync)
	for next := 1; next <= sent; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(next) {
				t.Fatalf("offset %d has %s, want %d", r.Offset, r.Value, next)
			}
			next++
		})
	}
}
