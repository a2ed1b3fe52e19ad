package converters

import "encoding/binary"

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns how many bytes at the beginning of b are themselves in a JSON string: ASCII, printable, neither quote nor backslash. It
// looks at eight at once, and may stop up to seven bytes before the first that is not, never behind it.
func plain(b []byte) int {
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		// A byte's high bit is set in one of the terms if it is below a blank, a quote, a backslash or above ASCII. The borrow of a byte
		// may set that of the next as well: then there is one to stop at all the same.
		control := w - ones*' '
		quote := (w ^ ones*'"') - ones
		backslash := (w ^ ones*'\\') - ones
		if (control|quote|backslash|w)&highs != 0 {
			return n
		}
	}
	return n
}
