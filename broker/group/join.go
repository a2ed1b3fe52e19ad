package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// newMemberTimeout ends the first join of a member that does not know its id yet (v0 to v3): nobody could send a
// heartbeat for it.
const newMemberTimeout = 5 * time.Minute

// maxIDPrefix is how much of a client id goes into a member id.
const maxIDPrefix = 1000

// join handles JoinGroup. done may be called much later, when the group is complete.
func (m *machine) join(req JoinRequest, done func(JoinResult)) {
	refuse := func(err error, memberID string) {
		m.answer(func(failed error) {
			done(JoinResult{Err: either(failed, err), Generation: -1, MemberID: memberID})
		})
	}
	switch {
	case req.Group == "" || len(req.Group) > maxText:
		refuse(kerr.InvalidGroupID, req.MemberID)
		return
	case req.SessionTimeout < m.settings.MinSessionTimeout || req.SessionTimeout > m.settings.MaxSessionTimeout:
		refuse(kerr.InvalidSessionTimeout, req.MemberID)
		return
	case req.ProtocolType == "" || len(req.ProtocolType) > maxText || len(req.Protocols) == 0 ||
		slices.ContainsFunc(req.Protocols, func(p Protocol) bool { return len(p.Name) > maxText }):
		refuse(kerr.InconsistentGroupProtocol, req.MemberID)
		return
	}
	g := m.groups[req.Group]
	if g == nil {
		if req.MemberID != "" {
			refuse(kerr.UnknownMemberID, req.MemberID)
			return
		}
		g = newGroup(req.Group, m.now)
		m.groups[g.id] = g
	}
	_, isPending := g.pending[req.MemberID]
	if g.members[req.MemberID] == nil && !isPending && len(g.members)+len(g.pending) >= m.settings.MaxSize && g.static[req.InstanceID] == "" {
		refuse(kerr.GroupMaxSizeReached, req.MemberID)
		return
	}
	except := g.members[req.MemberID]
	if req.MemberID == "" && req.InstanceID != "" {
		except = g.members[g.static[req.InstanceID]]
	}
	if !g.supports(except, req.ProtocolType, req.Protocols) {
		refuse(kerr.InconsistentGroupProtocol, req.MemberID)
		return
	}
	if req.MemberID == "" {
		m.joinNew(g, req, done, refuse)
		return
	}
	if isPending && req.InstanceID == "" {
		delete(g.pending, req.MemberID)
		m.addMember(g, req, req.MemberID, done)
		return
	}
	mb, err := g.find(req.MemberID, req.InstanceID)
	if err == nil && g.state == empty {
		err = kerr.UnknownMemberID
	}
	if err != nil {
		refuse(err, req.MemberID)
		return
	}
	m.rejoin(g, mb, req, done)
}

// joinNew handles a member without an id.
func (m *machine) joinNew(g *group, req JoinRequest, done func(JoinResult), refuse func(error, string)) {
	prefix := req.ClientID
	if req.InstanceID != "" {
		prefix = req.InstanceID
	}
	prefix = prefix[:min(len(prefix), maxIDPrefix)]
	id := prefix + "-" + m.newID()
	if req.InstanceID != "" {
		if old := g.members[g.static[req.InstanceID]]; old != nil {
			m.replaceStatic(g, old, id, req, done)
			return
		}
		m.addMember(g, req, id, done)
		return
	}
	if req.NeedsKnownID {
		g.pending[id] = m.now.Add(req.SessionTimeout)
		m.timers.push(timer{at: g.pending[id], kind: pendingEnds, group: g, member: id})
		refuse(kerr.MemberIDRequired, id)
		return
	}
	m.addMember(g, req, id, done)
}

func (m *machine) addMember(g *group, req JoinRequest, id string, done func(JoinResult)) {
	mb := &member{id: id, instanceID: req.InstanceID, seq: g.nextSeq}
	g.nextSeq++
	if len(g.members) == 0 {
		g.protocolType = req.ProtocolType
	}
	g.members[id] = mb
	if req.InstanceID != "" {
		g.static[req.InstanceID] = id
	}
	if g.leader == "" {
		g.leader = id
	}
	g.newcomer = true
	mb.update(req)
	m.park(mb, done)
	if req.MemberID == "" {
		m.arm(g, mb, newMemberTimeout)
	}
	m.rebalance(g)
}

