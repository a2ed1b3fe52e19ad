package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"millrace/broker/batch"
)

// keptBatches is how many of a producer's last batches are remembered: as many as a client may have in flight.
const keptBatches = 5

// ProducerBatch is what is remembered of a batch to recognise it when it is sent again.
type ProducerBatch struct {
	FirstSequence, LastSequence int32
	BaseOffset, LastOffset      int64
	Timestamp                   int64
}

// Producer is the state of one producer id in one log, as the batches in the log make it.
type Producer struct {
	ID               int64
	Epoch            int16
	CoordinatorEpoch int32 // -1: no marker yet
	LastTimestamp    int64
	TxnFirstOffset   int64 // first offset of the open transaction, -1: none

	batches [keptBatches]ProducerBatch // the last count ones, oldest first
	count   int
	partial bool // read from a snapshot, which keeps just the last batch: older ones may be in the log
}

// Batches are the last batches, oldest first.
func (p *Producer) Batches() []ProducerBatch { return p.batches[:p.count] }

// LastSequence is the sequence of the last record, -1 for none.
func (p *Producer) LastSequence() int32 {
	if p.count == 0 {
		return -1
	}
	return p.batches[p.count-1].LastSequence
}

func (p *Producer) push(b ProducerBatch) {
	if p.count == keptBatches {
		copy(p.batches[:], p.batches[1:])
		p.count--
	}
	p.batches[p.count] = b
	p.count++
}

// producers is the state of all producers of a log, at its end. Its owner guards it.
type producers struct {
	byID map[int64]*Producer
}

func newProducers() producers { return producers{byID: make(map[int64]*Producer)} }

// apply takes in a batch that is in the log (or is about to be). If it ends a transaction by aborting it, the entry for
// the transaction index comes back; next is the log end after the batch.
func (s *producers) apply(b batch.Batch) (aborted *abortedTxn, err error) {
	id := b.ProducerID()
	if id < 0 {
		return nil, nil
	}
	p := s.byID[id]
	if p == nil {
		p = &Producer{ID: id, Epoch: b.ProducerEpoch(), CoordinatorEpoch: -1, TxnFirstOffset: -1, LastTimestamp: -1}
		s.byID[id] = p
	}
	if p.Epoch != b.ProducerEpoch() {
		p.Epoch = b.ProducerEpoch()
		p.count, p.partial = 0, false
	}
	if b.Control() {
		return s.applyMarker(p, b)
	}
	p.LastTimestamp = b.MaxTimestamp()
	if b.BaseSequence() >= 0 {
		p.push(ProducerBatch{
			FirstSequence: b.BaseSequence(), LastSequence: b.LastSequence(),
			BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(), Timestamp: b.MaxTimestamp(),
		})
	}
	if b.Transactional() && p.TxnFirstOffset < 0 {
		p.TxnFirstOffset = b.BaseOffset()
	}
	return nil, nil
}

func (s *producers) applyMarker(p *Producer, b batch.Batch) (*abortedTxn, error) {
	m, ok, err := b.Marker()
	if err != nil || !ok {
		return nil, err
	}
	p.CoordinatorEpoch = m.CoordinatorEpoch
	p.LastTimestamp = b.MaxTimestamp()
	first := p.TxnFirstOffset
	p.TxnFirstOffset = -1
	if m.Commit || first < 0 {
		return nil, nil
	}
	stable := b.LastOffset() + 1
	if open := s.firstOpen(); open >= 0 {
		stable = open
	}
	return &abortedTxn{producerID: p.ID, first: first, last: b.LastOffset(), stable: stable}, nil
}

// firstOpen is the first offset of the oldest open transaction, -1 if none is open.
func (s *producers) firstOpen() int64 {
	first := int64(-1)
	for _, p := range s.byID {
		if p.TxnFirstOffset >= 0 && (first < 0 || p.TxnFirstOffset < first) {
			first = p.TxnFirstOffset
		}
	}
	return first
}

// expire forgets producers that were last heard of before the given time, unless they have a transaction open.
func (s *producers) expire(before int64) {
	for id, p := range s.byID {
		if p.TxnFirstOffset < 0 && p.LastTimestamp < before {
			delete(s.byID, id)
		}
	}
}

// A .snapshot file is the state of all producers at the offset in its name: int16 version 1, uint32 CRC-32C of what
// follows, int32 count, then per producer int64 id, int16 epoch, int32 last sequence, int64 last offset, int32 offset
// delta of the last batch, int64 timestamp, int32 coordinator epoch, int64 first offset of the open transaction. -1 in
// last sequence and offset: no batch in this epoch.
const (
	snapshotHeaderSize = 10
	snapshotEntrySize  = 46
)

func (s *producers) snapshot() []byte {
	ids := slices.Sorted(maps.Keys(s.byID))
	b := make([]byte, snapshotHeaderSize, snapshotHeaderSize+len(ids)*snapshotEntrySize)
	be := binary.BigEndian
	be.PutUint16(b, 1)
	be.PutUint32(b[6:], uint32(len(ids)))
	for _, id := range ids {
		p := s.byID[id]
		last := ProducerBatch{LastSequence: -1, LastOffset: -1, BaseOffset: -1}
		if p.count > 0 {
			last = p.batches[p.count-1]
		}
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(p.Epoch))
		b = be.AppendUint32(b, uint32(last.LastSequence))
		b = be.AppendUint64(b, uint64(last.LastOffset))
		b = be.AppendUint32(b, uint32(last.LastOffset-last.BaseOffset))
		b = be.AppendUint64(b, uint64(p.LastTimestamp))
		b = be.AppendUint32(b, uint32(p.CoordinatorEpoch))
		b = be.AppendUint64(b, uint64(p.TxnFirstOffset))
	}
	be.PutUint32(b[2:], crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func decodeSnapshot(b []byte) (producers, error) {
	s := newProducers()
	be := binary.BigEndian
	if len(b) < snapshotHeaderSize {
		return s, fmt.Errorf("producer snapshot of %d bytes, at least %d expected", len(b), snapshotHeaderSize)
	}
	if v := be.Uint16(b); v != 1 {
		return s, fmt.Errorf("producer snapshot version %d, 1 expected", v)
	}
	if want, got := be.Uint32(b[2:]), crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)); want != got {
		return s, fmt.Errorf("producer snapshot CRC %#08x, %#08x expected", got, want)
	}
	n := int64(be.Uint32(b[6:]))
	b = b[snapshotHeaderSize:]
	if int64(len(b)) != n*snapshotEntrySize {
		return s, fmt.Errorf("producer snapshot with %d bytes of entries, %d expected", len(b), n*snapshotEntrySize)
	}
	for ; len(b) > 0; b = b[snapshotEntrySize:] {
		p := &Producer{
			ID: int64(be.Uint64(b)), Epoch: int16(be.Uint16(b[8:])), LastTimestamp: int64(be.Uint64(b[26:])),
			CoordinatorEpoch: int32(be.Uint32(b[34:])), TxnFirstOffset: int64(be.Uint64(b[38:])), partial: true,
		}
		last := ProducerBatch{LastSequence: int32(be.Uint32(b[10:])), LastOffset: int64(be.Uint64(b[14:])),
			Timestamp: p.LastTimestamp}
		delta := int32(be.Uint32(b[22:]))
		if last.LastOffset >= 0 {
			last.BaseOffset = last.LastOffset - int64(delta)
			last.FirstSequence = last.LastSequence
			if last.LastSequence >= 0 {
				last.FirstSequence = batch.AddSequence(last.LastSequence, -delta)
				p.push(last)
			}
		}
		s.byID[p.ID] = p
	}
	return s, nil
}
