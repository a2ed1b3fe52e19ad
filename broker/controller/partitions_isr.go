package controller

import (
	"context"
	"errors"
	"slices"

	"millrace/broker/metadata"
)

// Why the ISR that a leader asks for is not taken.
var (
	// ErrStaleBrokerEpoch: the request comes from a process that is not the broker's registered one (STALE_BROKER_EPOCH).
	ErrStaleBrokerEpoch = errors.New("stale broker epoch")
	// ErrFencedLeaderEpoch: the leader's epoch is over (FENCED_LEADER_EPOCH).
	ErrFencedLeaderEpoch = errors.New("fenced leader epoch")
	// ErrInvalidUpdateVersion: the partition has changed since (INVALID_UPDATE_VERSION); newer metadata is on its way.
	ErrInvalidUpdateVersion = errors.New("invalid update version")
	// ErrIneligibleReplica: a wanted member is fenced, shutting down, or not the process that was seen in sync
	// (INELIGIBLE_REPLICA).
	ErrIneligibleReplica = errors.New("ineligible replica")
)

// ISRChange asks for another ISR of a partition. It comes from the partition's leader.
type ISRChange struct {
	Topic          metadata.TopicID
	Partition      int32
	LeaderEpoch    metadata.LeaderEpoch
	PartitionEpoch int32
	ISR            []ISRMember
}

// ISRMember is a replica and the broker epoch it was seen in sync with, -1 if unknown.
type ISRMember struct {
	ID    metadata.BrokerID
	Epoch int64
}

// ISRResult answers one ISRChange: why not, or the partition as it is then.
type ISRResult struct {
	Topic     metadata.TopicID
	Partition int32
	Err       error
	State     metadata.Partition
}

// AlterPartitions decides the ISR changes that broker from asks for (AlterPartition). ErrStaleBrokerEpoch refuses all.
func (c *Controller) AlterPartitions(ctx context.Context, from metadata.BrokerID, epoch int64, changes []ISRChange) ([]ISRResult, error) {
	type outcome struct {
		results []ISRResult
		err     error
	}
	out, err := call(ctx, c, false, func(d *decider, im *metadata.Image) (outcome, []metadata.Record) {
		results, records, err := d.alterPartitions(im, from, epoch, changes)
		return outcome{results, err}, records
	})
	if err != nil {
		return nil, err
	}
	return out.results, out.err
}

func (d *decider) alterPartitions(im *metadata.Image, from metadata.BrokerID, epoch int64, changes []ISRChange) ([]ISRResult, []metadata.Record, error) {
	if b := im.Broker(from); b == nil || b.Epoch != epoch {
		return nil, nil, ErrStaleBrokerEpoch
	}
	results := make([]ISRResult, len(changes))
	var records []metadata.Record
	for i := range changes {
		ch := &changes[i]
		results[i] = ISRResult{Topic: ch.Topic, Partition: ch.Partition}
		r, err := d.alterPartition(im, from, ch)
		if err != nil {
			results[i].Err = err
			continue
		}
		records = append(records, r)
		results[i].State = metadata.Partition{
			Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch, Replicas: r.Replicas, ISR: r.ISR,
			ELR: r.ELR, Adding: r.Adding, Removing: r.Removing,
		}
	}
	return results, records, nil
}

func (d *decider) alterPartition(im *metadata.Image, from metadata.BrokerID, ch *ISRChange) (*metadata.PartitionRecord, error) {
	t := im.TopicByID(ch.Topic)
	if t == nil {
		return nil, metadata.ErrUnknownTopicID
	}
	p := t.Partition(ch.Partition)
	switch {
	case p == nil:
		return nil, metadata.ErrUnknownTopic
	case ch.LeaderEpoch > p.LeaderEpoch, ch.PartitionEpoch > p.PartitionEpoch:
		return nil, ErrNotController // it knows more than this node: another one decides now
	case ch.LeaderEpoch < p.LeaderEpoch:
		return nil, ErrFencedLeaderEpoch
	case from != p.Leader:
		return nil, metadata.ErrInvalidRequest
	case ch.PartitionEpoch < p.PartitionEpoch:
		return nil, ErrInvalidUpdateVersion
	}
	isr := make([]metadata.BrokerID, 0, len(ch.ISR))
	for _, m := range ch.ISR {
		if !slices.Contains(p.Replicas, m.ID) || slices.Contains(isr, m.ID) {
			return nil, metadata.ErrInvalidRequest
		}
		isr = append(isr, m.ID)
	}
	if !slices.Contains(isr, from) {
		return nil, metadata.ErrInvalidRequest
	}
	for _, m := range ch.ISR {
		if b := im.Broker(m.ID); !b.Live() || m.Epoch != -1 && m.Epoch != b.Epoch {
			return nil, ErrIneligibleReplica
		}
	}
	e := edit(t, int(ch.Partition), d.rules(im, t), func(id metadata.BrokerID) bool { return im.Broker(id).Live() })
	// Who leaves an ISR that is too small afterwards stays eligible; settle looks at both lists.
	e.next.ELR = without(union(p.ISR, p.ELR), isr...)
	e.next.ISR = isr
	e.completeReassignment()
	if r := e.settle(); r != nil {
		return r, nil
	}
	e.next.PartitionEpoch++ // the ISR as it is was asked for, to make an end of requests that may still be on their way
	return e.next, nil
}
