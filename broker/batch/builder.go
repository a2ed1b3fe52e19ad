package batch

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Meta is what a batch's header says apart from its records. NoProducer gives the usual start.
type Meta struct {
	BaseOffset    int64
	LeaderEpoch   int32
	Codec         Codec
	LogAppendTime bool // the max timestamp is every record's
	Transactional bool
	Control       bool
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
}

// NoProducer is the Meta of an uncompressed batch without producer id.
func NoProducer() Meta {
	return Meta{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
}

// MetaOf is the Meta of an existing batch.
func MetaOf(b Batch) Meta {
	return Meta{
		BaseOffset: b.BaseOffset(), LeaderEpoch: b.LeaderEpoch(), Codec: b.Codec(), LogAppendTime: b.LogAppendTime(),
		Transactional: b.Transactional(), Control: b.Control(),
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
	}
}

// HeaderPair is one header to write. A nil Value is null.
type HeaderPair struct {
	Name  string
	Value []byte
}

// Builder makes one batch after another, reusing its memory. The zero value is ready after Reset.
type Builder struct {
	meta      Meta
	records   []byte
	count     int32
	lastDelta int32
	baseTime  int64
	maxTime   int64
	horizon   int64 // -1: none
}

// Reset starts a batch.
func (w *Builder) Reset(m Meta) {
	*w = Builder{meta: m, records: w.records[:0], lastDelta: -1, maxTime: -1, horizon: -1}
}

// Add appends a record at the next offset. A nil key or value is null.
func (w *Builder) Add(timestamp int64, key, value []byte, headers ...HeaderPair) {
	w.start(timestamp)
	bodySize := bytesSize(key) + bytesSize(value) + varintSize(int64(len(headers)))
	for _, h := range headers {
		bodySize += varintSize(int64(len(h.Name))) + len(h.Name) + bytesSize(h.Value)
	}
	w.prefix(timestamp, w.lastDelta+1, bodySize)
	w.records = appendBytes(w.records, key)
	w.records = appendBytes(w.records, value)
	w.records = binary.AppendVarint(w.records, int64(len(headers)))
	for _, h := range headers {
		w.records = binary.AppendVarint(w.records, int64(len(h.Name)))
		w.records = append(w.records, h.Name...)
		w.records = appendBytes(w.records, h.Value)
	}
}

// copyRecord appends a record of another batch, at its old offset.
func (w *Builder) copyRecord(r *Record) {
	w.start(r.Timestamp)
	w.prefix(r.Timestamp, int32(r.Offset-w.meta.BaseOffset), len(r.body))
	w.records = append(w.records, r.body...)
}

func (w *Builder) start(timestamp int64) {
	if w.count == 0 {
		w.baseTime = timestamp
		if w.horizon >= 0 {
			w.baseTime = w.horizon
		}
	}
	w.maxTime = max(w.maxTime, timestamp)
}

// prefix writes everything of a record that comes before its key.
func (w *Builder) prefix(timestamp int64, delta int32, bodySize int) {
	timeDelta := timestamp - w.baseTime
	size := 1 + varintSize(timeDelta) + varintSize(int64(delta)) + bodySize
	w.records = binary.AppendVarint(w.records, int64(size))
	w.records = append(w.records, 0)
	w.records = binary.AppendVarint(w.records, timeDelta)
	w.records = binary.AppendVarint(w.records, int64(delta))
	w.count++
	w.lastDelta = delta
}

// Count is the number of records so far.
func (w *Builder) Count() int { return int(w.count) }

// Size is the size of the batch so far, before compression.
func (w *Builder) Size() int { return HeaderSize + len(w.records) }

// Build appends the finished batch to dst and returns dst with it, and the batch.
func (w *Builder) Build(dst []byte) ([]byte, Batch, error) {
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	codec := w.meta.Codec
	if w.count == 0 {
		codec = CodecNone
	}
	dst, err := pack(dst, codec, w.records)
	if err != nil {
		return nil, nil, err
	}
	if len(dst)-start-PrefixSize > math.MaxInt32 {
		return nil, nil, fmt.Errorf("%w: a batch of %d bytes", ErrTooLarge, len(dst)-start)
	}
	b := Batch(dst[start:])
	w.header(b, codec)
	b.seal()
	return dst, b, nil
}

func (w *Builder) header(b Batch, codec Codec) {
	m := w.meta
	attr := byte(codec)
	for _, f := range [...]struct {
		set bool
		bit byte
	}{
		{m.LogAppendTime, attrLogAppendTime},
		{m.Transactional, attrTransactional},
		{m.Control, attrControl},
		{w.horizon >= 0, attrDeleteHorizon},
	} {
		if f.set {
			attr |= f.bit
		}
	}
	baseTime := w.baseTime
	if w.count == 0 {
		baseTime = -1
		if w.horizon >= 0 {
			baseTime = w.horizon
		}
	}
	b.SetBaseOffset(m.BaseOffset)
	b.SetLeaderEpoch(m.LeaderEpoch)
	b[posMagic] = 2
	b[posAttributes+1] = attr
	binary.BigEndian.PutUint32(b[posLastDelta:], uint32(w.lastDelta))
	binary.BigEndian.PutUint64(b[posBaseTime:], uint64(baseTime))
	binary.BigEndian.PutUint64(b[posMaxTime:], uint64(w.maxTime))
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(m.ProducerID))
	binary.BigEndian.PutUint16(b[posProdEpoch:], uint16(m.ProducerEpoch))
	binary.BigEndian.PutUint32(b[posSequence:], uint32(m.BaseSequence))
	binary.BigEndian.PutUint32(b[posCount:], uint32(w.count))
}

// Recompress returns the batch with the same records in another codec, in new memory.
func (w *Builder) Recompress(b Batch, codec Codec) (Batch, error) {
	m := MetaOf(b)
	m.Codec = codec
	w.Reset(m)
	w.horizon = horizonOf(b)
	if err := b.Each(0, func(r *Record) error { w.copyRecord(r); return nil }); err != nil {
		return nil, err
	}
	w.lastDelta = b.LastOffsetDelta()
	_, out, err := w.Build(nil)
	return out, err
}

// Filter appends to dst the batch with only the records keep wants, at their offsets and in the batch's codec, with the
// given delete horizon (-1: none). A batch that loses all of them keeps its header, so that the sequences of its
// producer and its offsets live on.
func (w *Builder) Filter(dst []byte, b Batch, horizon int64, keep func(*Record) bool) ([]byte, Batch, error) {
	w.Reset(MetaOf(b))
	w.horizon = horizon
	err := b.Each(0, func(r *Record) error {
		if keep(r) {
			w.copyRecord(r)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	w.lastDelta = b.LastOffsetDelta()
	if b.LogAppendTime() || w.count == 0 {
		w.maxTime = b.MaxTimestamp()
	}
	return w.Build(dst)
}

func horizonOf(b Batch) int64 {
	if ms, ok := b.DeleteHorizon(); ok {
		return ms
	}
	return -1
}

func appendBytes(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 1) // -1
	}
	dst = binary.AppendVarint(dst, int64(len(v)))
	return append(dst, v...)
}

func bytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + len(v)
}

func varintSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
