package replica_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/brokertest"
	"millrace/broker/metadata"
)

func produce(t *testing.T, client *kgo.Client, topic string, n int) error {
	t.Helper()
	for i := range n {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

func TestMinInSyncReplicas(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3}, "min.insync.replicas", "2")
	all := c.client(kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordRetries(0), kgo.DisableIdempotentWrite())
	if err := produce(t, all, "t", 3); err != nil {
		t.Fatal(err)
	}
	c.node(2).stop(true)
	if err := produce(t, all, "t", 3); err != nil {
		t.Fatalf("two of three in sync: %v", err)
	}
	c.node(3).stop(true)
	if err := produce(t, all, "t", 1); !errors.Is(err, kerr.NotEnoughReplicas) {
		t.Errorf("one in sync: %v", err)
	}
	one := c.client(kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	if err := produce(t, one, "t", 3); err != nil {
		t.Errorf("acks=1: %v", err)
	}
	p := c.node(1).logs.Get("t", 0)
	if p.HighWatermark() != 6 || p.LogEndOffset() != 9 {
		t.Errorf("high watermark %d, log end %d: records of too few replicas became visible", p.HighWatermark(), p.LogEndOffset())
	}
	c.node(3).start(nil)
	brokertest.Await(t, "two in sync", func() bool { return len(c.partition("t").ISR) == 2 })
	if err := produce(t, all, "t", 1); err != nil {
		t.Error(err)
	}
	c.node(2).start(nil)
	c.awaitISR("t", 3)
	c.same("t")
}

// TestSilentFollower: a follower that stops fetching, without the controller's knowledge, leaves the ISR after
// replica.lag.time.max.ms; until then acks=all waits.
func TestSilentFollower(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3})
	client := c.client()
	if err := produce(t, client, "t", 1); err != nil {
		t.Fatal(err)
	}
	c.node(3).stop(false)
	began := time.Now()
	if err := produce(t, client, "t", 1); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(began); waited < 2*time.Second {
		t.Errorf("acknowledged after %v, without a replica in the ISR", waited)
	}
	brokertest.Await(t, "it to leave the ISR", func() bool { // the leader hears of it before the image is published
		return slices.Equal(c.partition("t").ISR, []metadata.BrokerID{1, 2})
	})
}