func (mb *member) update(req JoinRequest) {
	mb.clientID, mb.host = req.ClientID, req.ClientHost
	mb.sessionTimeout, mb.rebalanceTimeout = req.SessionTimeout, max(req.RebalanceTimeout, 0)
	mb.protocols = req.Protocols
}

// park keeps a join until the group is complete. Its session does not run meanwhile. A join that is parked already was
// sent on another connection; its client repeats it.
func (m *machine) park(mb *member, done func(JoinResult)) {
	m.unpark(mb, kerr.RebalanceInProgress)
	mb.join, mb.armed = done, false
}

// unpark answers what a member has parked with an error.
func (m *machine) unpark(mb *member, err error) {
	id := mb.id
	if join := mb.join; join != nil {
		mb.join = nil
		m.answer(func(failed error) { join(JoinResult{Err: either(failed, err), Generation: -1, MemberID: id}) })
	}
	if sync := mb.sync; sync != nil {
		mb.sync = nil
		m.answer(func(failed error) { sync(SyncResult{Err: either(failed, err)}) })
	}
}

// rejoin handles a member that is known.
func (m *machine) rejoin(g *group, mb *member, req JoinRequest, done func(JoinResult)) {
	same := sameProtocols(mb.protocols, req.Protocols)
	if same && (g.state == completing || g.state == stable && mb.id != g.leader) {
		mb.update(req)
		m.extend(g, mb)
		m.answerJoin(g, mb, done, false)
		return
	}
	mb.update(req)
	m.park(mb, done)
	m.rebalance(g)
}

// replaceStatic gives a static member's place to the process that took over its instance id; the old id is fenced.
func (m *machine) replaceStatic(g *group, old *member, id string, req JoinRequest, done func(JoinResult)) {
	m.unpark(old, kerr.FencedInstanceID)
	wasLeader := g.leader == old.id
	mb := &member{id: id, instanceID: req.InstanceID, seq: old.seq, assignment: old.assignment, synced: old.synced}
	delete(g.members, old.id)
	g.members[id] = mb
	g.static[req.InstanceID] = id
	oldLeader := g.leader
	if wasLeader {
		g.leader = id
	}
	same := sameProtocols(old.protocols, req.Protocols)
	mb.update(req)
	if g.state != stable || !same || g.chooseProtocol() != g.protocol {
		// In Completing the leader is about to send an assignment for the old id, so everybody must join again.
		m.park(mb, done)
		m.rebalance(g)
		return
	}
	m.extend(g, mb)
	m.write(g.metadataRecord())
	if wasLeader && !req.CanSkipAssignment {
		// It must not think that it has to assign: older clients are told that the old id leads.
		res := JoinResult{Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: oldLeader, MemberID: id}
		m.answer(func(failed error) { done(res.orFailed(failed)) })
		return
	}
	m.answerJoin(g, mb, done, wasLeader)
}

// answerJoin tells a member about the present generation.
func (m *machine) answerJoin(g *group, mb *member, done func(JoinResult), skip bool) {
	res := JoinResult{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol,
		Leader: g.leader, MemberID: mb.id, SkipAssignment: skip,
	}
	if mb.id == g.leader {
		for _, other := range g.ordered() {
			res.Members = append(res.Members, JoinedMember{other.id, other.instanceID, g.metadata(other)})
		}
	}
	m.answer(func(failed error) { done(res.orFailed(failed)) })
}

func (r JoinResult) orFailed(failed error) JoinResult {
	if failed != nil {
		return JoinResult{Err: failed, Generation: -1, MemberID: r.MemberID}
	}
	return r
}

// either returns the error a requester gets: that of the failed append, else that of its request.
func either(failed, err error) error {
	if failed != nil {
		return failed
	}
	return err
}

func sameProtocols(a, b []Protocol) bool {
	return slices.EqualFunc(a, b, func(x, y Protocol) bool { return x.Name == y.Name && bytes.Equal(x.Metadata, y.Metadata) })
}
