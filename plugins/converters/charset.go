package converters

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

// A charset translates between strings and bytes. What cannot be translated becomes '?' in bytes and U+FFFD in strings.
type charset struct {
	encode func(string) []byte
	decode func([]byte) string
}

// findCharset returns the character set of a Java name, nil for UTF-8.
func findCharset(name string) (*charset, bool) {
	switch strings.ToUpper(name) {
	case "UTF-8", "UTF8":
		return nil, true
	case "UTF-16", "UTF_16", "UTF16", "UNICODE":
		return &charset{
			encode: func(s string) []byte { return utf16Bytes([]byte{0xFE, 0xFF}, s, binary.BigEndian) },
			decode: decodeUTF16,
		}, true
	case "UTF-16BE", "UTF_16BE", "UNICODEBIGUNMARKED", "X-UTF-16BE":
		return fixedUTF16(binary.BigEndian), true
	case "UTF-16LE", "UTF_16LE", "UNICODELITTLEUNMARKED", "X-UTF-16LE":
		return fixedUTF16(binary.LittleEndian), true
	case "UTF-32", "UTF_32", "UTF32", "UTF-32BE", "UTF_32BE":
		return &charset{encode: encodeUTF32, decode: decodeUTF32}, true
	case "ISO-8859-1", "ISO8859_1", "ISO8859-1", "LATIN1", "L1", "ISO_8859-1", "ISO_8859_1", "8859_1", "CP819", "IBM819":
		return singleByte(0x100), true
	case "US-ASCII", "ASCII", "ASCII7", "ISO646-US", "646", "ISO_646.IRV:1991", "ANSI_X3.4-1968":
		return singleByte(0x80), true
	}
	if page, ok := strings.CutPrefix(strings.ToLower(name), "cp125"); ok {
		name = "windows-125" + page
	}
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil && name != "" {
		return registered(e), true
	}
	return nil, false
}

// registered is one of the many character sets of IANA's registry.
func registered(e encoding.Encoding) *charset {
	return &charset{
		encode: func(s string) []byte {
			if b, err := e.NewEncoder().Bytes([]byte(s)); err == nil {
				return b
			}
			b := make([]byte, 0, len(s))
			for _, r := range s {
				c, err := e.NewEncoder().Bytes([]byte(string(r)))
				if err != nil {
					c = []byte{'?'}
				}
				b = append(b, c...)
			}
			return b
		},
		decode: func(data []byte) string {
			b, err := e.NewDecoder().Bytes(data)
			if err != nil { // decoders replace what they cannot read
				return string(utf8.RuneError)
			}
			return string(b)
		},
	}
}

// byteOrder reads and appends.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func fixedUTF16(order byteOrder) *charset {
	return &charset{
		encode: func(s string) []byte { return utf16Bytes([]byte{}, s, order) },
		decode: func(data []byte) string { return utf16Text(data, order) },
	}
}

func utf16Bytes(b []byte, s string, order byteOrder) []byte {
	if s == "" {
		return []byte{}
	}
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

func decodeUTF16(data []byte) string {
	if len(data) >= 2 {
		switch {
		case data[0] == 0xFE && data[1] == 0xFF:
			return utf16Text(data[2:], binary.BigEndian)
		case data[0] == 0xFF && data[1] == 0xFE:
			return utf16Text(data[2:], binary.LittleEndian)
		}
	}
	return utf16Text(data, binary.BigEndian)
}

func utf16Text(data []byte, order byteOrder) string {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	text := string(utf16.Decode(units))
	if len(data) > 0 {
		text += string(utf8.RuneError)
	}
	return text
}

func encodeUTF32(s string) []byte {
	b := make([]byte, 0, 4*len(s))
	for _, r := range s {
		b = binary.BigEndian.AppendUint32(b, uint32(r))
	}
	return b
}

func decodeUTF32(data []byte) string {
	var b strings.Builder
	for ; len(data) >= 4; data = data[4:] {
		b.WriteRune(rune(binary.BigEndian.Uint32(data))) // what is no character is written as U+FFFD
	}
	if len(data) > 0 {
		b.WriteRune(utf8.RuneError)
	}
	return b.String()
}

// singleByte has the characters below limit, each as the byte of its value.
func singleByte(limit rune) *charset {
	return &charset{
		encode: func(s string) []byte {
			b := make([]byte, 0, len(s))
			for _, r := range s {
				if r >= limit {
					r = '?'
				}
				b = append(b, byte(r))
			}
			return b
		},
		decode: func(data []byte) string {
			var b strings.Builder
			for _, c := range data {
				r := rune(c)
				if r >= limit {
					r = utf8.RuneError
				}
				b.WriteRune(r)
			}
			return b.String()
		},
	}
}
