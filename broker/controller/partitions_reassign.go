package controller

import (
	"context"
	"errors"
	"slices"

	"millrace/broker/metadata"
)

// ErrNoReassignment: a reassignment to cancel is not in progress (NO_REASSIGNMENT_IN_PROGRESS).
var ErrNoReassignment = errors.New("no reassignment in progress")

// Reassignment asks to move a partition to other brokers.
type Reassignment struct {
	Topic     string
	Partition int32
	// Replicas is where to, the preferred leader first; nil cancels the move that is in progress.
	Replicas []metadata.BrokerID
}

// ReassignmentResult answers one Reassignment.
type ReassignmentResult struct {
	Topic     string
	Partition int32
	Err       error
}

// Reassign begins, changes and cancels moves of partitions (AlterPartitionReassignments). New replicas are added first; when all of
// them are in sync the old ones go. keepCount refuses to change the number of replicas.
func (c *Controller) Reassign(ctx context.Context, moves []Reassignment, keepCount bool) ([]ReassignmentResult, error) {
	return call(ctx, c, false, func(d *decider, im *metadata.Image) ([]ReassignmentResult, []metadata.Record) {
		return d.reassign(im, moves, keepCount)
	})
}

func (d *decider) reassign(im *metadata.Image, moves []Reassignment, keepCount bool) ([]ReassignmentResult, []metadata.Record) {
	type place struct {
		topic string
		n     int32
	}
	twice := repeated(moves, func(m Reassignment) place { return place{m.Topic, m.Partition} })
	results := make([]ReassignmentResult, len(moves))
	var records []metadata.Record
	for i, m := range moves {
		results[i] = ReassignmentResult{Topic: m.Topic, Partition: m.Partition}
		if twice[place{m.Topic, m.Partition}] {
			results[i].Err = refuse(metadata.ErrInvalidRequest, "The partition is named more than once.")
			continue
		}
		r, err := d.reassignOne(im, m, keepCount)
		results[i].Err = err
		if r != nil {
			records = append(records, r)
		}
	}
	return results, records
}

func (d *decider) reassignOne(im *metadata.Image, m Reassignment, keepCount bool) (*metadata.PartitionRecord, error) {
	t := im.Topic(m.Topic)
	p := t.Partition(m.Partition)
	if p == nil {
		return nil, &metadata.Error{Kind: metadata.ErrUnknownTopic}
	}
	e := edit(t, int(m.Partition), d.rules(im, t), func(id metadata.BrokerID) bool { return im.Broker(id).Live() })
	if m.Replicas == nil {
		return e.cancelReassignment()
	}
	if err := checkReplicas(im, m.Replicas, 0); err != nil {
		return nil, err
	}
	if settled := len(p.Replicas) - len(p.Adding); keepCount && len(m.Replicas) != settled {
		return nil, refuse(metadata.ErrInvalidReplicationFactor,
			"The replication factor is changed from %d to %d", settled, len(m.Replicas))
	}
	e.reassignTo(m.Replicas)
	return e.settle(), nil
}

// reassignTo begins a move. Replicas of a move that is still going on count as there, so changing one's mind costs nothing.
func (e *partitionEdit) reassignTo(target []metadata.BrokerID) {
	next := e.next
	next.Removing = without(next.Replicas, target...)
	// What the last settled assignment did not have is on its way.
	next.Adding = without(target, without(e.was.Replicas, e.was.Adding...)...)
	next.Replicas = slices.Concat(target, next.Removing)
	e.completeReassignment()
}

// completeReassignment ends a move when all added replicas are in sync, and says whether it did. Somebody must be in sync then.
func (e *partitionEdit) completeReassignment() bool {
	next := e.next
	if len(next.Adding)+len(next.Removing) == 0 {
		return false
	}
	isr := without(next.ISR, next.Removing...)
	for _, id := range next.Adding {
		if !slices.Contains(isr, id) {
			return false
		}
	}
	if !slices.ContainsFunc(isr, e.live) {
		return false
	}
	next.Replicas, next.ISR = without(next.Replicas, next.Removing...), isr
	next.ELR = without(next.ELR, next.Removing...)
	next.Adding, next.Removing = nil, nil
	return true
}

// cancelReassignment goes back to the replicas before the move.
func (e *partitionEdit) cancelReassignment() (*metadata.PartitionRecord, error) {
	next := e.next
	if len(next.Adding)+len(next.Removing) == 0 {
		return nil, ErrNoReassignment
	}
	isr := without(next.ISR, next.Adding...)
	elr := without(next.ELR, next.Adding...)
	if len(isr)+len(elr) == 0 && !e.unclean {
		return nil, refuse(metadata.ErrInvalidReplicaAssignment,
			"The move cannot be cancelled: none of the replicas before it, %v, has all records.", without(next.Replicas, next.Adding...))
	}
	next.Replicas, next.ISR, next.ELR = without(next.Replicas, next.Adding...), isr, elr
	next.Adding, next.Removing = nil, nil
	return e.settle(), nil
}
