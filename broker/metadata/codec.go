package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A batch is the unit the metadata log stores and applies as a whole. Its bytes:
//
//	batch   = format(1 byte, 1) record*
//	record  = type(uvarint) version(uvarint) length(uvarint) body
//
// Bodies, with int = zigzag varint, string and bytes = length(uvarint) bytes, list = count(uvarint) elements,
// id = 16 bytes, bool = 1 byte 0 or 1:
//
//	1 cluster        string cluster-id
//	2 feature        string name, int level
//	3 broker         int id, int epoch, id incarnation, string rack, list{string name, host, int port, string protocol}, bool fenced
//	4 remove broker  int id
//	5 topic          string name, id
//	6 remove topic   id
//	7 partition      id topic, int partition, leader, leader-epoch, partition-epoch, list{int} replicas, isr, elr, adding, removing
//	8 config         int resource-type, string resource, name, value, bool remove
//	9 producer ids   int next
//	10 member        int node, id directory, uvarint raft-id, bool voter
//	11 remove member int node
//
// Version 1 of broker adds: bool shutting-down, id directory.
//
// Integrity is the log's business: entries and snapshots are stored with a checksum.
const batchFormat = 1

// AppendBatch appends the bytes of a batch to b.
func AppendBatch(b []byte, records []Record) []byte {
	b = append(b, batchFormat)
	var body []byte
	for _, r := range records {
		typ, version := r.kind()
		body = r.appendTo(body[:0])
		b = binary.AppendUvarint(b, typ)
		b = binary.AppendUvarint(b, version)
		b = binary.AppendUvarint(b, uint64(len(body)))
		b = append(b, body...)
	}
	return b
}

// DecodeBatch reads what AppendBatch wrote. The records share no memory with b.
func DecodeBatch(b []byte) ([]Record, error) {
	d := decoder{b: b}
	if f := d.byte(); d.err == nil && f != batchFormat {
		return nil, fmt.Errorf("metadata batch: format %d, this release reads %d", f, batchFormat)
	}
	var records []Record
	for d.err == nil && len(d.b) > 0 {
		typ, version := d.uvarint(), d.uvarint()
		body := decoder{b: d.bytes()}
		if d.err != nil {
			break
		}
		r := newRecord(typ, version)
		if r == nil {
			return nil, fmt.Errorf("metadata batch: record type %d version %d is unknown to this release", typ, version)
		}
		if r.decode(&body); body.err == nil && len(body.b) > 0 {
			body.err = fmt.Errorf("%d bytes left over", len(body.b))
		}
		if body.err != nil {
			return nil, fmt.Errorf("metadata batch: record %d of type %d: %w", len(records), typ, body.err)
		}
		records = append(records, r)
	}
	if d.err != nil {
		return nil, fmt.Errorf("metadata batch: %w", d.err)
	}
	return records, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendBrokers(b []byte, ids []BrokerID) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = binary.AppendVarint(b, int64(id))
	}
	return b
}

var errShort = errors.New("ends inside a field")

// decoder reads fields off the front of b; after the first error every read returns zero values.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail(fmt.Errorf("flag is %d", v))
	}
	return v == 1
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int64() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) ranged(low, high int64) int64 {
	v := d.int64()
	if v < low || v > high {
		d.fail(fmt.Errorf("%d is outside %d to %d", v, low, high))
		return 0
	}
	return v
}

func (d *decoder) int32() int32     { return int32(d.ranged(math.MinInt32, math.MaxInt32)) }
func (d *decoder) bytes() []byte    { return d.take(d.uvarint()) }
func (d *decoder) string() string   { return string(d.bytes()) }
func (d *decoder) broker() BrokerID { return BrokerID(d.int32()) }

func (d *decoder) id() (id [16]byte) {
	copy(id[:], d.take(16))
	return id
}

// count reads a list's length; each element takes at least one byte, so the rest of the record bounds it.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return 0
	}
	return int(n)
}

func (d *decoder) brokers() []BrokerID {
	n := d.count()
	if n == 0 {
		return nil
	}
	ids := make([]BrokerID, n)
	for i := range ids {
		ids[i] = d.broker()
	}
	return ids
}
