package api

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

func sessionRequest(id, epoch int32, partitions ...int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.SessionID, req.SessionEpoch = 12, id, epoch
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = "t"
	for _, n := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition = n
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

func numbers(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

func TestSessionCache(t *testing.T) {
	now := time.Unix(0, 0)
	image := metadata.NewImage()
	newCache := func(slots int) *sessionCache { return newSessionCache(slots, func() time.Time { return now }) }

	t.Run("slots are freed only when they were idle for two minutes", func(t *testing.T) {
		c := newCache(1)
		first, _ := c.begin(image, sessionRequest(0, 0, 1))
		if first.sessionID == 0 {
			t.Fatal("no session")
		}
		if second, code := c.begin(image, sessionRequest(0, 0, 1)); second.sessionID != 0 || code != 0 || len(second.parts) != 1 {
			t.Errorf("without a free slot: %+v, %d", second, code)
		}
		now = now.Add(sessionMinAge)
		third, _ := c.begin(image, sessionRequest(0, 0, 1))
		if third.sessionID == 0 {
			t.Error("no session in a slot that was idle")
		}
		if _, code := c.begin(image, sessionRequest(first.sessionID, 1)); code != 70 {
			t.Errorf("the evicted session: %d", code)
		}
		if n := c.parts.Load(); n != 1 {
			t.Errorf("%d partitions are counted", n)
		}
	})

	t.Run("the partitions of all sessions are bounded", func(t *testing.T) {
		c := newCache(10)
		half := numbers(maxSessionParts / 2)
		first, _ := c.begin(image, sessionRequest(0, 0, half...))
		second, _ := c.begin(image, sessionRequest(0, 0, half...))
		if first.sessionID == 0 || second.sessionID == 0 {
			t.Fatal("no sessions")
		}
		if third, code := c.begin(image, sessionRequest(0, 0, 1)); third.sessionID != 0 || code != 0 {
			t.Errorf("above the bound: session %d, code %d", third.sessionID, code)
		}
		if _, code := c.begin(image, sessionRequest(first.sessionID, 1, maxSessionParts)); code != 70 {
			t.Errorf("growing above the bound: %d", code)
		}
		if n := c.parts.Load(); n != maxSessionParts/2 {
			t.Errorf("%d partitions are counted", n)
		}
	})

	t.Run("the epoch wraps to 1", func(t *testing.T) {
		c := newCache(1)
		f, _ := c.begin(image, sessionRequest(0, 0, 1))
		f.session.epoch = 1<<31 - 1
		if _, code := c.begin(image, sessionRequest(f.sessionID, 1<<31-1)); code != 0 || f.session.epoch != 1 {
			t.Errorf("code %d, next epoch %d", code, f.session.epoch)
		}
	})

	t.Run("partitions that brought records go to the end", func(t *testing.T) {
		c := newCache(1)
		f, _ := c.begin(image, sessionRequest(0, 0, 0, 1, 2))
		r := &fetchReply{sessionFetch: f, results: make([]fetchResult, 3), bytes: 1}
		r.results[0].read.Records = []byte{1}
		r.session.mu.Lock()
		r.rotateLocked([]int{0, 1, 2})
		r.session.mu.Unlock()
		next, _ := c.begin(image, sessionRequest(f.sessionID, 1))
		var order []int32
		for _, p := range next.parts {
			order = append(order, p.n)
		}
		if len(order) != 3 || order[0] != 1 || order[2] != 0 {
			t.Errorf("order %v", order)
		}
	})
}
