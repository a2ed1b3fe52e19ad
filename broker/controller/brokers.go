package controller

import (
	"slices"

	"millrace/broker/metadata"
)

// producerIDBlock is how many producer ids a broker gets at a time.
const producerIDBlock = 1000

func (d *decider) allocateProducerIDs(im *metadata.Image) (ProducerIDs, []metadata.Record) {
	first := im.NextProducerID()
	return ProducerIDs{First: first, Count: producerIDBlock}, []metadata.Record{&metadata.ProducerIDsRecord{Next: first + producerIDBlock}}
}

// registerBroker records a broker process. A new process of a known broker leads its partitions under new epochs: after a
// crash its logs may lack records that the old process had shown to clients under the old ones. If its logs were
// closed cleanly nothing is lacking and the epochs stay.
func (d *decider) registerBroker(im *metadata.Image, r Registration) []metadata.Record {
	was := im.Broker(r.ID)
	if was != nil && was.Incarnation == r.Incarnation && was.Rack == r.Rack && !was.Fenced && slices.Equal(was.Listeners, r.Listeners) {
		return nil // a retry
	}
	records := []metadata.Record{&metadata.BrokerRecord{ID: r.ID, Incarnation: r.Incarnation, Rack: r.Rack, Listeners: r.Listeners}}
	restarted := was != nil && was.Incarnation != r.Incarnation
	for _, t := range im.TopicsByName() {
		for n := range t.Partitions {
			p := &t.Partitions[n]
			leads := p.Leader == r.ID && restarted && !r.CleanLogs
			idle := p.Leader == metadata.NoBroker && slices.Contains(p.ISR, r.ID)
			if !leads && !idle {
				continue
			}
			next := p.Record(t.ID, int32(n))
			next.Leader = r.ID
			next.LeaderEpoch++
			next.PartitionEpoch++
			records = append(records, next)
		}
	}
	return records
}
