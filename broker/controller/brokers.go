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

// registerBroker records a broker process, and what that means for its partitions.
func (d *decider) registerBroker(im *metadata.Image, r Registration) []metadata.Record {
	was := im.Broker(r.ID)
	if was != nil && was.Incarnation == r.Incarnation && was.Rack == r.Rack && !was.Fenced && slices.Equal(was.Listeners, r.Listeners) {
		return nil // a retry
	}
	records := []metadata.Record{&metadata.BrokerRecord{ID: r.ID, Incarnation: r.Incarnation, Rack: r.Rack, Listeners: r.Listeners}}
	return append(records, d.brokerChanged(im, brokerChange{
		id: r.ID, live: true, restarted: was != nil && was.Incarnation != r.Incarnation, clean: r.CleanLogs,
	})...)
}
