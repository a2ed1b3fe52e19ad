package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Link sends requests to other brokers.
type Link interface {
	Request(ctx context.Context, to metadata.BrokerID, req kmsg.Request) (kmsg.Response, error)
}

// target is one partition that a fetcher copies from its leader. Its fetcher's mu guards what changes.
type target struct {
	topic       string
	id          metadata.TopicID
	n           int32
	leaderEpoch int32
	p           *partition.Partition

	sent      bool // the session has it
	failures  int
	notBefore time.Time // it is left out until then
	lag       int64     // records behind the leader's high watermark, at the last answer
	behind    time.Time // since when lag is above 0
}

// place is how requests and answers name a partition.
type place struct {
	id metadata.TopicID
	n  int32
}

// fetcher copies partitions from one leader: one request at a time, for all of them, in a session, so that idle partitions cost
// nothing. build and handle are its steps; run sends, waits and syncs.
type fetcher struct {
	leader metadata.BrokerID
	cfg    *Config
	log    *slog.Logger
	epoch  func() int64 // this broker's, for the requests

	mu      sync.Mutex
	targets map[place]*target
	// dirty are those to be named in the next request: new, changed, or with a new position.
	dirty     map[place]*target
	forgotten map[place]bool // in the session but no longer wanted
	delayed   map[place]*target
	sessionID int32
	step      int32         // of the session, 0: none yet
	urgent    chan struct{} // something is dirty; has room for one
}

func newFetcher(leader metadata.BrokerID, cfg *Config, log *slog.Logger, epoch func() int64) *fetcher {
	return &fetcher{
		leader: leader, cfg: cfg, log: log.With("leader", leader), epoch: epoch,
		targets: make(map[place]*target), dirty: make(map[place]*target), forgotten: make(map[place]bool),
		delayed: make(map[place]*target), urgent: make(chan struct{}, 1),
	}
}

// add begins to copy a partition, or goes on in another leader epoch.
func (f *fetcher) add(t *target) {
	f.mu.Lock()
	at := place{t.id, t.n}
	if old := f.targets[at]; old != nil {
		t.sent = old.sent
		delete(f.delayed, at)
	}
	f.targets[at], f.dirty[at] = t, t
	delete(f.forgotten, at)
	f.mu.Unlock()
	select {
	case f.urgent <- struct{}{}:
	default:
	}
}

// remove ends copying a partition. An answer under way is refused by the partition, whose epoch or role is another.
func (f *fetcher) remove(at place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropLocked(at)
}

func (f *fetcher) dropLocked(at place) {
	t := f.targets[at]
	if t == nil {
		return
	}
	if t.sent {
		f.forgotten[at] = true
	}
	delete(f.targets, at)
	delete(f.dirty, at)
	delete(f.delayed, at)
}

// reset forgets the session: the next request names everything.
func (f *fetcher) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resetLocked()
}

func (f *fetcher) resetLocked() {
	f.step = 0
	clear(f.forgotten)
	for at, t := range f.targets {
		t.sent = false
		if f.delayed[at] == nil {
			f.dirty[at] = t
		}
	}
}

