package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/brokertest"
)

func fetchPart(resp *kmsg.FetchResponse) kmsg.FetchResponseTopicPartition {
	return resp.Topics[0].Partitions[0]
}

func TestFetchRules(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 2)
	conn := c.Dial()
	batch := testBatch(10)
	for range 3 {
		produceTo(conn, 9, "t", batch)
	}
	fetch := func(offset int64, change ...func(*kmsg.FetchRequest)) kmsg.FetchResponseTopicPartition {
		t.Helper()
		req := fetchOf("t", offset, 1<<20)
		for _, f := range change {
			f(req)
		}
		return fetchPart(conn.Request(req).(*kmsg.FetchResponse))
	}

	t.Run("out of range", func(t *testing.T) {
		for _, offset := range []int64{-1, 31} {
			got := fetch(offset)
			if got.ErrorCode != 1 || got.HighWatermark != -1 || got.LastStableOffset != -1 || got.LogStartOffset != -1 ||
				got.RecordBatches == nil || got.AbortedTransactions != nil {
				t.Errorf("offset %d: %+v", offset, got)
			}
		}
	})
	t.Run("inside a batch", func(t *testing.T) {
		if got := fetch(15); len(got.RecordBatches) != 2*len(batch) {
			t.Errorf("%d bytes", len(got.RecordBatches))
		}
	})
	t.Run("at the end", func(t *testing.T) {
		if got := fetch(30); got.ErrorCode != 0 || len(got.RecordBatches) != 0 || got.HighWatermark != 30 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("the first batch is whole whatever the limits", func(t *testing.T) {
		for _, limit := range []int32{0, 1} {
			got := fetch(0, func(r *kmsg.FetchRequest) { r.MaxBytes, r.Topics[0].Partitions[0].PartitionMaxBytes = limit, limit })
			if len(got.RecordBatches) < len(batch) || len(got.RecordBatches) >= 2*len(batch) {
				t.Errorf("limit %d: %d bytes", limit, len(got.RecordBatches))
			}
		}
	})
	t.Run("limits", func(t *testing.T) {
		limit := int32(len(batch) + len(batch)/2)
		if got := fetch(0, func(r *kmsg.FetchRequest) { r.MaxBytes = limit }); int32(len(got.RecordBatches)) > limit {
			t.Errorf("%d bytes of %d", len(got.RecordBatches), limit)
		}
	})
	t.Run("negative limits", func(t *testing.T) {
		if got := fetch(0, func(r *kmsg.FetchRequest) { r.MaxBytes = -1 }); got.ErrorCode != -1 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("unknown topic", func(t *testing.T) {
		got := fetchPart(conn.Request(fetchOf("missing", 0, 100)).(*kmsg.FetchResponse))
		if got.ErrorCode != 3 || got.AbortedTransactions == nil {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("unknown topic id", func(t *testing.T) {
		req := fetchOf("", 0, 100)
		req.Version, req.Topics[0].TopicID = 13, [16]byte{7}
		if got := fetchPart(conn.Request(req).(*kmsg.FetchResponse)); got.ErrorCode != 100 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("leader epochs", func(t *testing.T) {
		epoch := func(e int32) func(*kmsg.FetchRequest) {
			return func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = e }
		}
		if got := fetch(0, epoch(99)); got.ErrorCode != 75 {
			t.Errorf("newer: %+v", got)
		}
		if got := fetch(0, epoch(-2)); got.ErrorCode != 0 {
			t.Errorf("-2: %+v", got)
		}
	})
	t.Run("a broker that is no replica", func(t *testing.T) {
		if got := fetch(0, func(r *kmsg.FetchRequest) { r.ReplicaID = 5 }); got.ErrorCode != 6 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a partition that is named twice", func(t *testing.T) {
		req := fetchOf("t", 0, 1<<20)
		second := req.Topics[0].Partitions[0]
		second.FetchOffset = 20
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
		got := conn.Request(req).(*kmsg.FetchResponse).Topics[0].Partitions
		if len(got) != 1 || len(got[0].RecordBatches) != len(batch) {
			t.Errorf("%d answers, %d bytes", len(got), len(got[0].RecordBatches))
		}
	})
	t.Run("no topics", func(t *testing.T) {
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.MaxWaitMillis, req.MinBytes = 12, 20_000, 1
		began := time.Now()
		if resp := conn.Request(req).(*kmsg.FetchResponse); len(resp.Topics) != 0 || time.Since(began) > 10*time.Second {
			t.Errorf("got %+v after %v", resp, time.Since(began))
		}
	})
	t.Run("more bytes than there are", func(t *testing.T) {
		began := time.Now()
		got := fetch(0, func(r *kmsg.FetchRequest) { r.MinBytes, r.MaxWaitMillis = 1<<19, 50 })
		if len(got.RecordBatches) != 3*len(batch) || time.Since(began) < 50*time.Millisecond {
			t.Errorf("%d bytes after %v", len(got.RecordBatches), time.Since(began))
		}
	})
	t.Run("deleting the topic wakes a fetch", func(t *testing.T) {
		c.CreateTopic("doomed", 1)
		own := c.Dial()
		req := fetchOf("doomed", 0, 1000)
		req.MaxWaitMillis = 60_000
		own.Send(req)
		del := kmsg.NewPtrDeleteTopicsRequest()
		del.Version, del.TopicNames, del.TimeoutMillis = 5, []string{"doomed"}, 5000
		conn.Request(del)
		if got := fetchPart(own.Receive(req, 1).(*kmsg.FetchResponse)); got.ErrorCode != 3 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFetchSessions(t *testing.T) {
	c := brokertest.Start(t)
	c.CreateTopic("t", 2)
	conn := c.Dial()
	batch := testBatch(1)
	step := func(id, epoch int32, change ...func(*kmsg.FetchRequest)) *kmsg.FetchResponse {
		t.Helper()
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.MaxBytes, req.SessionID, req.SessionEpoch = 12, 1<<20, id, epoch
		for _, f := range change {
			f(req)
		}
		return conn.Request(req).(*kmsg.FetchResponse)
	}
	add := func(n int32, offset int64) func(*kmsg.FetchRequest) {
		return func(r *kmsg.FetchRequest) {
			f := fetchOf("t", offset, 1<<20)
			f.Topics[0].Partitions[0].Partition = n
			r.Topics = append(r.Topics, f.Topics...)
		}
	}
	forget := func(n int32) func(*kmsg.FetchRequest) {
		return func(r *kmsg.FetchRequest) {
			f := kmsg.NewFetchRequestForgottenTopic()
			f.Topic, f.Partitions = "t", []int32{n}
			r.ForgottenTopics = append(r.ForgottenTopics, f)
		}
	}

	full := step(0, 0, add(0, 0), add(1, 0))
	id := full.SessionID
	parts := 0
	for _, topic := range full.Topics {
		parts += len(topic.Partitions)
	}
	if id == 0 || parts != 2 {
		t.Fatalf("a full fetch: %+v", full)
	}
	if got := step(id, 1); got.ErrorCode != 0 || got.SessionID != id || len(got.Topics) != 0 {
		t.Errorf("nothing changed: %+v", got)
	}
	if got := step(id, 1); got.ErrorCode != 71 {
		t.Errorf("an old epoch: %+v", got)
	}
	produceTo(conn, 9, "t", batch)
	for epoch := int32(2); epoch < 4; epoch++ { // and again, as it was not taken
		if got := step(id, epoch); got.ErrorCode != 0 || len(got.Topics) != 1 || len(fetchPart(got).RecordBatches) == 0 {
			t.Errorf("there are records: %+v", got)
		}
	}
	if got := step(id, 4, add(0, 1)); len(got.Topics) != 0 {
		t.Errorf("taken: %+v", got)
	}
	if got := step(id, 5, func(r *kmsg.FetchRequest) { r.Version = 13 }); got.ErrorCode != 106 || got.SessionID != 0 {
		t.Errorf("by id in a session by name: %+v", got)
	}
	if got := step(id, 5, forget(1)); got.ErrorCode != 0 || got.SessionID != id {
		t.Errorf("one forgotten: %+v", got)
	}
	if got := step(id, 6, forget(0)); got.ErrorCode != 0 || got.SessionID != 0 {
		t.Errorf("all forgotten: %+v", got)
	}
	if got := step(id, 7); got.ErrorCode != 70 {
		t.Errorf("gone: %+v", got)
	}
	if got := step(-5, 1); got.ErrorCode != 70 {
		t.Errorf("never there: %+v", got)
	}

	again := step(0, 0, add(0, 0)).SessionID
	if got := step(again, -1, add(0, 0)); got.SessionID != 0 || got.ErrorCode != 0 || len(fetchPart(got).RecordBatches) == 0 {
		t.Errorf("closing: %+v", got)
	}
	if got := step(again, 1); got.ErrorCode != 70 {
		t.Errorf("closed: %+v", got)
	}

	// An error comes again and again; it is news each time.
	bad := step(0, 0, add(9, 0)).SessionID
	for epoch := int32(1); epoch < 3; epoch++ {
		if got := step(bad, epoch); len(got.Topics) != 1 || fetchPart(got).ErrorCode != 3 {
			t.Errorf("an unknown partition: %+v", got)
		}
	}
}