func TestReassignmentUnderLoad(t *testing.T) {
	c := startCluster(t, 4, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3})
	client := c.client(kgo.ProducerLinger(0))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			err = client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr()
		}
		ended <- err
	}()
	admin := kadm.NewClient(client)
	var move kadm.AlterPartitionAssignmentsReq
	move.Assign("t", 0, []int32{4, 2, 3})
	if _, err := admin.AlterPartitionAssignments(t.Context(), move); err != nil {
		t.Fatal(err)
	}
	want := []metadata.BrokerID{4, 2, 3}
	brokertest.Await(t, "move to end", func() bool { p := c.partition("t"); return slices.Equal(p.Replicas, want) && len(p.ISR) == 3 })
	if p := c.partition("t"); p.Leader == 1 || len(p.Adding)+len(p.Removing) > 0 {
		t.Errorf("after the move: %+v", *p)
	}
	brokertest.Await(t, "the old replica to go", func() bool { return c.node(1).logs.Get("t", 0) == nil })
	results, err := admin.ElectLeaders(t.Context(), kadm.ElectPreferredReplica, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = results // nothing, if the move has elected the preferred leader
	brokertest.Await(t, "the preferred leader", func() bool { return c.partition("t").Leader == 4 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.same("t")
}

func fetchRequest(id metadata.TopicID, offset int64, rack string) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes, req.Rack, req.SessionEpoch = 16, 1<<20, 1, rack, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.TopicID = id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = offset, 1<<20, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func TestClosestReplica(t *testing.T) {
	c := startCluster(t, 3, nil, "a", "b", "c")
	c.create("t", []metadata.BrokerID{1, 2, 3})
	client := c.client()
	if err := produce(t, client, "t", 5); err != nil {
		t.Fatal(err)
	}
	id := c.ctrl.Image().Topic("t").ID
	fetch := func(broker int, offset int64, rack string) *kmsg.FetchResponseTopicPartition {
		t.Helper()
		resp, err := client.Broker(broker).Request(t.Context(), fetchRequest(id, offset, rack))
		if err != nil {
			t.Fatal(err)
		}
		return &resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	}
	for _, test := range []struct {
		rack string
		want int32
	}{{"b", 2}, {"c", 3}, {"a", -1}, {"", -1}, {"x", -1}} {
		p := fetch(1, 0, test.rack)
		if p.PreferredReadReplica != test.want || (len(p.RecordBatches) > 0) != (test.want == -1) {
			t.Errorf("rack %q: preferred %d and %d bytes, want %d", test.rack, p.PreferredReadReplica, len(p.RecordBatches), test.want)
		}
	}
	brokertest.Await(t, "the follower to know the high watermark", func() bool { return c.node(2).logs.Get("t", 0).HighWatermark() == 5 })
	if p := fetch(2, 0, "b"); p.ErrorCode != 0 || len(p.RecordBatches) == 0 || p.HighWatermark != 5 {
		t.Errorf("from the follower: %+v", p)
	}
	if p := fetch(2, 99, "b"); p.ErrorCode != kerr.OffsetNotAvailable.Code {
		t.Errorf("beyond the follower's end: code %d", p.ErrorCode)
	}
	reader := c.client(kgo.ConsumeTopics("t"), kgo.Rack("b"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for got := 0; got < 5; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		got += fetches.NumRecords()
	}
}

// TestNotLeader: who asks the wrong broker is told the right one (KIP-951).
func TestNotLeader(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3})
	client := c.client()
	id := c.ctrl.Image().Topic("t").ID
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 13, -1, 1000
	rt := kmsg.NewProduceRequestTopic()
	rt.TopicID = id
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = []byte{1}
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	answer, err := client.Broker(2).Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	resp := answer.(*kmsg.ProduceResponse)
	p := &resp.Topics[0].Partitions[0]
	if p.ErrorCode != kerr.NotLeaderForPartition.Code || p.CurrentLeader.LeaderID != 1 || p.CurrentLeader.LeaderEpoch != 0 ||
		len(resp.Brokers) != 1 || resp.Brokers[0].NodeID != 1 || resp.Brokers[0].Host != "127.0.0.1" {
		t.Errorf("produce: %+v", resp)
	}
	fetched := fetchRequest(id, 0, "")
	fetched.Topics[0].Partitions[0].CurrentLeaderEpoch = 7
	answer, err = client.Broker(1).Request(t.Context(), fetched)
	if err != nil {
		t.Fatal(err)
	}
	if code := answer.(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode; code != kerr.UnknownLeaderEpoch.Code {
		t.Errorf("newer epoch: code %d", code)
	}
	c.node(1).stop(true)
	fetched.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
	answer, err = client.Broker(3).Request(t.Context(), fetched)
	if err != nil {
		t.Fatal(err)
	}
	if p := answer.(*kmsg.FetchResponse).Topics[0].Partitions[0]; p.ErrorCode != kerr.FencedLeaderEpoch.Code || p.CurrentLeader.LeaderID != 2 {
		t.Errorf("older epoch: %+v", p)
	}
}

// TestCoordinatorMoves: committed offsets are there when another broker coordinates the group.
func TestCoordinatorMoves(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.create("t", []metadata.BrokerID{1, 2, 3})
	admin := kadm.NewClient(c.client())
	var offsets kadm.Offsets
	offsets.AddOffset("t", 0, 42, -1)
	for round := range int64(3) {
		offsets["t"][0] = kadm.Offset{Topic: "t", At: 42 + round, LeaderEpoch: -1}
		if err := admin.CommitAllOffsets(t.Context(), "g", offsets); err != nil {
			t.Fatal(err)
		}
		found := admin.FindGroupCoordinators(t.Context(), "g")
		n := c.node(metadata.BrokerID(found["g"].NodeID))
		n.stop(true)
		admin = kadm.NewClient(c.client()) // franz-go goes on dialling a coordinator that is gone
		var got kadm.OffsetResponses
		brokertest.Await(t, "the next coordinator", func() bool {
			var err error
			got, err = admin.FetchOffsets(t.Context(), "g")
			return err == nil
		})
		if o, _ := got.Lookup("t", 0); o.At != 42+round {
			t.Errorf("offset %d, want %d", o.At, 42+round)
		}
		n.start(nil)
	}
}
