package controller

import "millrace/broker/metadata"

// producerIDBlock is how many producer ids a broker gets at a time.
const producerIDBlock = 1000

func (d *decider) allocateProducerIDs(im *metadata.Image) (ProducerIDs, []metadata.Record) {
	first := im.NextProducerID()
	return ProducerIDs{First: first, Count: producerIDBlock}, []metadata.Record{&metadata.ProducerIDsRecord{Next: first + producerIDBlock}}
}
