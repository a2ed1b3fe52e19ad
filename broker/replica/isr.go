package replica

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// isrSender brings the ISR changes that leaders want to the controller: one request at a time, with all that wait.
type isrSender struct {
	r *Replicas

	mu      sync.Mutex
	waiting map[*partition.Partition]bool
	wake    chan struct{} // has room for one
}

// maxISRChanges is how many changes go into one request.
const maxISRChanges = 1000

// ask is partition.Config.OnISRChange.
func (s *isrSender) ask(p *partition.Partition) {
	s.mu.Lock()
	s.waiting[p] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *isrSender) take() []*partition.Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*partition.Partition
	for p := range s.waiting {
		if len(list) == maxISRChanges {
			break
		}
		list = append(list, p)
		delete(s.waiting, p)
	}
	return list
}

// run sends until ctx ends. What gets no answer is sent again, until metadata says that it is obsolete.
func (s *isrSender) run(ctx context.Context) {
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for ctx.Err() == nil {
			asking := s.take()
			if len(asking) == 0 {
				break
			}
			if s.send(ctx, asking) {
				failures = 0
				continue
			}
			failures++
			retry := time.NewTimer(min(time.Second, 20*time.Millisecond<<min(failures, 10)))
			select {
			case <-ctx.Done():
			case <-retry.C:
			}
			retry.Stop()
		}
	}
}

// requestTimeout bounds one request to the controller.
const requestTimeout = 10 * time.Second

// send asks once; false if some must be asked for again.
func (s *isrSender) send(ctx context.Context, asking []*partition.Partition) bool {
	r := s.r
	var changes []controller.ISRChange
	var of []*partition.Partition
	for _, p := range asking {
		want := p.ISRRequest()
		if want == nil {
			continue
		}
		ch := controller.ISRChange{
			Topic: p.TopicID(), Partition: p.Index(), LeaderEpoch: metadata.LeaderEpoch(want.LeaderEpoch), PartitionEpoch: want.PartitionEpoch,
		}
		for _, m := range want.ISR {
			ch.ISR = append(ch.ISR, controller.ISRMember{ID: metadata.BrokerID(m.ID), Epoch: m.BrokerEpoch})
		}
		changes, of = append(changes, ch), append(of, p)
	}
	if len(changes) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	results, err := r.cfg.AlterPartitions(ctx, r.brokerEpoch(), changes)
	if err != nil || len(results) != len(changes) {
		r.log.Debug("ISR changes are asked for again", "changes", len(changes), "err", err)
		for _, p := range of {
			s.again(p)
		}
		return false
	}
	all := true
	for i, res := range results {
		if !r.answered(of[i], &changes[i], res) {
			s.again(of[i])
			all = false
		}
	}
	return all
}

func (s *isrSender) again(p *partition.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[p] = true
}

// answered passes the controller's answer on to the leader; false if it has to ask again.
func (r *Replicas) answered(p *partition.Partition, ch *controller.ISRChange, res controller.ISRResult) bool {
	at := []any{"topic", p.Topic(), "partition", p.Index(), "leader_epoch", ch.LeaderEpoch}
	switch {
	case res.Err == nil:
		was := len(p.ISR())
		p.ISRTaken(int32(res.State.LeaderEpoch), res.State.PartitionEpoch, ids(res.State.ISR))
		r.metrics.isrChanged(was, len(res.State.ISR))
		r.log.Info("ISR changed", append(at, "isr", res.State.ISR)...)
		return true
	case errors.Is(res.Err, controller.ErrFencedLeaderEpoch), errors.Is(res.Err, controller.ErrInvalidUpdateVersion):
		return true // likewise; until then those asked for count as members
	case errors.Is(res.Err, controller.ErrIneligibleReplica), errors.Is(res.Err, metadata.ErrInvalidRequest),
		errors.Is(res.Err, metadata.ErrUnknownTopic), errors.Is(res.Err, metadata.ErrUnknownTopicID):
		r.log.Debug("ISR change refused", append(at, "err", res.Err)...)
		p.ISRRefused(ch.PartitionEpoch)
		return !p.ISRPending()
	}
	return false
}

// RemoteAlter asks the controller on another node: AlterPartition over link.
func RemoteAlter(ctx context.Context, link Link, to, from metadata.BrokerID, epoch int64, changes []controller.ISRChange) ([]controller.ISRResult, error) {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = alterPartitionVersion, int32(from), epoch
	for i := range changes {
		ch := &changes[i]
		rt := kmsg.NewAlterPartitionRequestTopic()
		rt.TopicID = ch.Topic
		rp := kmsg.NewAlterPartitionRequestTopicPartition()
		rp.Partition, rp.LeaderEpoch, rp.PartitionEpoch = ch.Partition, int32(ch.LeaderEpoch), ch.PartitionEpoch
		for _, m := range ch.ISR {
			e := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			e.BrokerID, e.BrokerEpoch = int32(m.ID), m.Epoch
			rp.NewEpochISR = append(rp.NewEpochISR, e)
		}
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
	}
	answer, err := link.Request(ctx, to, req)
	if err != nil {
		return nil, err
	}
	resp, ok := answer.(*kmsg.AlterPartitionResponse)
	if !ok {
		return nil, errors.New("the answer to AlterPartition is another")
	}
	if err := alterError(resp.ErrorCode); err != nil {
		return nil, err
	}
	var results []controller.ISRResult
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			rp := &resp.Topics[i].Partitions[j]
			res := controller.ISRResult{Topic: resp.Topics[i].TopidID, Partition: rp.Partition, Err: alterError(rp.ErrorCode)}
			if len(results) == len(changes) || res.Topic != changes[len(results)].Topic || res.Partition != changes[len(results)].Partition {
				return nil, errors.New("the answer to AlterPartition names other partitions")
			}
			res.State = metadata.Partition{
				Leader: metadata.BrokerID(rp.LeaderID), LeaderEpoch: metadata.LeaderEpoch(rp.LeaderEpoch), PartitionEpoch: rp.PartitionEpoch,
			}
			for _, id := range rp.ISR {
				res.State.ISR = append(res.State.ISR, metadata.BrokerID(id))
			}
			results = append(results, res)
		}
	}
	return results, nil
}

// alterPartitionVersion has broker epochs in the ISR (KIP-903).
const alterPartitionVersion = 3

// alterErrors are the conditions behind the codes of AlterPartition.
var alterErrors = []struct {
	code *kerr.Error
	err  error
}{
	{kerr.StaleBrokerEpoch, controller.ErrStaleBrokerEpoch},
	{kerr.FencedLeaderEpoch, controller.ErrFencedLeaderEpoch},
	{kerr.InvalidUpdateVersion, controller.ErrInvalidUpdateVersion},
	{kerr.IneligibleReplica, controller.ErrIneligibleReplica},
	{kerr.InvalidRequest, metadata.ErrInvalidRequest},
	{kerr.UnknownTopicOrPartition, metadata.ErrUnknownTopic},
	{kerr.UnknownTopicID, metadata.ErrUnknownTopicID},
}

func alterError(code int16) error {
	for _, e := range alterErrors {
		if e.code.Code == code {
			return e.err
		}
	}
	return kerr.ErrorForCode(code)
}
