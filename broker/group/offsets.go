package group

import (
	"cmp"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerType is the protocol type whose subscriptions this package can read.
const consumerType = "consumer"

// commit handles OffsetCommit. A commit is a sign of life. done gets an error for the whole request, or one entry per
// offset.
func (m *machine) commit(req CommitRequest, done func([]error, error)) {
	g, err := m.committer(req)
	if err != nil {
		m.answer(func(failed error) { done(nil, either(failed, err)) })
		return
	}
	results := make([]error, len(req.Offsets))
	for i, o := range req.Offsets {
		if len(o.Metadata) > min(m.settings.OffsetMetadataMaxBytes, maxText) {
			results[i] = kerr.OffsetMetadataTooLarge
			continue
		}
		c := committed{offset: o.Offset, leaderEpoch: o.LeaderEpoch, metadata: o.Metadata, topicID: o.TopicID, at: m.now}
		if req.Retention >= 0 {
			c.expires = m.now.Add(req.Retention)
		}
		g.offsets[o.TopicPartition] = c
		m.write(offsetRecord(g.id, o.TopicPartition, c))
	}
	m.answer(func(failed error) { done(results, failed) })
}

// committer finds the group a commit belongs to and checks that the sender may commit.
func (m *machine) committer(req CommitRequest) (*group, error) {
	if len(req.Group) > maxText {
		return nil, kerr.InvalidGroupID
	}
	g := m.groups[req.Group]
	if g == nil {
		switch {
		case req.Generation < 0:
			g = newGroup(req.Group, m.now)
			m.groups[g.id] = g
			return g, nil
		case req.NewErrors:
			return nil, kerr.GroupIDNotFound
		}
		return nil, kerr.IllegalGeneration
	}
	if req.Generation < 0 && g.state == empty {
		return g, nil // whoever assigns partitions by hand, and administrators
	}
	if req.Generation < 0 && req.MemberID == "" && req.InstanceID == "" {
		return nil, kerr.UnknownMemberID
	}
	mb, err := g.findInGeneration(req.MemberRef)
	switch {
	case err != nil:
		return nil, err
	case g.state == completing:
		return nil, kerr.RebalanceInProgress
	}
	if mb.join == nil {
		m.extend(g, mb)
	}
	return g, nil
}

// fetchOffsets handles OffsetFetch for one group: the partitions asked for, or all with an offset if want is nil.
// Unknown groups have no offsets, which is no error.
func (m *machine) fetchOffsets(groupID string, want []TopicPartition, done func([]FetchedOffset, error)) {
	var offsets map[TopicPartition]committed
	if g := m.groups[groupID]; g != nil {
		offsets = g.offsets
	}
	if want == nil {
		want = slices.SortedFunc(maps.Keys(offsets), comparePartitions)
	}
	results := make([]FetchedOffset, len(want))
	for i, tp := range want {
		results[i] = FetchedOffset{TopicPartition: tp, Offset: -1, LeaderEpoch: -1}
		if c, ok := offsets[tp]; ok {
			results[i] = FetchedOffset{tp, c.offset, c.leaderEpoch, c.metadata}
		}
	}
	m.answer(func(failed error) { done(results, failed) })
}

func comparePartitions(a, b TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// deleteOffsets handles OffsetDelete. Offsets of topics that a member consumes are refused one by one; groups whose
// subscriptions cannot be read must be empty.
func (m *machine) deleteOffsets(groupID string, partitions []TopicPartition, done func([]error, error)) {
	g := m.groups[groupID]
	var err error
	switch {
	case groupID == "":
		err = kerr.InvalidGroupID
	case g == nil:
		err = kerr.GroupIDNotFound
	case len(g.members) > 0 && g.protocolType != consumerType:
		err = kerr.NonEmptyGroup
	}
	if err != nil {
		m.answer(func(failed error) { done(nil, either(failed, err)) })
		return
	}
	subscribed, readable := g.subscriptions()
	results := make([]error, len(partitions))
	for i, tp := range partitions {
		if len(g.members) > 0 && (!readable || subscribed[tp.Topic]) {
			results[i] = kerr.GroupSubscribedToTopic
			continue
		}
		m.forget(g, tp)
	}
	m.answer(func(failed error) { done(results, failed) })
}

// forget deletes one committed offset.
func (m *machine) forget(g *group, tp TopicPartition) {
	if _, ok := g.offsets[tp]; ok {
		delete(g.offsets, tp)
		m.write(record{key: offsetKey(g.id, tp)})
	}
}

// subscriptions returns the topics that members consume; readable is false if one of them does not say it in a way we
// understand.
func (g *group) subscriptions() (topics map[string]bool, readable bool) {
	topics = make(map[string]bool)
	for _, mb := range g.members {
		for _, p := range mb.protocols {
			var s kmsg.ConsumerMemberMetadata
			if err := s.ReadFrom(p.Metadata); err != nil {
				return nil, false
			}
			for _, t := range s.Topics {
				topics[t] = true
			}
		}
	}
	return topics, true
}

// expire deletes offsets that outlived their group (KIP-211) and then groups without members and offsets.
func (m *machine) expire() {
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		subscribed, readable := map[string]bool(nil), true
		if len(g.members) > 0 {
			subscribed, readable = g.subscriptions()
			readable = readable && g.protocolType == consumerType
		}
		for _, tp := range slices.SortedFunc(maps.Keys(g.offsets), comparePartitions) {
			if m.expired(g, g.offsets[tp], readable && !subscribed[tp.Topic]) {
				m.forget(g, tp)
			}
		}
		if g.state == empty && len(g.offsets) == 0 && len(g.pending) == 0 {
			m.bury(g)
		}
	}
}

// expired reports whether an offset's time is over. unused says that no member consumes its topic.
func (m *machine) expired(g *group, c committed, unused bool) bool {
	if !c.expires.IsZero() {
		return unused && !c.expires.After(m.now)
	}
	base := c.at
	if g.state == empty && g.protocolType != "" && g.since.After(base) {
		base = g.since // from when the last member left
	}
	return unused && m.now.Sub(base) >= m.settings.OffsetsRetention
}

// dropOffsets forgets the offsets of topics that are gone.
func (m *machine) dropOffsets(gone func(topic string) bool) {
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		for _, tp := range slices.SortedFunc(maps.Keys(g.offsets), comparePartitions) {
			if gone(tp.Topic) {
				m.forget(g, tp)
			}
		}
	}
}
