package group

import (
	"cmp"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Join handles JoinGroup.
func (c *Coordinator) Join(req JoinRequest, done func(JoinResult)) {
	c.do(req.Group, func(m *machine) { m.join(req, done) }, func(err error) {
		done(JoinResult{Err: err, Generation: -1, MemberID: req.MemberID})
	})
}

// Sync handles SyncGroup.
func (c *Coordinator) Sync(req SyncRequest, done func(SyncResult)) {
	c.do(req.Group, func(m *machine) { m.sync(req, done) }, func(err error) { done(SyncResult{Err: err}) })
}

// Heartbeat handles Heartbeat.
func (c *Coordinator) Heartbeat(ref MemberRef, done func(error)) {
	c.do(ref.Group, func(m *machine) { m.heartbeat(ref, done) }, done)
}

// Leave handles LeaveGroup: done gets one result per member, or an error for all.
func (c *Coordinator) Leave(groupID string, members []LeaveResult, done func([]LeaveResult, error)) {
	c.do(groupID, func(m *machine) { m.leave(groupID, members, done) }, func(err error) { done(nil, err) })
}

// Commit handles OffsetCommit: done gets one error, nil for success, per offset, or an error for all.
func (c *Coordinator) Commit(req CommitRequest, done func([]error, error)) {
	c.do(req.Group, func(m *machine) { m.commit(req, done) }, func(err error) { done(nil, err) })
}

// FetchOffsets handles OffsetFetch of one group: the partitions asked for in their order, or all that have an offset if
// want is nil. No offset is waiting for a transaction here, so stable offsets are all there are.
func (c *Coordinator) FetchOffsets(groupID string, want []TopicPartition, done func([]FetchedOffset, error)) {
	c.do(groupID, func(m *machine) { m.fetchOffsets(groupID, want, done) }, func(err error) { done(nil, err) })
}

// DeleteOffsets handles OffsetDelete: done gets one error, nil for success, per partition, or an error for all.
func (c *Coordinator) DeleteOffsets(groupID string, partitions []TopicPartition, done func([]error, error)) {
	c.do(groupID, func(m *machine) { m.deleteOffsets(groupID, partitions, done) }, func(err error) { done(nil, err) })
}

// Describe handles DescribeGroups of one group.
func (c *Coordinator) Describe(groupID string, done func(Description)) {
	c.do(groupID, func(m *machine) { m.describe(groupID, done) }, func(err error) {
		done(Description{Group: groupID, State: string(dead), Err: err})
	})
}

// Delete handles DeleteGroups of one group.
func (c *Coordinator) Delete(groupID string, done func(error)) {
	c.do(groupID, func(m *machine) { m.delete(groupID, done) }, done)
}

// Groups counts the groups of every partition this node leads.
func (c *Coordinator) Groups() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(0)
	for _, s := range c.shards {
		n += s.groups.Load()
	}
	return int(n)
}

// List handles ListGroups: the groups of every partition this node leads.
func (c *Coordinator) List(done func([]Listing, error)) {
	c.mu.Lock()
	shards := make([]*shard, 0, len(c.shards))
	running := c.ctx != nil && !c.ended
	for _, s := range c.shards {
		if !s.stopped && running {
			shards = append(shards, s)
		}
	}
	c.mu.Unlock()
	if len(shards) == 0 {
		done(nil, nil)
		return
	}
	var mu sync.Mutex
	var all []Listing
	var failed error
	left := len(shards)
	collect := func(list []Listing, err error) {
		mu.Lock()
		all = append(all, list...)
		if err != nil {
			failed = kerr.CoordinatorLoadInProgress
		}
		left--
		last := left == 0
		mu.Unlock()
		if last {
			slices.SortFunc(all, func(a, b Listing) int { return cmp.Compare(a.Group, b.Group) })
			done(all, failed)
		}
	}
	for _, s := range shards {
		s.submit(event{func(m *machine) { m.list(collect) }, func(err error) { collect(nil, err) }})
	}
}