// build makes the next request, nil if there is nothing to copy. wait is how long until a partition that was put off is due again.
func (f *fetcher) build(now time.Time) (req *kmsg.FetchRequest, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait = time.Hour
	for at, t := range f.delayed {
		if d := t.notBefore.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		delete(f.delayed, at)
		delete(f.forgotten, at)
		f.dirty[at] = t
	}
	if len(f.targets) == len(f.delayed) && len(f.forgotten) == 0 {
		return nil, wait
	}
	req = kmsg.NewPtrFetchRequest()
	req.Version = fetchVersion
	req.ReplicaState.ID, req.ReplicaState.Epoch = int32(f.cfg.NodeID), f.epoch()
	req.MaxWaitMillis = int32(min(f.cfg.FetchWait, wait).Milliseconds())
	req.MinBytes, req.MaxBytes = f.cfg.FetchMinBytes, f.cfg.FetchResponseMaxBytes
	req.SessionID, req.SessionEpoch = f.sessionID, f.step
	topics := make(map[metadata.TopicID]int)
	for at, t := range f.dirty {
		i, ok := topics[at.id]
		if !ok {
			i = len(req.Topics)
			topics[at.id] = i
			rt := kmsg.NewFetchRequestTopic()
			rt.TopicID = at.id
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.CurrentLeaderEpoch, rp.PartitionMaxBytes = t.n, t.leaderEpoch, f.cfg.FetchMaxBytes
		rp.FetchOffset, rp.LastFetchedEpoch = t.p.Position()
		rp.LogStartOffset = t.p.LogStartOffset()
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
		t.sent = true
	}
	clear(f.dirty)
	for at := range f.forgotten {
		ft := kmsg.NewFetchRequestForgottenTopic()
		ft.TopicID, ft.Partitions = at.id, []int32{at.n}
		req.ForgottenTopics = append(req.ForgottenTopics, ft)
	}
	clear(f.forgotten)
	return req, wait
}

// fetchVersion has topics by id, replica epochs (KIP-903) and diverging epochs.
const fetchVersion = 17

// handle takes in an answer and returns the partitions to sync before the next request.
func (f *fetcher) handle(resp *kmsg.FetchResponse, now time.Time) []*partition.Partition {
	if resp.ErrorCode != 0 {
		if resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
			f.log.Info("fetch session ended", "err", kerr.ErrorForCode(resp.ErrorCode))
		}
		f.reset()
		return nil
	}
	f.mu.Lock()
	switch {
	case resp.SessionID == 0: // the leader has no room for a session: everything each time
		f.sessionID = 0
		f.resetLocked()
	case f.step == 0:
		f.sessionID, f.step = resp.SessionID, 1
	default:
		if f.step++; f.step < 0 {
			f.step = 1
		}
	}
	f.mu.Unlock()
	var touched []*partition.Partition
	for i := range resp.Topics {
		rt := &resp.Topics[i]
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			at := place{rt.TopicID, rp.Partition}
			f.mu.Lock()
			t := f.targets[at]
			f.mu.Unlock()
			if t == nil {
				continue
			}
			changed, err := t.take(rp)
			f.settle(at, t, rp, err, changed, now)
			if changed {
				touched = append(touched, t.p)
			}
		}
	}
	return touched
}

// take applies one partition's answer. changed says that its position did.
func (t *target) take(rp *kmsg.FetchResponseTopicPartition) (changed bool, err error) {
	switch {
	case rp.ErrorCode == kerr.OffsetOutOfRange.Code:
		// Logs that diverge are found by their epochs. What is left is a log below the leader's start, or one without any
		// epoch, which is empty.
		if end, epoch := t.p.Position(); rp.LogStartOffset >= 0 && (end < rp.LogStartOffset || epoch < 0) {
			return true, t.p.RestartAt(t.leaderEpoch, rp.LogStartOffset)
		}
		return false, kerr.OffsetOutOfRange
	case rp.ErrorCode != 0:
		return false, kerr.ErrorForCode(rp.ErrorCode)
	case rp.DivergingEpoch.EndOffset >= 0 && rp.DivergingEpoch.Epoch >= 0:
		_, err := t.p.TruncateDiverged(t.leaderEpoch, rp.DivergingEpoch.Epoch, rp.DivergingEpoch.EndOffset)
		return true, err
	}
	err = t.p.AppendFetched(partition.LeaderAnswer{
		LeaderEpoch: t.leaderEpoch, Records: rp.RecordBatches, HighWatermark: rp.HighWatermark, LogStart: rp.LogStartOffset,
	})
	return len(rp.RecordBatches) > 0, err
}

// settle decides how a partition goes on after an answer.
func (f *fetcher) settle(at place, t *target, rp *kmsg.FetchResponseTopicPartition, err error, changed bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.targets[at] != t {
		return
	}
	if err == nil {
		t.failures = 0
		t.measure(rp.HighWatermark, now)
		if changed {
			f.dirty[at] = t
		}
		return
	}
	switch {
	case errors.Is(err, partition.ErrFencedLeaderEpoch), errors.Is(err, partition.ErrClosed):
		f.dropLocked(at) // the metadata has changed, and what follows from that is under way
		return
	case errors.Is(err, partition.ErrStorage):
		f.log.Error("partition is no longer replicated", "topic", t.topic, "partition", t.n, "err", err)
		f.dropLocked(at)
		return
	}
	// Leader and follower hear of an election at different times: a little patience first.
	expected := errors.Is(err, kerr.UnknownLeaderEpoch) || errors.Is(err, kerr.NotLeaderForPartition) ||
		errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.FencedLeaderEpoch)
	delay := f.cfg.FetchBackoff
	if expected {
		delay = min(delay, 10*time.Millisecond<<min(t.failures, 10))
	}
	if t.failures++; !expected && (t.failures == 1 || t.failures%60 == 0) || t.failures == 20 {
		f.log.Warn("partition is not replicated", "topic", t.topic, "partition", t.n, "failures", t.failures, "err", err)
	}
	t.notBefore = now.Add(delay)
	delete(f.dirty, at)
	f.delayed[at] = t
	if t.sent {
		f.forgotten[at] = true
		t.sent = false
	}
}

