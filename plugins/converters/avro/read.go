package avro

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"unsafe"

	"millrace/connectors"
)

// An op is what a reader or writer does.
type op uint8

const (
	opBoolean op = iota + 1
	opInt8
	opInt16
	opInt32
	opInt64
	opFloat32
	opFloat64
	opString
	opBytes
	opFixed
	opEnum
	opDate
	opTime
	opTimestamp
	opArray
	opMap
	opEntries // a map with other keys than texts: an array of records with key and value
	opRecord
	opOptional // a union of null and another type, or of one type alone
	opUnion
)

// A reader reads the values of one Avro schema, compiled once.
type reader struct {
	op       op
	schema   *connectors.Schema
	key      *reader // of entries
	items    *reader // of an array or map; the type that opOptional holds
	fields   []*reader
	branches []*reader // of a union; nil for null
	null     int       // the branch that is null, -1 if there is none
	symbols  []any     // strings, boxed once
	size     int
	scale    int32
	decimal  bool
	structs  connectors.StructMaker // a reader serves one converter, which one goroutine uses
}

// slack is how many elements without any bytes a payload may have beyond its length.
const slack = 1024

// A decoder is a place in a payload.
type decoder struct {
	data []byte
	pos  int
	// budget is how many more elements of arrays and maps are allowed: each but the empty takes a byte.
	budget int
}

func dataError(format string, args ...any) error {
	return &connectors.DataError{Msg: fmt.Sprintf(format, args...)}
}

func (d *decoder) truncated() error {
	return dataError("Avro payload ends too early, at byte %d", len(d.data))
}

// long reads a number: zigzag, 7 bits a byte, low bits first.
func (d *decoder) long() (int64, error) {
	if d.pos < len(d.data) && d.data[d.pos] < 0x80 { // mostly one byte
		u := d.data[d.pos]
		d.pos++
		return int64(u>>1) ^ -int64(u&1), nil
	}
	u, n := binary.Uvarint(d.data[d.pos:])
	switch {
	case n == 0:
		return 0, d.truncated()
	case n < 0:
		return 0, dataError("Avro number at byte %d is too long", d.pos)
	}
	d.pos += n
	return int64(u>>1) ^ -int64(u&1), nil
}

// take returns the next n bytes; they share memory with the payload.
func (d *decoder) take(n int64) ([]byte, error) {
	if n < 0 {
		return nil, dataError("negative length %d before byte %d of the Avro payload", n, d.pos)
	}
	if n > int64(len(d.data)-d.pos) {
		return nil, d.truncated()
	}
	b := d.data[d.pos : d.pos+int(n) : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

func (d *decoder) text() (string, error) {
	b, err := d.bytes()
	// The payload is never changed, so the text may share its memory.
	return unsafe.String(unsafe.SliceData(b), len(b)), err
}

// read reads a value.
func (r *reader) read(d *decoder) (any, error) {
	switch r.op {
	case opBoolean:
		b, err := d.take(1)
		if err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	case opInt8, opInt16, opInt32, opInt64, opDate, opTime, opTimestamp:
		n, err := d.long()
		if err != nil {
			return nil, err
		}
		return r.integer(n)
	case opFloat32:
		b, err := d.take(4)
		if err != nil {
			return nil, err
		}
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case opFloat64:
		b, err := d.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	case opString:
		s, err := d.text()
		if err != nil {
			return nil, err
		}
		return s, nil
	case opBytes:
		b, err := d.bytes()
		if err != nil {
			return nil, err
		}
		return r.binary(b)
	case opFixed:
		b, err := d.take(int64(r.size))
		if err != nil {
			return nil, err
		}
		return r.binary(b)
	case opEnum:
		return r.symbol(d)
	case opArray:
		return r.array(d)
	case opMap, opEntries:
		return r.mapping(d)
	case opRecord:
		return r.record(d)
	}
	return r.branch(d)
}

// integer makes the Connect value of a number.
func (r *reader) integer(n int64) (any, error) {
	if r.op == opInt64 {
		return n, nil
	}
	if r.op == opTimestamp {
		return connectors.FromMillis(n), nil
	}
	if n != int64(int32(n)) {
		return nil, dataError("%d is too big for an Avro int", n)
	}
	switch r.op {
	case opInt8:
		return int8(n), nil
	case opInt16:
		return int16(n), nil
	case opDate:
		return connectors.DateFromDays(int32(n)), nil
	case opTime:
		return connectors.TimeFromMillis(int32(n))
	}
	return int32(n), nil
}

// binary makes the Connect value of bytes.
func (r *reader) binary(b []byte) (any, error) {
	if r.decimal {
		d, err := connectors.DecimalFromBytes(b, r.scale)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	return b, nil
}

func (r *reader) symbol(d *decoder) (any, error) {
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= int64(len(r.symbols)) {
		return nil, dataError("Avro enum has symbols 0 to %d, got %d", len(r.symbols)-1, n)
	}
	return r.symbols[n], nil
}

func (r *reader) branch(d *decoder) (any, error) {
	n, err := d.long()
	switch {
	case err != nil:
		return nil, err
	case n < 0 || n >= int64(len(r.branches)):
		return nil, dataError("Avro union has branches 0 to %d, got %d", len(r.branches)-1, n)
	case int(n) == r.null:
		return nil, nil
	case r.op == opOptional:
		return r.items.read(d)
	}
	v, err := r.branches[n].read(d)
	if err != nil {
		return nil, err
	}
	i := int(n)
	if r.null >= 0 && i > r.null {
		i--
	}
	st := r.structs.New(r.schema)
	st.Set(i, v)
	return st, nil
}

func (r *reader) record(d *decoder) (any, error) {
	st := r.structs.New(r.schema)
	for i, f := range r.fields {
		v, err := f.read(d)
		if err != nil {
			return nil, err
		}
		st.Set(i, v)
	}
	return st, nil
}

// block reads the number of elements of the next block; 0 ends an array or map.
func (d *decoder) block() (int, error) {
	n, err := d.long()
	if err != nil {
		return 0, err
	}
	if n < 0 { // followed by the block's length in bytes, for those who skip it
		if _, err := d.long(); err != nil {
			return 0, err
		}
		n = -n
	}
	if n < 0 || n > int64(d.budget) {
		return 0, dataError("Avro block before byte %d claims %d elements", d.pos, uint64(n))
	}
	d.budget -= int(n)
	return int(n), nil
}

func (r *reader) array(d *decoder) (any, error) {
	list := []any{}
	for {
		n, err := d.block()
		if err != nil || n == 0 {
			return list, err
		}
		list = slices.Grow(list, min(n, slack))
		for range n {
			v, err := r.items.read(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	}
}

func (r *reader) mapping(d *decoder) (any, error) {
	var m *connectors.Map
	for {
		n, err := d.block()
		if m == nil {
			m = connectors.NewMap(min(n, slack))
		}
		if err != nil || n == 0 {
			return m, err
		}
		for range n {
			var k any
			if r.op == opMap {
				k, err = d.text()
			} else {
				k, err = r.key.read(d)
			}
			if err != nil {
				return nil, err
			}
			v, err := r.items.read(d)
			if err != nil {
				return nil, err
			}
			m.Put(k, v)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
