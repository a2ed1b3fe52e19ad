package converters

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
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
		return singleByte(0x100, nil), true
	case "US-ASCII", "ASCII", "ASCII7", "ISO646-US", "646", "ISO_646.IRV:1991", "ANSI_X3.4-1968":
		return singleByte(0x80, nil), true
	case "WINDOWS-1252", "CP1252":
		return singleByte(0x100, windows1252), true
	}
	return nil, false
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

// singleByte has a character for each byte below limit: the byte's value, or for 0x80 to 0x9F what special says.
func singleByte(limit rune, special []rune) *charset {
	code := make(map[rune]byte)
	for i, r := range special {
		code[r] = byte(0x80 + i)
	}
	return &charset{
		encode: func(s string) []byte {
			b := make([]byte, 0, len(s))
			for _, r := range s {
				c, ok := code[r]
				switch {
				case ok:
					b = append(b, c)
				case r < limit && (special == nil || r < 0x80 || r >= 0xA0):
					b = append(b, byte(r))
				default:
					b = append(b, '?')
				}
			}
			return b
		},
		decode: func(data []byte) string {
			var b strings.Builder
			for _, c := range data {
				switch {
				case special != nil && c >= 0x80 && c < 0xA0:
					b.WriteRune(special[c-0x80])
				case rune(c) < limit:
					b.WriteRune(rune(c))
				default:
					b.WriteRune(utf8.RuneError)
				}
			}
			return b.String()
		},
	}
}

// windows1252 has the characters of 0x80 to 0x9F.
var windows1252 = []rune("€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ")