// measure notes how far the follower is behind. The fetcher's mu is held.
func (t *target) measure(leaderHW int64, now time.Time) {
	t.lag = max(0, leaderHW-t.p.LogEndOffset())
	switch {
	case t.lag == 0:
		t.behind = time.Time{}
	case t.behind.IsZero():
		t.behind = now
	}
}

// lag returns the largest lag of the fetcher's partitions.
func (f *fetcher) lag(now time.Time) (records int64, behind time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.targets {
		records = max(records, t.lag)
		if !t.behind.IsZero() {
			behind = max(behind, now.Sub(t.behind))
		}
	}
	return records, behind
}

// run copies until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		req, wait := f.build(f.cfg.Clock())
		if req == nil {
			f.pause(ctx, wait, true)
			continue
		}
		resp, err := f.request(ctx, req)
		switch {
		case errors.Is(err, errChanged):
			f.reset()
			continue
		case err != nil:
			f.reset()
			if failures++; failures == 1 && ctx.Err() == nil {
				f.log.Info("leader cannot be reached", "err", err)
			}
			f.pause(ctx, min(f.cfg.FetchBackoff, 20*time.Millisecond<<min(failures, 10)), false)
			continue
		}
		if failures > 0 {
			f.log.Info("leader is reached again", "failures", failures)
			failures = 0
		}
		f.sync(f.handle(resp, f.cfg.Clock()))
	}
}

// errChanged ends a request for the sake of a partition that cannot wait until it has been answered.
var errChanged = errors.New("other partitions are to be fetched")

// request sends req. A parked one is given up when partitions are added: the leader may park it for half a second.
func (f *fetcher) request(ctx context.Context, req *kmsg.FetchRequest) (*kmsg.FetchResponse, error) {
	select {
	case <-f.urgent: // req has it
	default:
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	defer close(ended)
	go func() { // ends with this call
		select {
		case <-f.urgent:
			cancel(errChanged)
		case <-ended:
		}
	}()
	resp, err := f.cfg.Link.Request(ctx, f.leader, req)
	if err != nil {
		if errors.Is(context.Cause(ctx), errChanged) {
			return nil, errChanged
		}
		return nil, err
	}
	answer, ok := resp.(*kmsg.FetchResponse)
	if !ok {
		return nil, errors.New("the answer to Fetch is another")
	}
	return answer, nil
}

// pause waits; with urgent something to do ends it early.
func (f *fetcher) pause(ctx context.Context, d time.Duration, urgent bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	news := f.urgent
	if !urgent {
		news = nil
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-news:
	}
}

// syncsAtOnce is how many partitions of one answer are synced side by side; the file system merges what waits together.
const syncsAtOnce = 8

// sync makes what was fetched durable: the next request tells the leader so.
func (f *fetcher) sync(touched []*partition.Partition) {
	if len(touched) == 1 {
		f.syncOne(touched[0])
		return
	}
	var g errgroup.Group
	g.SetLimit(syncsAtOnce)
	for _, p := range touched {
		g.Go(func() error {
			f.syncOne(p)
			return nil
		})
	}
	_ = g.Wait() // nothing fails: see syncOne
}

func (f *fetcher) syncOne(p *partition.Partition) {
	if err := p.SyncFetched(); err != nil && !errors.Is(err, partition.ErrClosed) {
		f.log.Error("partition is no longer replicated", "topic", p.Topic(), "partition", p.Index(), "err", err)
		f.remove(place{p.TopicID(), p.Index()})
	}
}
