package converters

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"millrace/connectors"
)

// SimpleHeader is the SimpleHeaderConverter: values as text, read back by what the text looks like.
type SimpleHeader struct{ arena arena }

var _ connectors.HeaderConverter = (*SimpleHeader)(nil)

// Configure is part of connectors.HeaderConverter.
func (*SimpleHeader) Configure(map[string]string) error { return nil }

// FromConnectHeader is part of connectors.HeaderConverter.
func (h *SimpleHeader) FromConnectHeader(_, _ string, _ *connectors.Schema, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return stringBytes(v), nil
	}
	b, err := connectors.AppendHeaderText(h.arena.begin(), value)
	if err != nil {
		return nil, err
	}
	return h.arena.end(b), nil
}

// ToConnectHeader is part of connectors.HeaderConverter.
func (h *SimpleHeader) ToConnectHeader(_, _ string, data []byte) (connectors.SchemaAndValue, error) {
	if data == nil {
		return connectors.SchemaAndValue{}, nil
	}
	return connectors.ParseValue(utf8Text(data)), nil
}

// Close is part of connectors.HeaderConverter.
func (*SimpleHeader) Close() error { return nil }

// stringBytes returns the bytes of a string without copying: nobody writes to what a converter returns.
func stringBytes(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// utf8Text returns bytes as a string that shares their memory. Bytes that are no UTF-8 become U+FFFD, as many as Java makes.
func utf8Text(data []byte) string {
	if utf8.Valid(data) {
		return unsafe.String(unsafe.SliceData(data), len(data))
	}
	return malformed(data)
}

// malformed replaces each longest beginning of a character that could have become one, as Java does.
func malformed(data []byte) string {
	var b strings.Builder
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			size = brokenLen(data[i:])
		}
		b.WriteRune(r)
		i += size
	}
	return b.String()
}

// brokenLen returns the length of a broken character: its first byte and the ones after it that fitted so far.
func brokenLen(d []byte) int {
	var want int
	low, high := byte(0x80), byte(0xBF) // of the second byte
	switch c := d[0]; {
	case c >= 0xC2 && c <= 0xDF:
		want = 2
	case c >= 0xE0 && c <= 0xEF:
		want = 3
		if c == 0xE0 {
			low = 0xA0
		}
	case c >= 0xF0 && c <= 0xF4:
		want = 4
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	default:
		return 1
	}
	n := 1
	for n < want && n < len(d) && d[n] >= low && d[n] <= high {
		n++
		low, high = 0x80, 0xBF
	}
	return n
}
