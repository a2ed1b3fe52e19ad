package api

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// TestFetchEncoding compares the hand-written encoding with kmsg's, in every version.
func TestFetchEncoding(t *testing.T) {
	large := bytes.Repeat([]byte("records "), 1000)
	ok := func(records []byte) fetchResult {
		return fetchResult{divergingEpoch: -1, read: partition.ReadResult{
			Records: records, HighWatermark: 1 << 40, LastStableOffset: 1<<40 - 1, LogStartOffset: 7,
		}}
	}
	aborted := ok(large)
	aborted.read.AbortedTxns = []partition.AbortedTxn{{ProducerID: 1 << 33, FirstOffset: 5}, {ProducerID: 2, FirstOffset: 6}}
	diverging := ok(nil)
	diverging.divergingEpoch, diverging.divergingEnd = 3, 99
	failed := func(code int16, unknown bool) fetchResult {
		return fetchResult{code: code, unknown: unknown, divergingEpoch: -1, read: partition.ReadResult{
			HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1,
		}}
	}
	part := func(topic string, n int32) fetchPart {
		return fetchPart{topic: topic, id: metadata.TopicID{1, 2, byte(len(topic))}, n: n}
	}
	for name, c := range map[string]struct {
		parts     []fetchPart
		results   []fetchResult
		code      int16
		isolation partition.Isolation
	}{
		"nothing":               {},
		"an error of the whole": {code: 70},
		"a small batch":         {parts: []fetchPart{part("a", 0)}, results: []fetchResult{ok([]byte("tiny"))}},
		"a large batch":         {parts: []fetchPart{part("a", 0)}, results: []fetchResult{ok(large)}},
		"committed reads":       {parts: []fetchPart{part("a", 0)}, results: []fetchResult{ok(large)}, isolation: partition.ReadCommitted},
		"aborted transactions":  {parts: []fetchPart{part("a", 0)}, results: []fetchResult{aborted}, isolation: partition.ReadCommitted},
		"out of range":          {parts: []fetchPart{part("a", 0)}, results: []fetchResult{failed(1, false)}, isolation: partition.ReadCommitted},
		"unknown":               {parts: []fetchPart{part("a", 0)}, results: []fetchResult{failed(3, true)}},
		"diverging":             {parts: []fetchPart{part("a", 0)}, results: []fetchResult{diverging}},
		"several topics, one of them twice": {
			parts:   []fetchPart{part("a", 0), part("a", 1), part("bb", 0), part("a", 2)},
			results: []fetchResult{ok(large), ok(nil), ok([]byte("x")), ok(large)},
		},
	} {
		for version := int16(4); version <= 18; version++ {
			t.Run(fmt.Sprintf("%s, version %d", name, version), func(t *testing.T) {
				a := &API{metrics: newMetrics(nil, [maxKey]*entry{})}
				r := &fetchReply{
					a: a, correlationID: 11, version: version, code: c.code, isolation: c.isolation,
					sessionFetch: sessionFetch{parts: c.parts, sessionID: 77}, results: c.results,
				}
				var out Out
				r.AppendTo(&out)
				got := bytes.Join(out.AppendBuffers(nil), nil)

				var ref Out
				message{11, fetchResponse(r)}.AppendTo(&ref)
				if diff := cmp.Diff(bytes.Join(ref.AppendBuffers(nil), nil), got); diff != "" {
					t.Errorf("kmsg - ours: %s", diff)
				}
			})
		}
	}
}

// fetchResponse is r as kmsg has it.
func fetchResponse(r *fetchReply) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.ErrorCode, resp.SessionID = r.version, r.code, r.sessionID
	for i := range r.parts {
		part, res := &r.parts[i], &r.results[i]
		if i == 0 || r.parts[i-1].topic != part.topic {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = part.topic, part.id
			resp.Topics = append(resp.Topics, topic)
		}
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.ErrorCode, p.HighWatermark = part.n, res.code, res.read.HighWatermark
		p.LastStableOffset, p.LogStartOffset = res.read.LastStableOffset, res.read.LogStartOffset
		p.RecordBatches = res.read.Records
		if p.RecordBatches == nil {
			p.RecordBatches = []byte{}
		}
		if res.unknown || r.isolation == partition.ReadCommitted && res.code == 0 {
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		}
		for _, txn := range res.read.AbortedTxns {
			at := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			at.ProducerID, at.FirstOffset = txn.ProducerID, txn.FirstOffset
			p.AbortedTransactions = append(p.AbortedTransactions, at)
		}
		if res.divergingEpoch >= 0 {
			p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = res.divergingEpoch, res.divergingEnd
		}
		topic := &resp.Topics[len(resp.Topics)-1]
		topic.Partitions = append(topic.Partitions, p)
	}
	return resp
}
