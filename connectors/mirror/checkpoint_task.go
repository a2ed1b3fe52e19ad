package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
)

// A checkpointTask translates the offsets of its groups with the offset syncs that it reads.
type checkpointTask struct {
	env        Environment
	s          *settings
	log        connectors.Logger
	groups     []string
	topics     filter
	topic      string // of checkpoints
	every      time.Duration
	next       time.Time
	from, to   *client
	jobs       *jobs
	partitions map[checkpointKey]*connectors.SourcePartition

	mu sync.Mutex
	// syncs is nil until the offset-syncs topic was read to its end for the first time.
	syncs *syncStore
	// last are the checkpoints that were written last.
	last map[checkpointKey]checkpoint
}

type checkpointKey struct {
	group string
	topicPartition
}

var _ connectors.SourceTask = (*checkpointTask)(nil)

func (t *checkpointTask) Start(_ context.Context, tc connectors.SourceTaskContext, config map[string]string) (err error) {
	t.log = tc.Logger()
	if t.s, err = read(checkpointRead, config); err != nil {
		return err
	}
	if t.topics, err = t.env.filter(t.s.Values, keyTopics, keyTopicsExclude); err != nil {
		return err
	}
	if t.every, err = t.s.interval(keyEmitCheckpoints); err != nil {
		return err
	}
	syncEvery, err := t.s.interval(keySyncOffsets)
	if err != nil {
		return err
	}
	t.groups, t.topic = t.s.List(keyTaskGroups), t.s.policy.checkpointsTopic(t.s.source)
	t.partitions = make(map[checkpointKey]*connectors.SourcePartition)
	if t.from, err = t.env.admin(t.s, theSource, "checkpoint-source-admin"); err != nil {
		return err
	}
	if t.to, err = t.env.admin(t.s, theTarget, "checkpoint-target-admin"); err != nil {
		return err
	}
	t.jobs = newJobs(t.log, t.s.adminTimeout())
	t.next = time.Now().Add(t.every)
	t.jobs.wait.Go(func() { t.readTopics(t.jobs.ctx) })
	if syncEvery > 0 {
		t.jobs.every(syncEvery, syncEvery, "commit translated offsets", t.syncGroups)
	}
	t.log.Info("following groups", "source", t.s.source, "target", t.s.target, "groups", len(t.groups))
	return nil
}

// readTopics reads the checkpoints there are, and then the offset syncs for as long as the task lives. Without the checkpoints of earlier
// tasks, only syncs from now on are used: older ones could take groups back.
func (t *checkpointTask) readTopics(ctx context.Context) {
	earlier := make(map[checkpointKey]checkpoint)
	err := t.follow(ctx, t.to, theTarget, "checkpoints-target-consumer", t.topic, func(r *kgo.Record) {
		c, err := readCheckpoint(r.Key, r.Value)
		if err != nil {
			t.log.Warn("a checkpoint cannot be read and is passed over", "topic", t.topic, "offset", r.Offset, "err", err)
		} else if slices.Contains(t.groups, c.group) {
			earlier[checkpointKey{c.group, c.topicPartition}] = c
		}
	}, func() bool { return false })
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		clear(earlier)
		t.log.Warn("the checkpoints of earlier tasks cannot be read, so only what is replicated from now on is translated", "topic", t.topic, "err", err)
	}
	t.mu.Lock()
	t.last = earlier
	t.mu.Unlock()
	t.readSyncs(ctx, err != nil)
}

// readSyncs follows the offset-syncs topic; when that fails it begins anew.
func (t *checkpointTask) readSyncs(ctx context.Context, lastOnly bool) {
	at, topic := t.s.syncsSide(), t.s.offsetSyncsTopic()
	admin := t.from
	if at == theTarget {
		admin = t.to
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		store := newSyncStore(lastOnly)
		err := t.follow(ctx, admin, at, "offset-syncs-"+string(at)+"-consumer", topic, func(r *kgo.Record) {
			sync, err := readOffsetSync(r.Key, r.Value)
			if err != nil {
				t.log.Warn("an offset sync cannot be read and is passed over", "topic", topic, "offset", r.Offset, "err", err)
				return
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			store.add(sync)
		}, func() bool {
			t.mu.Lock()
			defer t.mu.Unlock()
			store.lastOnly = false
			t.syncs = store
			wait = firstRetry
			return true
		})
		if ctx.Err() != nil {
			return
		}
		t.log.Warn("the offset syncs cannot be read, trying again", "topic", topic, "wait", wait, "err", err)
		if !sleep(ctx, wait) {
			return
		}
	}
}

// follow reads an internal topic from its beginning. It calls atEnd once, at what was the end when it began, and goes on after it
// only if that says so.
func (t *checkpointTask) follow(ctx context.Context, admin *client, at side, role, topic string, handle func(*kgo.Record), atEnd func() bool) error {
	until, err := span(ctx, admin, topic)
	if err != nil {
		return err
	}
	consumer, err := t.env.reader(t.s, at, role, nil, kgo.KeepControlRecords(), // so that positions pass the markers of transactions
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer consumer.Close()
	for next, ended := int64(0), false; ; {
		if !ended && next >= until {
			ended = true
			if !atEnd() {
				return nil
			}
		}
		fetches := consumer.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				handle(r)
			}
		})
	}
}

