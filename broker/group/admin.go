package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// describe handles DescribeGroups for one group.
func (m *machine) describe(groupID string, done func(Description)) {
	d := Description{Group: groupID, State: string(dead), Err: kerr.GroupIDNotFound}
	if g := m.groups[groupID]; g != nil {
		d = Description{Group: groupID, State: string(g.state), ProtocolType: g.protocolType}
		if g.state == stable {
			d.Protocol = g.protocol
		}
		for _, mb := range g.ordered() {
			dm := DescribedMember{MemberID: mb.id, InstanceID: mb.instanceID, ClientID: mb.clientID, ClientHost: mb.host}
			if g.state == stable {
				dm.Metadata, dm.Assignment = g.metadata(mb), mb.assignment
			}
			d.Members = append(d.Members, dm)
		}
	}
	m.answer(func(failed error) {
		if failed != nil {
			d = Description{Group: groupID, State: string(dead), Err: failed}
		}
		done(d)
	})
}

// list handles ListGroups.
func (m *machine) list(done func([]Listing, error)) {
	list := make([]Listing, 0, len(m.groups))
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		list = append(list, Listing{Group: id, ProtocolType: g.protocolType, State: string(g.state)})
	}
	m.answer(func(failed error) { done(list, failed) })
}

// delete handles DeleteGroups for one group, which must have no members.
func (m *machine) delete(groupID string, done func(error)) {
	g := m.groups[groupID]
	var err error
	switch {
	case groupID == "":
		err = kerr.InvalidGroupID
	case g == nil:
		err = kerr.GroupIDNotFound
	case g.state != empty || len(g.pending) > 0:
		err = kerr.NonEmptyGroup
	default:
		for _, tp := range slices.SortedFunc(maps.Keys(g.offsets), comparePartitions) {
			m.forget(g, tp)
		}
		m.bury(g)
	}
	m.answer(func(failed error) { done(either(failed, err)) })
}

// bury removes a group without members and offsets.
func (m *machine) bury(g *group) {
	g.become(dead, m.now)
	delete(m.groups, g.id)
	if g.generation > 0 {
		m.write(record{key: groupKey(g.id)})
	}
}

// unload answers everything that is parked: the partition is no longer ours, or has to be loaded again.
func (m *machine) unload(err error) {
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		for _, mb := range m.groups[id].ordered() {
			m.unpark(mb, err)
		}
	}
}
