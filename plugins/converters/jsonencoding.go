package converters

import "unicode/utf8"

// toUTF8 drops a byte order mark and translates JSON in UTF-16 or UTF-32, which shows by its zeros, since JSON begins with
// an ASCII character. The input is returned as it is if it is UTF-8.
func toUTF8(data []byte) []byte {
	if len(data) < 2 || data[0] != 0 && data[1] != 0 && data[0] < 0xEF {
		return data
	}
	if len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF {
		return data[3:]
	}
	if width, bigEndian, ok := wide(data); ok {
		return narrow(data, width, bigEndian)
	}
	return data
}

// wide returns the width and byte order of the code units.
func wide(d []byte) (width int, bigEndian, ok bool) {
	if len(d) >= 4 {
		switch {
		case d[0] == 0 && d[1] == 0 && (d[2] == 0 || d[2] == 0xFE && d[3] == 0xFF):
			return 4, true, true
		case d[2] == 0 && d[3] == 0 && (d[1] == 0 || d[0] == 0xFF && d[1] == 0xFE):
			return 4, false, true
		}
	}
	switch {
	case d[0] == 0xFE && d[1] == 0xFF || d[0] == 0:
		return 2, true, true
	case d[0] == 0xFF && d[1] == 0xFE || d[1] == 0:
		return 2, false, true
	}
	return 0, false, false
}

func narrow(data []byte, width int, bigEndian bool) []byte {
	out := make([]byte, 0, len(data)/width+8)
	var high rune
	for i := 0; i+width <= len(data); i += width {
		var unit rune
		for n := range width {
			at := i + n
			if !bigEndian {
				at = i + width - 1 - n
			}
			unit = unit<<8 | rune(data[at])
		}
		switch {
		case i == 0 && unit == 0xFEFF:
		case width == 2 && unit>>10 == 0xD800>>10:
			high = unit
		case width == 2 && unit>>10 == 0xDC00>>10 && high != 0:
			out = utf8.AppendRune(out, 0x10000+(high-0xD800)<<10+(unit-0xDC00))
			high = 0
		default:
			out = utf8.AppendRune(out, unit)
		}
	}
	return out
}
