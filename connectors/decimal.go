package connectors

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxDecimalDigits bounds what an exponent may expand to: a text of ten bytes must not cost a gigabyte.
const maxDecimalDigits = 1 << 16

// ParseDecimal reads what Java's BigDecimal reads: a sign, digits with or without a point, an exponent.
func ParseDecimal(text string) (Decimal, bool) {
	text = asciiDigits(text)
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		digits := strings.TrimPrefix(text[i+1:], "+")
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || strings.HasPrefix(digits, "+") || strings.HasPrefix(text[i+1:], "+-") {
			return Decimal{}, false
		}
		mantissa, exponent = text[:i], n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unsigned := strings.TrimPrefix(strings.TrimPrefix(whole, "-"), "+")
	if len(whole)-len(unsigned) > 1 || unsigned+fraction == "" || !isDigits(unsigned) || !isDigits(fraction) {
		return Decimal{}, false
	}
	unscaled, ok := new(big.Int).SetString(whole+fraction, 10)
	scale := int64(len(fraction)) - exponent
	if !ok || scale != int64(int32(scale)) {
		return Decimal{}, false
	}
	return Decimal{Unscaled: unscaled, Scale: int32(scale)}, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String returns Java's text: plain unless that needs many zeros, then 1.5E+10.
func (d Decimal) String() string {
	digits := d.Unscaled.String()
	if d.Scale == 0 {
		return digits
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	exponent := int64(len(digits)) - 1 - int64(d.Scale)
	if d.Scale > 0 && exponent >= -6 {
		return sign + pointed(digits, int(d.Scale))
	}
	text := sign + digits[:1]
	if len(digits) > 1 {
		text += "." + digits[1:]
	}
	if exponent == 0 {
		return text
	}
	if exponent > 0 {
		text += "E+"
	} else {
		text += "E"
	}
	return text + strconv.FormatInt(exponent, 10)
}

// Plain returns the text without an exponent, for decimals of a reasonable size; others as String does.
func (d Decimal) Plain() string {
	switch {
	case d.Scale == 0:
		return d.Unscaled.String()
	case d.Scale > maxDecimalDigits || d.Scale < -maxDecimalDigits:
		return d.String()
	case d.Scale < 0 && d.Unscaled.Sign() == 0:
		return "0"
	case d.Scale < 0:
		return d.Unscaled.String() + strings.Repeat("0", int(-d.Scale))
	}
	digits := d.Unscaled.String()
	if digits[0] == '-' {
		return "-" + pointed(digits[1:], int(d.Scale))
	}
	return pointed(digits, int(d.Scale))
}

// pointed puts a point before the last scale digits.
func pointed(digits string, scale int) string {
	if n := scale - len(digits); n >= 0 {
		return "0." + strings.Repeat("0", n) + digits
	}
	return digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// Bytes returns the unscaled value as Connect encodes it: two's complement, big endian, as short as possible.
func (d Decimal) Bytes() []byte {
	n := d.Unscaled
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	inverted := new(big.Int).Not(n) // -n-1, not negative
	b := inverted.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

// DecimalFromBytes is the reverse of Bytes.
func DecimalFromBytes(b []byte, scale int32) (Decimal, error) {
	if len(b) == 0 {
		return Decimal{}, &DataError{Msg: "Zero length BigInteger"}
	}
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return Decimal{Unscaled: n, Scale: scale}, nil
}

// Float returns the nearest float64; an infinity or zero beyond its range.
func (d Decimal) Float() float64 {
	f, err := strconv.ParseFloat(d.Unscaled.String()+"e"+strconv.FormatInt(-int64(d.Scale), 10), 64)
	if err != nil && !isRange(err) {
		return math.NaN() // cannot be: the text is always a number
	}
	return f
}

// Int returns the integer part; false if that has too many digits to be worth writing out.
func (d Decimal) Int() (*big.Int, bool) {
	if d.Scale <= 0 {
		if d.Unscaled.Sign() == 0 {
			return new(big.Int), true
		}
		if d.Scale < -maxDecimalDigits {
			return nil, false
		}
		return new(big.Int).Mul(d.Unscaled, power10(-int64(d.Scale))), true
	}
	if int64(d.Scale) > int64(len(d.Unscaled.String())) {
		return new(big.Int), true
	}
	return new(big.Int).Quo(d.Unscaled, power10(int64(d.Scale))), true
}

func power10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }
