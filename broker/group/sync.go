package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// sync handles SyncGroup. done is called when the leader has sent the assignments and they are durable.
func (m *machine) sync(req SyncRequest, done func(SyncResult)) {
	refuse := func(err error) {
		m.answer(func(failed error) { done(SyncResult{Err: either(failed, err)}) })
	}
	g, mb, err := m.sender(req.MemberRef)
	switch {
	case err != nil:
		refuse(err)
		return
	case req.CheckProtocol && (req.ProtocolType != g.protocolType || req.Protocol != g.protocol):
		refuse(kerr.InconsistentGroupProtocol)
		return
	}
	switch g.state {
	case preparing:
		m.extend(g, mb)
		refuse(kerr.RebalanceInProgress)
	case stable:
		m.synced(g, mb)
		m.extend(g, mb)
		m.answerSync(g, mb, done)
	case completing:
		m.synced(g, mb)
		m.extend(g, mb)
		if mb.sync != nil {
			old := mb.sync
			m.answer(func(failed error) { old(SyncResult{Err: either(failed, kerr.RebalanceInProgress)}) })
		}
		mb.sync = done
		if mb.id == g.leader {
			m.assign(g, req.Assignments)
		}
	default:
		refuse(kerr.UnknownMemberID)
	}
}

// synced notes that a member synced, and when all did stops waiting for them.
func (m *machine) synced(g *group, mb *member) {
	mb.synced = true
	for _, other := range g.members {
		if !other.synced {
			return
		}
	}
	g.syncDeadline = time.Time{}
}

// assign makes the leader's assignments those of the generation. Members it left out get nothing, strangers are ignored.
func (m *machine) assign(g *group, assignments map[string][]byte) {
	g.become(stable, m.now)
	for _, mb := range g.members {
		mb.assignment = assignments[mb.id]
	}
	m.write(g.metadataRecord())
	for _, mb := range g.ordered() {
		if done := mb.sync; done != nil {
			mb.sync = nil
			m.extend(g, mb)
			m.answerSync(g, mb, done)
		}
	}
}

func (m *machine) answerSync(g *group, mb *member, done func(SyncResult)) {
	res := SyncResult{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: mb.assignment}
	m.answer(func(failed error) {
		if failed != nil {
			res = SyncResult{Err: failed}
		}
		done(res)
	})
}

// sender finds the group and member of a request that belongs to a generation.
func (m *machine) sender(ref MemberRef) (*group, *member, error) {
	if ref.Group == "" {
		return nil, nil, kerr.InvalidGroupID
	}
	g := m.groups[ref.Group]
	if g == nil {
		return nil, nil, kerr.UnknownMemberID
	}
	mb, err := g.findInGeneration(ref)
	return g, mb, err
}

// heartbeat handles Heartbeat. While members join it keeps the session alive and says that they should.
func (m *machine) heartbeat(ref MemberRef, done func(error)) {
	g, mb, err := m.sender(ref)
	if err == nil {
		if mb.join == nil { // else its session is suspended
			m.extend(g, mb)
		}
		if g.state == preparing {
			err = kerr.RebalanceInProgress
		}
	}
	m.answer(func(failed error) { done(either(failed, err)) })
}

// leave handles LeaveGroup: every member is answered on its own.
func (m *machine) leave(groupID string, leaving []LeaveResult, done func([]LeaveResult, error)) {
	if groupID == "" {
		m.answer(func(failed error) { done(nil, either(failed, kerr.InvalidGroupID)) })
		return
	}
	g := m.groups[groupID]
	results := make([]LeaveResult, len(leaving))
	for i, l := range leaving {
		results[i] = l
		if g == nil {
			results[i].Err = kerr.UnknownMemberID
			continue
		}
		results[i].Err = m.leaveOne(g, l.MemberID, l.InstanceID)
	}
	m.answer(func(failed error) { done(results, failed) })
}

func (m *machine) leaveOne(g *group, memberID, instanceID string) error {
	if _, ok := g.pending[memberID]; ok && instanceID == "" {
		delete(g.pending, memberID)
		m.tryCompleteJoin(g)
		return nil
	}
	if instanceID != "" && memberID == "" {
		memberID = g.static[instanceID] // administrators remove static members by instance
	}
	mb, err := g.find(memberID, instanceID)
	if err != nil {
		return err
	}
	m.removeMember(g, mb)
	return nil
}
