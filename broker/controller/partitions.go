package controller

import (
	"slices"

	"millrace/broker/metadata"
)

// brokerChange is what happens to one broker: the image given beside it is the one before.
type brokerChange struct {
	id metadata.BrokerID
	// live: from now on the broker is neither fenced nor shutting down, so it may lead and be in sync.
	live bool
	// restarted: another process than the one in the image; clean: that one had closed its logs, so that nothing is missing.
	restarted, clean bool
	// wiped: the process has another, empty, data directory than the one before.
	wiped bool
}

// brokerChanged decides what becomes of partitions when a broker comes, goes or starts anew.
//
// A new process of a known broker leads its partitions under new epochs: after a crash its logs may lack records that the old
// process had shown to clients under the old ones. If its logs were closed cleanly nothing is lacking and the epochs stay.
func (d *decider) brokerChanged(im *metadata.Image, c brokerChange) []metadata.Record {
	live := func(id metadata.BrokerID) bool {
		if id == c.id {
			return c.live
		}
		return im.Broker(id).Live()
	}
	var records []metadata.Record
	for _, t := range im.TopicsByName() {
		rules := d.rules(im, t)
		for n := range t.Partitions {
			p := &t.Partitions[n]
			if !slices.Contains(p.Replicas, c.id) {
				continue
			}
			e := edit(t, n, rules, live)
			if c.restarted && !c.clean {
				e.newEpoch = p.Leader == c.id && c.live
				if c.wiped || !rules.synced {
					e.lostRecords(c.id, c.wiped)
				}
			}
			if r := e.settle(); r != nil {
				records = append(records, r)
			}
		}
	}
	if c.live {
		records = append(records, d.growInternal(im, live)...)
	}
	return records
}

// topicRules are the topic's configs that elections go by.
type topicRules struct {
	minISR  int
	unclean bool
	synced  bool // what is acknowledged is on the disk: an unclean stop loses nothing of it
}

func (d *decider) rules(im *metadata.Image, t *metadata.Topic) topicRules {
	// A value that cannot be used has been refused before; the defaults stand in for one of a broker's file.
	c, _ := metadata.NewTopicConfig(im.Config(metadata.TopicResource(t.Name)), im.Defaults(metadata.NoBroker, d.static))
	return topicRules{minISR: int(c.MinInSyncReplicas), unclean: c.UncleanLeaderElection, synced: !c.FlushSet}
}

// partitionEdit is a change of one partition in the making: change next, then settle.
//
//	ISR  live replicas with every acknowledged record
//	ELR  eligible leader replicas (KIP-966): they left an ISR that was smaller than min.insync.replicas from then on. The
//	     high watermark has stood still since, so they have every acknowledged record too.
type partitionEdit struct {
	was   *metadata.Partition
	next  *metadata.PartitionRecord
	rules topicRules
	live  func(metadata.BrokerID) bool

	newEpoch  bool // even if the leader stays
	preferred bool // the preferred leader is to lead, if it is in sync
	unclean   bool // whoever lives may lead, if nobody else can
}

func edit(t *metadata.Topic, n int, rules topicRules, live func(metadata.BrokerID) bool) *partitionEdit {
	p := &t.Partitions[n]
	return &partitionEdit{was: p, next: p.Record(t.ID, int32(n)), rules: rules, live: live, unclean: rules.unclean}
}

// lostRecords takes a replica out of ISR and ELR that may lack acknowledged records. The last one stays, for then nobody has
// them, unless its directory is another one (wiped) and there are other replicas, whose operator may want to look for them.
func (e *partitionEdit) lostRecords(id metadata.BrokerID, wiped bool) {
	isr, elr := without(e.next.ISR, id), without(e.next.ELR, id)
	if len(isr)+len(elr) == 0 && (!wiped || len(e.next.Replicas) == 1) {
		return
	}
	e.next.ISR, e.next.ELR = isr, elr
}

// settle drops who is not live from the ISR, finds a leader, and counts the epochs. It returns the record to write, nil if
// nothing changed.
func (e *partitionEdit) settle() *metadata.PartitionRecord {
	next, was := e.next, e.was
	formerly := union(next.ISR, next.ELR)
	if !slices.Equal(next.Replicas, was.Replicas) {
		formerly = slices.DeleteFunc(formerly, func(id metadata.BrokerID) bool { return !slices.Contains(next.Replicas, id) })
	}
	next.ISR = slices.DeleteFunc(slices.Clone(next.ISR), func(id metadata.BrokerID) bool { return !e.live(id) })
	e.elect(formerly)
	next.ELR = nil
	if len(next.ISR) < min(e.rules.minISR, len(next.Replicas)) {
		for _, id := range formerly {
			if !slices.Contains(next.ISR, id) {
				next.ELR = append(next.ELR, id)
			}
		}
	}
	if next.Leader != was.Leader || e.newEpoch {
		next.LeaderEpoch++
	} else if slices.Equal(next.ISR, was.ISR) && slices.Equal(next.ELR, was.ELR) && slices.Equal(next.Replicas, was.Replicas) &&
		slices.Equal(next.Adding, was.Adding) && slices.Equal(next.Removing, was.Removing) {
		return nil
	}
	next.PartitionEpoch++
	return next
}

// elect sets the leader: the present one if it may go on, else the first in sync, else the first of the others that have
// everything (formerly), else, if that is allowed, the first that lives.
func (e *partitionEdit) elect(formerly []metadata.BrokerID) {
	next := e.next
	candidates := func(among []metadata.BrokerID) []metadata.BrokerID {
		var c []metadata.BrokerID
		for _, id := range next.Replicas { // the order of the assignment
			if e.live(id) && slices.Contains(among, id) {
				c = append(c, id)
			}
		}
		return c
	}
	if in := candidates(next.ISR); len(in) > 0 {
		switch {
		case e.preferred && in[0] == next.Replicas[0]:
			next.Leader = in[0]
		case !slices.Contains(in, next.Leader):
			next.Leader = stayingFirst(in, next.Removing)
		}
		return
	}
	from := candidates(formerly)
	if len(from) == 0 && e.unclean {
		from = candidates(next.Replicas)
	}
	if len(from) == 0 {
		next.Leader = metadata.NoBroker
		return
	}
	if next.Leader == from[0] {
		e.newEpoch = true // it comes back with less than it may have shown
	}
	next.Leader, next.ISR = from[0], []metadata.BrokerID{from[0]}
}

// stayingFirst is the first that is not about to be removed, if there is one.
func stayingFirst(ids, removing []metadata.BrokerID) metadata.BrokerID {
	for _, id := range ids {
		if !slices.Contains(removing, id) {
			return id
		}
	}
	return ids[0]
}

func without(ids []metadata.BrokerID, gone ...metadata.BrokerID) []metadata.BrokerID {
	return slices.DeleteFunc(slices.Clone(ids), func(id metadata.BrokerID) bool { return slices.Contains(gone, id) })
}

func union(a, b []metadata.BrokerID) []metadata.BrokerID {
	all := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}
