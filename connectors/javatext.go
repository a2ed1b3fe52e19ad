package connectors

import (
	"bytes"
	"math"
	"strconv"
)

// AppendFloat appends f in the text form of Java: 1.0E10, NaN, -Infinity. bits is 32 or 64.
func AppendFloat(b []byte, f float64, bits int) []byte { return appendJavaFloat(b, f, bits) }

func appendJavaFloat(b []byte, f float64, bits int) []byte {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		start := len(b)
		b = strconv.AppendFloat(b, f, 'f', -1, bits)
		if bytes.IndexByte(b[start:], '.') < 0 {
			b = append(b, ".0"...)
		}
		return b
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, bits)
	if bytes.IndexByte(b[start:], '.') < 0 { // Java has two digits at least, and of those the best: 1.4E-45
		b = strconv.AppendFloat(b[:start], f, 'e', 1, bits)
	}
	e := start + bytes.IndexByte(b[start:], 'e')
	var digits [8]byte
	exponent := append(digits[:0], b[e+1:]...)
	b = append(b[:e], 'E')
	if exponent[0] == '-' {
		b = append(b, '-')
	}
	exponent = bytes.TrimLeft(exponent[1:], "0")
	return append(b, exponent...)
}
