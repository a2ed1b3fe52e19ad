package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Fetch, versions 4 to 18.
//
//   - v5 log start offset, v7 sessions (KIP-227), v9 the client's leader epoch (KIP-320), v10 zstd, v11 rack (KIP-392)
//   - v12 flexible, diverging epochs (KIP-595); v13 topics by id (KIP-516); v15 replica state (KIP-903)
//   - v16 leader hints (KIP-951); v17 directory ids and v18 high watermark hints are not used
//
// A follower's fetch offset is what it has synced: it moves the high watermark and the ISR. With OFFSET_OUT_OF_RANGE a
// follower is told the log start too, which saves it a ListOffsets. Consumers may fetch from a follower, up to the high
// watermark that it knows (KIP-392); with RackAware the leader sends them to one in their rack.
//
// The first batch of the first partition with data is always whole (KIP-74), everything else stays within the limits. A
// fetch that finds less than MinBytes waits until there is more, an error, or MaxWait is over; it holds no goroutine.
// Answers are limited to maxFetchBytes whatever the client asks.
func fetch(_ context.Context, a *API, c *Call, body []byte) (Reply, error) {
	req := fetchRequests.Get().(*kmsg.FetchRequest)
	defer func() {
		clear(req.Topics)
		fetchRequests.Put(req)
	}()
	req.SetVersion(c.Version)
	if err := req.UnsafeReadFrom(body); err != nil {
		return nil, err
	}
	begun, code := a.sessions.begin(a.image(), req)
	r := &fetchReply{
		a: a, correlationID: c.CorrelationID, version: c.Version, code: code, sessionFetch: begun,
		budget:    int(min(req.MaxBytes, a.cfg.FetchMaxBytes, maxFetchBytes)),
		isolation: partition.ReadUncommitted,
		replica:   max(req.ReplicaID, req.ReplicaState.ID), replicaEpoch: req.ReplicaState.Epoch,
		listener: c.Client.Listener,
	}
	r.minBytes = min(int(req.MinBytes), r.budget)
	switch {
	case r.replica >= 0:
		r.isolation = partition.ReadReplica
		r.minBytes = min(r.minBytes, 1)
		b := a.image().Broker(metadata.BrokerID(r.replica))
		r.eligible = b.Live() && (b.Epoch == r.replicaEpoch || r.replicaEpoch < 0)
	case req.IsolationLevel == 1:
		r.isolation = partition.ReadCommitted
	}
	if a.cfg.RackAware && r.replica < 0 && c.Version >= 11 {
		r.rack = strings.Clone(req.Rack)
	}
	r.deadline = a.cfg.Clock().Add(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	r.read()
	if req.MaxWaitMillis > 0 && !r.enough() {
		r.wait()
	}
	return r, nil
}

// maxFetchBytes bounds the records of one answer, which are held in memory until the client has taken them. It is large
// against the round trip that another fetch costs.
const maxFetchBytes = 8 << 20

var fetchRequests = sync.Pool{New: func() any { return new(kmsg.FetchRequest) }}

// fetchPart is one partition of a fetch.
type fetchPart struct {
	topic       string
	id          metadata.TopicID
	n           int32
	offset      int64
	maxBytes    int32
	leaderEpoch int32 // the client's current one, -1 if it does not say
	lastEpoch   int32 // of the last record the client has, -1 if it does not say
	known       bool  // the topic's id was known when the fetch began
	session     *sessionPart
}

// fetchResult is what was found for a fetchPart.
type fetchResult struct {
	read           partition.ReadResult
	code           int16
	divergingEpoch int32 // -1 unless the client's log diverged, at divergingEnd
	divergingEnd   int64
	unknown        bool                // no such topic or partition
	preferred      *metadata.Broker    // whom the consumer is to fetch from instead
	leader         *metadata.Partition // where the leader is, if this is not it
}

// fetchReply reads and encodes the answer to a fetch.
type fetchReply struct {
	a             *API
	correlationID int32
	version       int16
	code          int16 // an error of the fetch as a whole
	sessionFetch
	budget, minBytes int
	isolation        partition.Isolation
	replica          int32 // the follower that fetches, -1: a consumer
	replicaEpoch     int64
	eligible         bool   // the follower may join an ISR
	rack             string // of a consumer that may be sent elsewhere
	listener         string
	deadline         time.Time

	results []fetchResult
	bytes   int
	news    bool // an error or a diverging epoch, which is answered at once

	// While waiting:
	ready   chan struct{}
	woken   atomic.Bool
	timer   *time.Timer // nil when not waiting
	cancels []func()
}

// enough reports whether what was read may be answered.
func (r *fetchReply) enough() bool {
	return r.bytes >= r.minBytes || r.news || r.code != 0 || len(r.parts) == 0
}

// read fills in the results.
func (r *fetchReply) read() {
	if r.code != 0 {
		return
	}
	r.bytes, r.news = 0, false
	if r.results == nil {
		r.results = make([]fetchResult, len(r.parts))
	}
	image := r.a.image()
	for i := range r.parts {
		res := &r.results[i]
		r.readOne(image, &r.parts[i], res)
		r.bytes += len(res.read.Records)
		if res.code != 0 || res.divergingEpoch >= 0 || res.preferred != nil {
			r.news = true
		}
	}
}

func (r *fetchReply) readOne(image *metadata.Image, part *fetchPart, res *fetchResult) {
	*res = fetchResult{divergingEpoch: -1}
	if err := r.tryRead(image, part, res); err != nil {
		start := int64(-1)
		if r.replica >= 0 && errors.Is(err, partition.ErrOffsetOutOfRange) {
			start = res.read.LogStartOffset
		}
		res.read.Release()
		res.read = partition.ReadResult{HighWatermark: -1, LastStableOffset: -1, LogStartOffset: start}
		res.code = errorCode(err)
		if r.version >= hintsInFetch && (res.code == kerr.NotLeaderForPartition.Code || res.code == kerr.FencedLeaderEpoch.Code) {
			res.leader = requestedTopic(image, part.topic, part.id, true).Partition(part.n)
		}
	}
}

// hintsInFetch is the first version with leader hints.
const hintsInFetch = 16

func (r *fetchReply) tryRead(image *metadata.Image, part *fetchPart, res *fetchResult) error {
	p, err := r.fetchable(image, part)
	switch {
	case err != nil:
		res.unknown = err == metadata.ErrUnknownTopic || err == metadata.ErrUnknownTopicID
		return err
	case r.budget < 0 || part.maxBytes < 0:
		return kerr.UnknownServerError
	}
	if err := checkEpoch(p, part.leaderEpoch); err != nil {
		return err
	}
	if part.lastEpoch >= 0 {
		epoch, end, err := p.OffsetForLeaderEpoch(part.lastEpoch)
		if err != nil {
			return partition.ErrOffsetOutOfRange // newer than anything here
		}
		if epoch < part.lastEpoch || end < part.offset {
			res.divergingEpoch, res.divergingEnd = epoch, end
			res.read.HighWatermark, res.read.LastStableOffset = p.HighWatermark(), p.LastStableOffset()
			res.read.LogStartOffset = p.LogStartOffset()
			return nil
		}
	}
	if r.replica >= 0 {
		err := p.FollowerFetched(partition.FollowerFetch{
			Replica: r.replica, BrokerEpoch: r.replicaEpoch, LeaderEpoch: part.leaderEpoch, Offset: part.offset, Eligible: r.eligible,
		})
		if err != nil {
			res.read.LogStartOffset = p.LogStartOffset()
			return err
		}
	}
	if r.rack != "" {
		if res.preferred = r.closest(image, part, p); res.preferred != nil {
			res.read.HighWatermark, res.read.LastStableOffset = p.HighWatermark(), p.LastStableOffset()
			res.read.LogStartOffset = p.LogStartOffset()
			return nil
		}
	}
	first := r.bytes == 0
	limit := min(int(part.maxBytes), r.budget-r.bytes)
	res.read, err = p.Read(part.offset, max(limit, 0), first, r.isolation)
	if errors.Is(err, partition.ErrOffsetOutOfRange) && part.offset > res.read.LogStartOffset && p.Following() {
		return partition.ErrOffsetNotAvailable // the leader may have it: no reason to reset
	}
	return err
}

// closest is the replica in the consumer's rack that it is to fetch from, nil to stay here: if the leader is in that rack or
// no replica there has the offset.
func (r *fetchReply) closest(image *metadata.Image, part *fetchPart, p *partition.Partition) *metadata.Broker {
	if b := image.Broker(r.a.cfg.NodeID); b != nil && b.Rack == r.rack {
		return nil
	}
	var best *metadata.Broker
	bestOffset := int64(-1)
	for _, m := range p.InSync(part.offset) {
		if b := image.Broker(metadata.BrokerID(m.ID)); b.Live() && b.Rack == r.rack && m.Offset > bestOffset {
			best, bestOffset = b, m.Offset
		}
	}
	return best
}

// fetchable finds the log to read from: the leader's, or for consumers that know of such (v11) a follower's.
func (r *fetchReply) fetchable(image *metadata.Image, part *fetchPart) (*partition.Partition, error) {
	t := requestedTopic(image, part.topic, part.id, r.version >= 13)
	if t == nil && r.version >= 13 && !part.known {
		return nil, metadata.ErrUnknownTopicID
	}
	if mp := t.Partition(part.n); mp != nil && mp.Leader != r.a.cfg.NodeID && r.replica < 0 && r.version >= 11 &&
		slices.Contains(mp.Replicas, r.a.cfg.NodeID) {
		if p := r.a.cfg.Logs.Get(t.Name, part.n); p != nil {
			return p, nil
		}
	}
	return r.a.leader(t, part.n)
}

// wait parks the fetch: Ready's channel receives when a partition has news or time is up.
func (r *fetchReply) wait() {
	if r.ready == nil {
		r.ready = make(chan struct{}, 1)
	}
	r.woken.Store(false)
	wake := func() {
		r.woken.Store(true)
		select {
		case r.ready <- struct{}{}:
		default: // awake already
		}
	}
	// No partition needs to see all that is missing: together they may bring it. A wake-up that finds too little waits on.
	missing := max(1, (r.minBytes-r.bytes)/len(r.parts))
	image := r.a.image()
	for i := range r.parts {
		res := &r.results[i]
		seen := res.read.HighWatermark
		switch r.isolation {
		case partition.ReadCommitted:
			seen = res.read.LastStableOffset
		case partition.ReadReplica:
			seen = r.parts[i].offset
		}
		res.read.Release()
		res.read = partition.ReadResult{}
		p, err := r.fetchable(image, &r.parts[i])
		if err != nil {
			wake()
			continue
		}
		r.cancels = append(r.cancels, p.WhenVisible(seen, int64(missing), r.isolation, wake))
	}
	r.timer = time.AfterFunc(r.deadline.Sub(r.a.cfg.Clock()), wake)
}

// stop ends what wait began.
func (r *fetchReply) stop() {
	r.timer.Stop()
	for _, cancel := range r.cancels {
		cancel()
	}
	clear(r.cancels)
	r.timer, r.cancels = nil, r.cancels[:0]
}

// Ready implements Reply. A wake-up reads again, on the goroutine that writes the answer.
func (r *fetchReply) Ready() <-chan struct{} {
	if r.timer == nil {
		return nil
	}
	if !r.woken.Load() {
		return r.ready
	}
	r.stop()
	r.read()
	if r.enough() || !r.a.cfg.Clock().Before(r.deadline) {
		return nil
	}
	r.wait()
	return r.ready
}

func (r *fetchReply) Release() {
	if r.timer != nil {
		r.stop()
	}
	for i := range r.results {
		r.results[i].read.Release()
	}
	r.results = nil
}
