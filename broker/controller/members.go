package controller

import (
	"context"
	"slices"

	"millrace/broker/metadata"
	"millrace/broker/quorum"
)

// JoinRequest asks for a node's place in the quorum.
type JoinRequest struct {
	Node      metadata.BrokerID
	Directory metadata.DirectoryID
	Cluster   string // empty: the node belongs to none yet
	// Voter: the node's configuration names it among the voters.
	Voter bool
}

// join makes a node a member: as it was if its directory is the same, as another member if its disk was lost. active
// reports whether the quorum hears of a raft id.
func (d *decider) join(im *metadata.Image, j JoinRequest, active func(raftID uint64) bool) ([]metadata.Record, error) {
	if j.Cluster != "" && j.Cluster != im.ClusterID() {
		return nil, refuse(metadata.ErrInconsistentCluster, "Node %d belongs to cluster %s, this is cluster %s.", j.Node, j.Cluster, im.ClusterID())
	}
	was, known := im.Member(j.Node)
	if known && was.Directory == j.Directory {
		return nil, nil
	}
	alive := j.Node == d.self || known && active(was.RaftID)
	if b := im.Broker(j.Node); b != nil && !b.Fenced && d.sessions.live(j.Node, d.now()) {
		alive = true
	}
	if alive {
		return nil, refuse(metadata.ErrDuplicateBroker, "Another process with another data directory runs as node %d.", j.Node)
	}
	return []metadata.Record{&metadata.MemberRecord{
		Node: j.Node, Directory: j.Directory, Voter: known && was.Voter || j.Voter && slices.Contains(d.voters, j.Node),
	}}, nil
}

// setVoter makes a member a voter or a learner.
func (d *decider) setVoter(im *metadata.Image, node metadata.BrokerID, dir metadata.DirectoryID, voter bool) ([]metadata.Record, error) {
	m, ok := im.Member(node)
	if !ok || m.Directory != dir {
		if voter {
			return nil, refuse(metadata.ErrInvalidRequest,
				"Node %d with directory %s does not follow the metadata yet; start it with controller.quorum.bootstrap.servers and try again.", node, dir)
		}
		return nil, refuse(metadata.ErrVoterNotFound, "There is no voter %d with directory %s.", node, dir)
	}
	switch {
	case m.Voter == voter && voter:
		return nil, refuse(metadata.ErrDuplicateVoter, "Node %d is a voter already.", node)
	case m.Voter == voter:
		return nil, refuse(metadata.ErrVoterNotFound, "Node %d is no voter.", node)
	}
	others := 0
	for _, o := range im.Members() {
		if o.Voter && o.Node != node {
			others++
		}
	}
	if !voter && others == 0 {
		return nil, refuse(metadata.ErrInvalidRequest, "Node %d is the last voter.", node)
	}
	next := metadata.MemberRecord(m)
	next.Voter = voter
	return []metadata.Record{&next}, nil
}

// nextChange is the step that brings the quorum nearer to what the metadata says, if there is one. caughtUp reports
// whether a learner has what the leader has.
func nextChange(im *metadata.Image, now quorum.Members, caughtUp func(raftID uint64) bool) (quorum.Change, bool) {
	want := make(map[uint64]bool) // raft id -> voter
	for _, m := range im.Members() {
		want[m.RaftID] = m.Voter
	}
	// Who is no member any more goes first: a voter whose disk was lost can only be missed.
	for _, id := range slices.Concat(now.Voters, now.Learners) {
		if _, ok := want[id]; ok {
			continue
		}
		if id < metadata.FirstRaftID {
			if _, replaced := im.Member(metadata.BrokerID(id - 1)); !replaced && im.Broker(metadata.BrokerID(id-1)) != nil {
				continue // from before members were recorded
			}
		}
		return quorum.Change{Kind: quorum.Remove, ID: id}, true
	}
	for _, m := range im.Members() {
		learner, voter := slices.Contains(now.Learners, m.RaftID), slices.Contains(now.Voters, m.RaftID)
		switch {
		case !learner && !voter, voter && !m.Voter && len(now.Voters) > 1:
			return quorum.Change{Kind: quorum.AddLearner, ID: m.RaftID}, true
		case learner && m.Voter && caughtUp(m.RaftID):
			return quorum.Change{Kind: quorum.Promote, ID: m.RaftID}, true
		}
	}
	return quorum.Change{}, false
}

// Join makes a node a member of the quorum and returns the members.
func (c *Controller) Join(ctx context.Context, j JoinRequest) ([]metadata.Member, error) {
	var members []metadata.Member
	cmd := &command{}
	cmd.decide = func(d *decider, im *metadata.Image) (records []metadata.Record) {
		records, cmd.refusal = d.join(im, j, func(raftID uint64) bool {
			p, ok := c.progress(ctx)[raftID]
			return ok && p.Active
		})
		return records
	}
	done := make(chan []metadata.Member, 1)
	cmd.finish = func(im *metadata.Image) { done <- im.Members() }
	if err := c.do(ctx, cmd); err != nil {
		return nil, err
	}
	members = <-done
	return members, nil
}

// SetVoter makes a member of the quorum a voter or a learner. The quorum follows by itself.
func (c *Controller) SetVoter(ctx context.Context, node metadata.BrokerID, dir metadata.DirectoryID, voter bool) error {
	_, err := callOrRefuse(ctx, c, func(d *decider, im *metadata.Image) (struct{}, []metadata.Record, error) {
		records, err := d.setVoter(im, node, dir, voter)
		return struct{}{}, records, err
	})
	return err
}

// QuorumStatus is how the quorum is; without the members' progress on nodes that do not lead it.
func (c *Controller) QuorumStatus(ctx context.Context) (quorum.Status, error) {
	return c.cfg.Quorum.Status(ctx)
}

// progress is how far the members are; nil if this node does not lead.
func (c *Controller) progress(ctx context.Context) map[uint64]quorum.Progress {
	s, err := c.cfg.Quorum.Status(ctx)
	if err != nil {
		return nil
	}
	return s.Progress
}

// reconcile proposes the next change of members, one at a time.
func (c *Controller) reconcile(ctx context.Context) {
	if !c.role.Leading || c.cfg.Directory == (metadata.DirectoryID{}) {
		return
	}
	if m, known := c.image.Member(c.cfg.NodeID); !known || m.RaftID != c.role.Self {
		return // the members are not recorded yet
	}
	change, due := nextChange(c.image, c.members, func(raftID uint64) bool {
		s, err := c.cfg.Quorum.Status(ctx)
		p := s.Progress[raftID]
		return err == nil && p.Active && p.Match >= s.Commit
	})
	if !due {
		return
	}
	c.cfg.Logger.Info("quorum changes", "change", change.Kind.String(), "raft_id", change.ID,
		"broker", c.image.NodeOfRaftID(change.ID))
	if err := c.cfg.Quorum.ProposeChange(ctx, c.role.Term, change); err != nil {
		c.cfg.Logger.Debug("quorum did not change", "err", err) // the next tick tries again
	}
}
