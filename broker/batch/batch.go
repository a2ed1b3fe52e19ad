package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// HeaderSize is the size of a batch without records.
const HeaderSize = 61

// PrefixSize is how many bytes it takes to know a batch's base offset and size.
const PrefixSize = 12

const (
	posLength     = 8
	posEpoch      = 12
	posMagic      = 16
	posCRC        = 17
	posAttributes = 21
	posLastDelta  = 23
	posBaseTime   = 27
	posMaxTime    = 35
	posProducerID = 43
	posProdEpoch  = 51
	posSequence   = 53
	posCount      = 57
)

const (
	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

// What Parse finds wrong. FormatError says more and matches one of these.
var (
	// ErrShort: the bytes end before the batch does.
	ErrShort = errors.New("incomplete batch")
	// ErrLength: the length field is smaller than a header.
	ErrLength = errors.New("bad batch length")
	// ErrMagic: not a version 2 batch.
	ErrMagic = errors.New("bad batch magic")
	// ErrCRC: the checksum does not match the bytes.
	ErrCRC = errors.New("bad batch CRC")
	// ErrRecords: the records are not what the header says.
	ErrRecords = errors.New("bad records")
	// ErrTooLarge: the records unpack to more than the caller allows.
	ErrTooLarge = errors.New("records too large")
)

// FormatError is a batch that is not one, with what was expected and found.
type FormatError struct {
	Kind            error
	Expected, Found string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%v: expected %s, found %s", e.Kind, e.Expected, e.Found)
}

// Unwrap gives the kind of error.
func (e *FormatError) Unwrap() error { return e.Kind }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is the bytes of exactly one v2 record batch. Its methods may be used on what Parse or Header returned; they
// read and patch the bytes in place.
type Batch []byte

// Parse returns the first batch in b and the bytes after it, having checked length, magic and CRC.
func Parse(b []byte) (first Batch, rest []byte, err error) {
	first, rest, err = Frame(b)
	if err != nil {
		return nil, b, err
	}
	if err := first.CheckCRC(); err != nil {
		return nil, b, err
	}
	return first, rest, nil
}

// Frame is Parse without the CRC: for bytes that were checked before.
func Frame(b []byte) (first Batch, rest []byte, err error) {
	size, err := Size(b)
	if err != nil {
		return nil, b, err
	}
	if len(b) < size {
		return nil, b, ErrShort
	}
	return Batch(b[:size:size]), b[size:], nil
}

// Size is the size in bytes of the batch at the start of b, which needs no more than its header; a length or a magic
// that cannot be is an error. Fewer bytes than a header are ErrShort, unless what there is shows it to be wrong.
func Size(b []byte) (int, error) {
	if len(b) < PrefixSize {
		return 0, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(b[posLength:]))
	if length < HeaderSize-PrefixSize {
		return 0, &FormatError{ErrLength, fmt.Sprintf("at least %d", HeaderSize-PrefixSize), fmt.Sprint(length)}
	}
	if len(b) > posMagic && b[posMagic] != 2 {
		return 0, &FormatError{ErrMagic, "2", fmt.Sprint(int8(b[posMagic]))}
	}
	if len(b) < HeaderSize {
		return 0, ErrShort
	}
	return PrefixSize + int(length), nil
}

// CheckCRC compares the stored checksum with that of the bytes.
func (b Batch) CheckCRC() error {
	want, got := b.CRC(), crc32.Checksum(b[posAttributes:], castagnoli)
	if want != got {
		return &FormatError{ErrCRC, fmt.Sprintf("%#08x", want), fmt.Sprintf("%#08x", got)}
	}
	return nil
}

func (b Batch) u16(at int) uint16 { return binary.BigEndian.Uint16(b[at:]) }
func (b Batch) u32(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
func (b Batch) u64(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }

// BaseOffset is the offset of the first record the batch was made with.
func (b Batch) BaseOffset() int64 { return int64(b.u64(0)) }

// LastOffset is the offset of the last record the batch was made with; compaction may have removed that record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is the offset after the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// LeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() int32 { return int32(b.u32(posEpoch)) }

// CRC is the stored checksum.
func (b Batch) CRC() uint32 { return b.u32(posCRC) }

// Codec is the compression of the records.
func (b Batch) Codec() Codec { return Codec(b[posAttributes+1] & attrCodec) }

// LogAppendTime says that MaxTimestamp is the time of every record.
func (b Batch) LogAppendTime() bool { return b[posAttributes+1]&attrLogAppendTime != 0 }

// Transactional says that the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b[posAttributes+1]&attrTransactional != 0 }

// Control says that the batch is for the log, not for consumers (a transaction marker).
func (b Batch) Control() bool { return b[posAttributes+1]&attrControl != 0 }

// LastOffsetDelta is LastOffset - BaseOffset.
func (b Batch) LastOffsetDelta() int32 { return int32(b.u32(posLastDelta)) }

// BaseTimestamp is what the records' timestamp deltas add to, in ms.
func (b Batch) BaseTimestamp() int64 { return int64(b.u64(posBaseTime)) }

// MaxTimestamp is the largest time of a record, in ms, -1 for none.
func (b Batch) MaxTimestamp() int64 { return int64(b.u64(posMaxTime)) }

// DeleteHorizon is when tombstones and markers in the batch may go, set by compaction.
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	if b[posAttributes+1]&attrDeleteHorizon == 0 {
		return 0, false
	}
	return b.BaseTimestamp(), true
}

// ProducerID is -1 for a producer without idempotence.
func (b Batch) ProducerID() int64 { return int64(b.u64(posProducerID)) }

// ProducerEpoch goes with ProducerID.
func (b Batch) ProducerEpoch() int16 { return int16(b.u16(posProdEpoch)) }

// BaseSequence is the sequence of the first record, -1 for none.
func (b Batch) BaseSequence() int32 { return int32(b.u32(posSequence)) }

// LastSequence is the sequence of the last record, -1 for none. Sequences wrap from 2^31-1 to 0.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base < 0 {
		return -1
	}
	return AddSequence(base, b.LastOffsetDelta())
}

// AddSequence is sequence s, n records on.
func AddSequence(s, n int32) int32 { return int32((int64(s) + int64(n)) & 0x7fffffff) }

// Count is the number of records; compaction leaves some batches with none.
func (b Batch) Count() int32 { return int32(b.u32(posCount)) }

// Payload is the records, as stored.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// SetBaseOffset patches the base offset.
func (b Batch) SetBaseOffset(o int64) { binary.BigEndian.PutUint64(b, uint64(o)) }

// SetLeaderEpoch patches the leader epoch.
func (b Batch) SetLeaderEpoch(e int32) { binary.BigEndian.PutUint32(b[posEpoch:], uint32(e)) }

// SetLogAppendTime stamps every record with ms and makes the checksum right again.
func (b Batch) SetLogAppendTime(ms int64) {
	b[posAttributes+1] |= attrLogAppendTime
	binary.BigEndian.PutUint64(b[posMaxTime:], uint64(ms))
	b.seal()
}

// SetCreateTime gives every record its own time again and makes the checksum right again.
func (b Batch) SetCreateTime() {
	b[posAttributes+1] &^= attrLogAppendTime
	b.seal()
}

// seal writes length and checksum.
func (b Batch) seal() {
	binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-PrefixSize))
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[posAttributes:], castagnoli))
}
