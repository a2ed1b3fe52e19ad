package controller

import (
	"context"
	"errors"
	"slices"

	"millrace/broker/metadata"
)

// Why an election that was asked for did not happen.
var (
	// ErrElectionNotNeeded: the partition is led by whom the election would choose (ELECTION_NOT_NEEDED).
	ErrElectionNotNeeded = errors.New("election not needed")
	// ErrPreferredLeaderNotAvailable: the preferred leader is away or not in sync (PREFERRED_LEADER_NOT_AVAILABLE).
	ErrPreferredLeaderNotAvailable = errors.New("preferred leader not available")
	// ErrEligibleLeadersNotAvailable: no replica lives (ELIGIBLE_LEADERS_NOT_AVAILABLE).
	ErrEligibleLeadersNotAvailable = errors.New("eligible leaders not available")
)

// PartitionRef names one partition.
type PartitionRef struct {
	Topic     string
	Partition int32
}

// ElectionResult answers for one partition.
type ElectionResult struct {
	PartitionRef
	Err error
}

// ElectLeaders holds elections (ElectLeaders): with unclean for partitions without a leader, of any replica that lives, else of
// the preferred leaders. refs nil means all partitions, of which those that need no election are left out of the answer.
func (c *Controller) ElectLeaders(ctx context.Context, refs []PartitionRef, unclean bool) ([]ElectionResult, error) {
	return call(ctx, c, false, func(d *decider, im *metadata.Image) ([]ElectionResult, []metadata.Record) {
		return d.electLeaders(im, refs, unclean)
	})
}

func (d *decider) electLeaders(im *metadata.Image, refs []PartitionRef, unclean bool) ([]ElectionResult, []metadata.Record) {
	all := refs == nil
	if all {
		for _, t := range im.TopicsByName() {
			for n := range t.Partitions {
				refs = append(refs, PartitionRef{t.Name, int32(n)})
			}
		}
	}
	var results []ElectionResult
	var records []metadata.Record
	done := make(map[PartitionRef]bool, len(refs))
	for _, ref := range refs {
		if done[ref] {
			continue
		}
		done[ref] = true
		r, err := d.electLeader(im, ref, unclean)
		if r != nil {
			records = append(records, r)
		}
		if !all || !errors.Is(err, ErrElectionNotNeeded) {
			results = append(results, ElectionResult{ref, err})
		}
	}
	return results, records
}

func (d *decider) electLeader(im *metadata.Image, ref PartitionRef, unclean bool) (*metadata.PartitionRecord, error) {
	t := im.Topic(ref.Topic)
	p := t.Partition(ref.Partition)
	switch {
	case p == nil:
		return nil, &metadata.Error{Kind: metadata.ErrUnknownTopic}
	case unclean && p.Leader != metadata.NoBroker, !unclean && p.Leader == p.Replicas[0]:
		return nil, ErrElectionNotNeeded
	}
	e := edit(t, int(ref.Partition), d.rules(im, t), func(id metadata.BrokerID) bool { return im.Broker(id).Live() })
	e.preferred, e.unclean = !unclean, e.unclean || unclean
	r := e.settle()
	switch {
	case unclean && (r == nil || r.Leader == metadata.NoBroker):
		return nil, ErrEligibleLeadersNotAvailable
	case !unclean && (r == nil || r.Leader != p.Replicas[0]):
		return nil, ErrPreferredLeaderNotAvailable
	}
	return r, nil
}

// maxBalanced is how many leaders one round of balancing moves.
const maxBalanced = 1000

// BalanceLeaders gives partitions back to their preferred leaders that are live and in sync (auto.leader.rebalance.enable), and returns how
// many it moved.
func (c *Controller) BalanceLeaders(ctx context.Context) (int, error) {
	return call(ctx, c, false, func(d *decider, im *metadata.Image) (int, []metadata.Record) {
		records := d.balanceLeaders(im)
		return len(records), records
	})
}

func (d *decider) balanceLeaders(im *metadata.Image) []metadata.Record {
	var records []metadata.Record
	for _, t := range im.TopicsByName() {
		for n := range t.Partitions {
			p := &t.Partitions[n]
			first := p.Replicas[0]
			if p.Leader == first || p.Leader == metadata.NoBroker || !slices.Contains(p.ISR, first) || !im.Broker(first).Live() {
				continue
			}
			if r, err := d.electLeader(im, PartitionRef{t.Name, int32(n)}, false); err == nil {
				records = append(records, r)
			}
			if len(records) == maxBalanced {
				return records
			}
		}
	}
	return records
}
