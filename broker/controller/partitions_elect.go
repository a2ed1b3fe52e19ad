package controller

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

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

// GrowInternal adds replicas to partitions of internal topics that have fewer than there are brokers for.
func (c *Controller) GrowInternal(ctx context.Context) error {
	_, err := call(ctx, c, false, func(d *decider, im *metadata.Image) (struct{}, []metadata.Record) {
		return struct{}{}, d.growInternal(im, func(id metadata.BrokerID) bool { return im.Broker(id).Live() })
	})
	return err
}

// growEvery is how often internal topics are looked at: a partition grows once more after it has grown.
const growEvery = 5 * time.Second

// balanceInterval is how often leaders are balanced: leader.imbalance.check.interval.seconds, or 0 without
// auto.leader.rebalance.enable.
func balanceInterval(static map[string]string) time.Duration {
	if static["auto.leader.rebalance.enable"] == "false" {
		return 0
	}
	if n, err := strconv.ParseInt(static["leader.imbalance.check.interval.seconds"], 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return 5 * time.Minute
}

// balance keeps leaders where they belong while this node is the active controller, until ctx ends: every so often partitions go
// back to their preferred leaders; 0 leaves them. Internal topics grow with the cluster.
func (c *Controller) balance(ctx context.Context, every time.Duration) {
	grow := time.NewTicker(growEvery)
	defer grow.Stop()
	var balance <-chan time.Time
	if every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		balance = ticker.C
	}
	for {
		var err error
		var moved int
		select {
		case <-ctx.Done():
			return
		case <-grow.C:
			if c.balances() {
				err = c.GrowInternal(ctx)
			}
		case <-balance:
			if c.balances() {
				moved, err = c.BalanceLeaders(ctx)
			}
		}
		switch {
		case err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotController):
			c.cfg.Logger.Warn("partitions were not balanced", "err", err)
		case moved > 0:
			c.cfg.Logger.Info("partitions went back to their preferred leaders", "partitions", moved)
		}
	}
}

// balances says whether there is something to balance, and this node to do it.
func (c *Controller) balances() bool {
	return c.Leader() == c.cfg.NodeID && len(c.Image().Brokers()) > 1
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
