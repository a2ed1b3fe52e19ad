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
}

// brokerChanged decides what becomes of partitions when a broker comes, goes or starts anew. A new process of a known broker
// leads its partitions under new epochs: after a crash its logs may lack records that the old process had shown to
// clients under the old ones. If its logs were closed cleanly nothing is lacking and the epochs stay.
func (d *decider) brokerChanged(im *metadata.Image, c brokerChange) []metadata.Record {
	if !c.live {
		return nil
	}
	var records []metadata.Record
	for _, t := range im.TopicsByName() {
		for n := range t.Partitions {
			p := &t.Partitions[n]
			leads := p.Leader == c.id && c.restarted && !c.clean
			idle := p.Leader == metadata.NoBroker && slices.Contains(p.ISR, c.id)
			if !leads && !idle {
				continue
			}
			next := p.Record(t.ID, int32(n))
			next.Leader = c.id
			next.LeaderEpoch++
			next.PartitionEpoch++
			records = append(records, next)
		}
	}
	return records
}
