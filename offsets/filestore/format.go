package filestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"millrace/offsets"
)

const (
	header = "\xac\xed\x00\x05sr\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02" +
		"F\x00\x0aloadFactorI\x00\x09thresholdxp\x3f\x40\x00\x00"
	block      = "\x77\x08"
	firstArray = "ur\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00xp"
	laterArray = "uq\x00\x7e\x00\x02"
	null       = 'p'
	end        = 'x'
)

// encode returns the file of pairs.
func encode(pairs []offsets.Pair) []byte {
	buckets := 16
	for buckets*3/4 < len(pairs) {
		buckets *= 2
	}
	threshold := buckets * 3 / 4
	if len(pairs) == 0 {
		threshold = 0
	}
	b := []byte(header)
	b = binary.BigEndian.AppendUint32(b, uint32(threshold))
	b = append(b, block...)
	b = binary.BigEndian.AppendUint32(b, uint32(buckets))
	b = binary.BigEndian.AppendUint32(b, uint32(len(pairs)))
	array := firstArray
	for _, p := range pairs {
		for _, data := range [][]byte{p.Key, p.Value} {
			if data == nil {
				b = append(b, null)
				continue
			}
			b = append(b, array...)
			array = laterArray
			b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
			b = append(b, data...)
		}
	}
	return append(b, end)
}

// decode reads a file; an empty one has no pairs. The pairs share memory with data.
func decode(data []byte) ([]offsets.Pair, error) {
	if len(data) == 0 {
		return nil, nil
	}
	d := decoder{rest: data, size: len(data)}
	d.expect(header, "a Java-serialized HashMap")
	d.uint32()
	d.expect(block, "the map's size")
	d.uint32()
	n := d.uint32()
	// An entry takes two bytes at least: the count cannot make us allocate more than the file is worth.
	if d.err == nil && int64(n)*2 > int64(len(d.rest)) {
		return nil, fmt.Errorf("%d entries in %d bytes", n, len(d.rest))
	}
	var pairs []offsets.Pair
	for range n {
		key, value := d.array(), d.array()
		if d.err != nil {
			break
		}
		if key == nil {
			return nil, errors.New("an entry without a key")
		}
		pairs = append(pairs, offsets.Pair{Key: key, Value: value})
	}
	d.expect(string(rune(end)), "the end of the map")
	if d.err == nil && len(d.rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the end", len(d.rest))
	}
	return pairs, d.err
}

type decoder struct {
	rest      []byte
	size      int
	described bool // the class of byte arrays was described
	err       error
}

func (d *decoder) expect(want, what string) {
	if d.err != nil {
		return
	}
	if !bytes.HasPrefix(d.rest, []byte(want)) {
		d.err = fmt.Errorf("byte %d: want %s (%x)", d.size-len(d.rest), what, want)
		return
	}
	d.rest = d.rest[len(want):]
}

func (d *decoder) uint32() uint32 {
	if d.err == nil && len(d.rest) < 4 {
		d.err = fmt.Errorf("byte %d: the file ends within a number", d.size-len(d.rest))
	}
	if d.err != nil {
		return 0
	}
	n := binary.BigEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return n
}

func (d *decoder) array() []byte {
	if d.err == nil && len(d.rest) > 0 && d.rest[0] == null {
		d.rest = d.rest[1:]
		return nil
	}
	if d.described {
		d.expect(laterArray, "a byte array")
	} else {
		d.expect(firstArray, "a byte array")
		d.described = true
	}
	n := d.uint32()
	if d.err == nil && (n > math.MaxInt32 || int(n) > len(d.rest)) {
		d.err = fmt.Errorf("byte %d: an array of %d bytes, %d are left", d.size-len(d.rest), n, len(d.rest))
	}
	if d.err != nil {
		return nil
	}
	data := d.rest[:n:n]
	d.rest = d.rest[n:]
	return data
}
