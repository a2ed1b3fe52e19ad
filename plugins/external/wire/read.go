package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

var errTruncated = errors.New("truncated")

// A field is one field of a protobuf message: n for a varint or a fixed number, data for bytes.
type field struct {
	number protowire.Number
	kind   protowire.Type
	n      uint64
	data   []byte
}

// next reads the first field of b and returns what follows it.
func next(b []byte) (field, []byte, error) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return field{}, nil, errTruncated
	}
	b = b[n:]
	f := field{number: number, kind: kind}
	switch kind {
	case protowire.VarintType:
		f.n, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b)
		f.n = uint64(v)
	case protowire.Fixed64Type:
		f.n, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		f.data, n = protowire.ConsumeBytes(b)
		f.data = f.data[:len(f.data):len(f.data)]
	default:
		return field{}, nil, fmt.Errorf("field %d has wire type %d, which this protocol does not use", number, kind)
	}
	if n < 0 {
		return field{}, nil, errTruncated
	}
	return f, b[n:], nil
}

// is checks the wire type of a known field.
func (f *field) is(kind protowire.Type) error {
	if f.kind != kind {
		return fmt.Errorf("field %d has wire type %d, want %d", f.number, f.kind, kind)
	}
	return nil
}

// signed returns a zigzag number of at most the given bits.
func (f *field) signed(bits int) (int64, error) {
	if err := f.is(protowire.VarintType); err != nil {
		return 0, err
	}
	n := protowire.DecodeZigZag(f.n)
	if shift := 64 - bits; n<<shift>>shift != n {
		return 0, fmt.Errorf("field %d: %d does not fit into %d bits", f.number, n, bits)
	}
	return n, nil
}

// text returns a string.
func (f *field) text() (string, error) {
	if err := f.is(protowire.BytesType); err != nil {
		return "", err
	}
	if !utf8.Valid(f.data) {
		return "", fmt.Errorf("field %d: not UTF-8", f.number)
	}
	return string(f.data), nil
}
