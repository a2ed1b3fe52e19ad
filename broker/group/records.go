package group

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions written. The values are the last before the flexible encodings, which Kafka 2.1 and later can read.
const (
	offsetKeyVersion   = 1
	groupKeyVersion    = 2
	offsetValueVersion = 3
	groupValueVersion  = 3
)

func offsetKey(group string, tp TopicPartition) []byte {
	k := kmsg.NewOffsetCommitKey()
	k.Version, k.Group, k.Topic, k.Partition = offsetKeyVersion, group, tp.Topic, tp.Partition
	return k.AppendTo(nil)
}

func groupKey(group string) []byte {
	k := kmsg.NewGroupMetadataKey()
	k.Version, k.Group = groupKeyVersion, group
	return k.AppendTo(nil)
}

func offsetRecord(group string, tp TopicPartition, c committed) record {
	v := kmsg.NewOffsetCommitValue()
	v.Version, v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = offsetValueVersion, c.offset, c.leaderEpoch, c.metadata, c.at.UnixMilli()
	if !c.expires.IsZero() {
		v.Version, v.ExpireTimestamp = 1, c.expires.UnixMilli() // the one version that can say so
	}
	return record{offsetKey(group, tp), v.AppendTo(nil)}
}

// metadataRecord is the group as it is now.
func (g *group) metadataRecord() record {
	v := kmsg.NewGroupMetadataValue()
	v.Version, v.ProtocolType, v.Generation, v.CurrentStateTimestamp = groupValueVersion, g.protocolType, g.generation, g.since.UnixMilli()
	if g.protocol != "" {
		v.Protocol = &g.protocol
	}
	if g.leader != "" {
		v.Leader = &g.leader
	}
	for _, mb := range g.ordered() {
		w := kmsg.NewGroupMetadataValueMember()
		w.MemberID, w.ClientID, w.ClientHost = mb.id, mb.clientID, mb.host
		if mb.instanceID != "" {
			w.InstanceID = &mb.instanceID
		}
		w.SessionTimeoutMillis = int32(mb.sessionTimeout.Milliseconds())
		w.RebalanceTimeoutMillis = int32(mb.rebalanceTimeout.Milliseconds())
		w.Subscription, w.Assignment = g.metadata(mb), mb.assignment
		v.Members = append(v.Members, w)
	}
	// The value shares nothing with the group: v.Protocol and v.Leader point into it, but are copied here.
	return record{groupKey(g.id), v.AppendTo(nil)}
}

// load replays one record. Kinds of keys that this release does not know are skipped: a newer one wrote them. It
// reports whether it knew the key.
func (m *machine) load(key, value []byte) (known bool, err error) {
	if len(key) < 2 {
		return false, fmt.Errorf("key of %d bytes", len(key))
	}
	switch version := binary.BigEndian.Uint16(key); version {
	case 0, 1:
		return true, m.loadOffset(key, value)
	case 2:
		return true, m.loadGroup(key, value)
	}
	return false, nil
}

func (m *machine) loadOffset(key, value []byte) error {
	k := kmsg.NewOffsetCommitKey()
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("offset key: %w", err)
	}
	tp := TopicPartition{k.Topic, k.Partition}
	g := m.groups[k.Group]
	if value == nil {
		if g != nil {
			delete(g.offsets, tp)
		}
		return nil
	}
	v := kmsg.NewOffsetCommitValue()
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("offset of group %q, %s-%d: %w", k.Group, tp.Topic, tp.Partition, err)
	}
	if g == nil {
		g = newGroup(k.Group, m.now)
		m.groups[g.id] = g
	}
	c := committed{offset: v.Offset, leaderEpoch: -1, metadata: v.Metadata, topicID: v.TopicID, at: time.UnixMilli(v.CommitTimestamp)}
	if v.Version >= 3 {
		c.leaderEpoch = v.LeaderEpoch
	}
	if v.Version == 1 && v.ExpireTimestamp >= 0 { // -1 is "none", not a time long ago
		c.expires = time.UnixMilli(v.ExpireTimestamp)
	}
	g.offsets[tp] = c
	return nil
}

func (m *machine) loadGroup(key, value []byte) error {
	k := kmsg.NewGroupMetadataKey()
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("group key: %w", err)
	}
	old := m.groups[k.Group]
	if value == nil {
		// The offsets have tombstones of their own; those of a group without them belong to whoever commits next.
		if old != nil {
			fresh := newGroup(k.Group, m.now)
			fresh.offsets = old.offsets
			m.groups[k.Group] = fresh
		}
		return nil
	}
	v := kmsg.NewGroupMetadataValue()
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("group %q: %w", k.Group, err)
	}
	g := newGroup(k.Group, m.now)
	if old != nil {
		g.offsets = old.offsets
	}
	g.protocolType, g.generation = v.ProtocolType, v.Generation
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	if v.CurrentStateTimestamp >= 0 {
		g.since = time.UnixMilli(v.CurrentStateTimestamp)
	}
	for _, w := range v.Members {
		mb := &member{
			id: w.MemberID, clientID: w.ClientID, host: w.ClientHost, seq: g.nextSeq, synced: true,
			sessionTimeout:   time.Duration(w.SessionTimeoutMillis) * time.Millisecond,
			rebalanceTimeout: time.Duration(w.RebalanceTimeoutMillis) * time.Millisecond,
			protocols:        []Protocol{{g.protocol, bytes.Clone(w.Subscription)}},
			assignment:       bytes.Clone(w.Assignment),
		}
		if w.RebalanceTimeoutMillis < 0 {
			mb.rebalanceTimeout = mb.sessionTimeout
		}
		if w.InstanceID != nil {
			mb.instanceID = *w.InstanceID
			g.static[mb.instanceID] = mb.id
		}
		g.nextSeq++
		g.members[mb.id] = mb
	}
	if len(g.members) > 0 {
		g.state = stable
	}
	m.groups[g.id] = g
	return nil
}

// loaded ends a replay: every member gets a full session, but for those that are known to be gone, and groups that nothing
// is left of go. gone may be nil.
func (m *machine) loaded(gone func(host string) bool) {
	for id, g := range m.groups {
		for _, mb := range g.members {
			if gone != nil && gone(mb.host) {
				m.arm(g, mb, 0)
			} else {
				m.extend(g, mb)
			}
		}
		if g.state == empty && len(g.offsets) == 0 && g.generation == 0 {
			delete(m.groups, id)
		}
	}
}
