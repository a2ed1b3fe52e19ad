package batch

import (
	"encoding/binary"
	"errors"
)

// Marker is the end of a transaction, as a control batch carries it.
type Marker struct {
	Commit           bool
	CoordinatorEpoch int32
}

const (
	markerAbort  = 0
	markerCommit = 1
)

// NewMarker makes the control batch that ends producerID's transaction.
func NewMarker(timestamp, producerID int64, producerEpoch int16, m Marker) (Batch, error) {
	var key, value [6]byte
	if m.Commit {
		key[3] = markerCommit
	}
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	meta := NoProducer()
	meta.Transactional, meta.Control = true, true
	meta.ProducerID, meta.ProducerEpoch = producerID, producerEpoch
	var w Builder
	w.Reset(meta)
	w.Add(timestamp, key[:4], value[:])
	_, b, err := w.Build(nil)
	return b, err
}

var errStop = errors.New("stop")

// Marker reads the transaction marker in a control batch; ok is false if it holds another kind of control record, or
// none since compaction.
func (b Batch) Marker() (m Marker, ok bool, err error) {
	if !b.Control() || b.Count() == 0 {
		return Marker{}, false, nil
	}
	err = b.Each(1<<10, func(r *Record) error {
		if len(r.Key) < 4 {
			return recordsError("a control record key of 4 bytes", "%d", len(r.Key))
		}
		kind := binary.BigEndian.Uint16(r.Key[2:])
		if kind != markerAbort && kind != markerCommit {
			return errStop
		}
		if len(r.Value) < 6 {
			return recordsError("a marker of 6 bytes", "%d", len(r.Value))
		}
		m = Marker{Commit: kind == markerCommit, CoordinatorEpoch: int32(binary.BigEndian.Uint32(r.Value[2:]))}
		ok = true
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return m, ok, err
}
