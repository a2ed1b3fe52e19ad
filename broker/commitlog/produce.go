package commitlog

import (
	"errors"
	"fmt"

	"millrace/broker/batch"
)

// What a producer's sequence can be wrong in.
var (
	// ErrOutOfOrderSequence: a batch does not follow the producer's last one.
	ErrOutOfOrderSequence = errors.New("out of order sequence number")
	// ErrInvalidProducerEpoch: a batch of an older epoch than the log has of the producer.
	ErrInvalidProducerEpoch = errors.New("invalid producer epoch")
	// ErrInvalidTxnState: transactional and other batches of one producer epoch do not mix.
	ErrInvalidTxnState = errors.New("invalid transaction state")
	// ErrCoordinatorFenced: a marker of an older coordinator epoch than one in the log.
	ErrCoordinatorFenced = errors.New("transaction coordinator fenced")
)

// Produced says where a produced batch is.
type Produced struct {
	Base, Last int64
	Timestamp  int64 // max timestamp of the batch in the log
	Duplicate  bool  // it was there before
	Rolled     bool  // a segment was closed: a Sync is due whatever the flush settings
}

// AppendProduced is Append for a batch of a client: a batch with a producer id is compared with the producer's state
// first. One of its last five batches again is not written but answered with its old place.
func (l *Log) AppendProduced(epoch int32, b batch.Batch) (Produced, error) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.failed != nil {
		return Produced{}, l.failed
	}
	if b.ProducerID() >= 0 {
		dup, err := l.checkProducer(b)
		if err != nil {
			return Produced{}, err
		}
		if dup != nil {
			return Produced{Base: dup.BaseOffset, Last: dup.LastOffset, Timestamp: dup.Timestamp, Duplicate: true}, nil
		}
	}
	segments := len(l.segments)
	base, err := l.appendLocked(epoch, b)
	if err != nil {
		return Produced{}, err
	}
	return Produced{Base: base, Last: b.LastOffset(), Timestamp: b.MaxTimestamp(), Rolled: len(l.segments) > segments}, nil
}

// checkProducer compares a batch with what the log knows of its producer. The order is Kafka's: a duplicate first, then
// the epoch, then the sequence.
func (l *Log) checkProducer(b batch.Batch) (*ProducerBatch, error) {
	p := l.producers.byID[b.ProducerID()]
	if p == nil {
		return nil, nil // unknown, or forgotten: any sequence will do
	}
	if b.Control() {
		return nil, checkMarker(p, b)
	}
	first, last := b.BaseSequence(), b.LastSequence()
	follows := p.count > 0 && first == batch.AddSequence(p.LastSequence(), 1)
	if p.Epoch == b.ProducerEpoch() && first >= 0 && !follows {
		if p.partial {
			if err := l.findOlder(p); err != nil {
				return nil, err
			}
		}
		for i := range p.count {
			if d := &p.batches[i]; d.FirstSequence == first && d.LastSequence == last {
				return d, nil
			}
		}
	}
	switch {
	case b.ProducerEpoch() < p.Epoch:
		return nil, fmt.Errorf("producer %d: epoch %d, the log has %d: %w", p.ID, b.ProducerEpoch(), p.Epoch, ErrInvalidProducerEpoch)
	case first < 0:
		return nil, nil // no sequences: a group coordinator's transactional offsets
	case b.ProducerEpoch() > p.Epoch:
		if first != 0 {
			return nil, fmt.Errorf("producer %d: sequence %d at the start of epoch %d, expected 0: %w", p.ID, first,
				b.ProducerEpoch(), ErrOutOfOrderSequence)
		}
	case p.count == 0: // a marker began the epoch
		if first != 0 {
			return nil, fmt.Errorf("producer %d: sequence %d after a transaction, expected 0: %w", p.ID, first, ErrOutOfOrderSequence)
		}
	case !follows:
		return nil, fmt.Errorf("producer %d: sequence %d after %d in epoch %d: %w", p.ID, first, p.LastSequence(), p.Epoch,
			ErrOutOfOrderSequence)
	}
	if p.TxnFirstOffset >= 0 && !b.Transactional() && b.ProducerEpoch() == p.Epoch {
		return nil, fmt.Errorf("producer %d: a batch outside its open transaction: %w", p.ID, ErrInvalidTxnState)
	}
	return nil, nil
}

func checkMarker(p *Producer, b batch.Batch) error {
	m, ok, err := b.Marker()
	if err != nil || !ok {
		return err
	}
	if b.ProducerEpoch() < p.Epoch {
		return fmt.Errorf("marker of producer %d: epoch %d, the log has %d: %w", p.ID, b.ProducerEpoch(), p.Epoch, ErrInvalidProducerEpoch)
	}
	if m.CoordinatorEpoch < p.CoordinatorEpoch {
		return fmt.Errorf("marker of producer %d: coordinator epoch %d, the log has %d: %w", p.ID, m.CoordinatorEpoch,
			p.CoordinatorEpoch, ErrCoordinatorFenced)
	}
	return nil
}

// olderBytes is how far back the batch headers are searched for a producer's older batches: a retry comes within
// seconds of the original, and after that much other data nobody is waiting for it any more.
const olderBytes = 64 << 20

// findOlder completes the state of a producer that came from a snapshot, which keeps only its last batch, from the
// batches in the log. It happens once for a producer, when it sends something that does not follow: rarely.
func (l *Log) findOlder(p *Producer) error {
	p.partial = false
	if p.count == 0 || p.count == keptBatches {
		return nil
	}
	oldest := p.batches[0]
	var found []ProducerBatch
	budget := int64(olderBytes)
	end := l.end
	for i := len(l.segments) - 1; i >= 0 && budget > 0 && len(found)+p.count < keptBatches; i-- {
		s := l.segments[i]
		limit := end
		end = s.base
		if s.base >= oldest.BaseOffset {
			continue
		}
		idx := s.idx
		if idx == nil {
			var err error
			if idx, err = l.index(s, s.size, limit); err != nil {
				return err
			}
		}
		to := idx.position(oldest.BaseOffset - s.base) // or a little before
		from := idx.batchBefore(max(to-budget, 0))
		budget -= to - from
		var here []ProducerBatch
		_, err := l.walk(s, from, s.size, false, func(f frame) error {
			if f.BaseOffset() >= oldest.BaseOffset {
				return errStopWalk
			}
			if f.ProducerID() == p.ID && f.ProducerEpoch() == p.Epoch && !f.Control() && f.BaseSequence() >= 0 {
				here = append(here, ProducerBatch{f.BaseSequence(), f.LastSequence(), f.BaseOffset(), f.LastOffset(), f.MaxTimestamp()})
				here = here[max(0, len(here)-keptBatches):]
			}
			return nil
		})
		if err != nil {
			return err
		}
		found = append(here, found...)
	}
	found = append(found, p.Batches()...)
	found = found[max(0, len(found)-keptBatches):]
	p.count = copy(p.batches[:], found)
	return nil
}

// Producers returns a copy of the state of every producer.
func (l *Log) Producers() []Producer {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	list := make([]Producer, 0, len(l.producers.byID))
	for _, p := range l.producers.byID {
		list = append(list, *p)
	}
	return list
}

// ExpireProducers forgets producers that have been silent for producer.id.expiration.ms.
func (l *Log) ExpireProducers() {
	now := l.clock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if d := l.settings.ProducerExpiration; d > 0 {
		l.producers.expire(now.Add(-d).UnixMilli())
	}
}