// span is the offset after the last record of an internal topic, 0 if it has none. One that is not there yet has none.
func span(ctx context.Context, admin *client, topic string) (int64, error) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	start, _ := starts.Lookup(topic, 0)
	last, ok := ends.Lookup(topic, 0)
	switch err := errors.Join(start.Err, last.Err); {
	case errors.Is(err, kerr.UnknownTopicOrPartition), !ok:
		return 0, nil
	case err != nil:
		return 0, err
	case start.Offset == last.Offset:
		return 0, nil
	}
	return last.Offset, nil
}

// Poll waits for the next time to translate.
func (t *checkpointTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.every == 0 || !reached(ctx, t.next) {
		return nil, nil
	}
	t.next = time.Now().Add(t.every)
	t.mu.Lock()
	ready := t.syncs != nil
	t.mu.Unlock()
	if !ready || len(t.groups) == 0 {
		return nil, nil
	}
	adminCtx, cancel := context.WithTimeout(ctx, t.s.adminTimeout())
	defer cancel()
	var err error
	var records []connectors.SourceRecord
	now := time.Now().UnixMilli()
	offsets := t.from.FetchManyOffsets(adminCtx, t.groups...)
	for _, group := range t.groups {
		found := offsets[group]
		if found.Err != nil {
			err = errors.Join(err, fmt.Errorf("offsets of group %s in %s: %w", group, t.s.source, found.Err))
			continue
		}
		for _, c := range t.checkpoints(group, found.Fetched) {
			records = append(records, internalRecord(t.topic, c.key(), c.value(), now, t.partition(c)))
		}
	}
	if err != nil && len(records) > 0 {
		t.log.Warn("part of the groups could not be followed, trying again", "err", err)
	} else if err != nil {
		return nil, &connectors.RetriableError{Err: err}
	}
	return records, nil
}

// partition names what a checkpoint is about, to the offset store.
func (t *checkpointTask) partition(c checkpoint) *connectors.SourcePartition {
	key := checkpointKey{c.group, c.topicPartition}
	p := t.partitions[key]
	if p == nil {
		p = connectors.NewSourcePartition(map[string]any{"group": c.group, "topic": c.topic, "partition": int64(c.partition)})
		t.partitions[key] = p
	}
	return p
}

// checkpoints translates a group's offsets and returns those translations that are news.
func (t *checkpointTask) checkpoints(group string, offsets kadm.OffsetResponses) []checkpoint {
	var news []checkpoint
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range offsets.Sorted() {
		if o.Err != nil || o.At < 0 || !t.topics.has(o.Topic) {
			continue
		}
		downstream, ok := t.syncs.translate(topicPartition{o.Topic, o.Partition}, o.At)
		if !ok {
			continue
		}
		c := checkpoint{group, topicPartition{t.s.renamed(o.Topic), o.Partition}, o.At, downstream, o.Metadata}
		key := checkpointKey{group, c.topicPartition}
		if last, ok := t.last[key]; !ok || c.after(last) {
			t.last[key] = c
			news = append(news, c)
		}
	}
	return news
}

// after reports whether a checkpoint is to replace an earlier one: when the group has gone back in the source, or forward in the target.
// Older offset syncs alone take nobody back.
func (c checkpoint) after(last checkpoint) bool {
	return c.upstream < last.upstream || c.downstream > last.downstream
}

// renamed is the name in the target of a topic that groups of the source read. A topic that the source has from the target has its own
// name there.
func (s *settings) renamed(topic string) string {
	if source, ok := s.policy.topicSource(topic); ok && source == s.target {
		return s.policy.original(topic)
	}
	return s.policy.remote(s.source, topic)
}

func (t *checkpointTask) Stop(context.Context) error {
	if t.jobs != nil {
		t.jobs.stop()
	}
	t.from.Close()
	t.to.Close()
	return nil
}
