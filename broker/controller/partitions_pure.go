package controller

import "millrace/broker/metadata"

// Decisions are the controller's decisions on partitions as functions of an image, without a quorum: for simulations of a whole
// cluster in one goroutine. The records take effect when they are applied to the image that was given.
type Decisions struct{ d decider }

// BrokerEvent is what happens to a broker: see Decisions.BrokerChanged.
type BrokerEvent struct {
	ID metadata.BrokerID
	// Live: it is neither fenced nor shutting down from now on.
	Live bool
	// Restarted: it is another process than before; Clean: that one had closed its logs; Wiped: its disk is another, empty one.
	Restarted, Clean, Wiped bool
}

// BrokerChanged decides what becomes of partitions; im is the image before the broker's own record.
func (s *Decisions) BrokerChanged(im *metadata.Image, e BrokerEvent) []metadata.Record {
	return s.d.brokerChanged(im, brokerChange{id: e.ID, live: e.Live, restarted: e.Restarted, clean: e.Clean, wiped: e.Wiped})
}

// AlterPartitions is Controller.AlterPartitions.
func (s *Decisions) AlterPartitions(im *metadata.Image, from metadata.BrokerID, epoch int64, changes []ISRChange) ([]ISRResult, []metadata.Record, error) {
	return s.d.alterPartitions(im, from, epoch, changes)
}

// Reassign is Controller.Reassign.
func (s *Decisions) Reassign(im *metadata.Image, moves []Reassignment) ([]ReassignmentResult, []metadata.Record) {
	return s.d.reassign(im, moves, false)
}

// ElectLeaders is Controller.ElectLeaders.
func (s *Decisions) ElectLeaders(im *metadata.Image, refs []PartitionRef, unclean bool) ([]ElectionResult, []metadata.Record) {
	return s.d.electLeaders(im, refs, unclean)
}
