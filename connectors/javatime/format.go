package javatime

import (
	"fmt"
	"strconv"
	"strings"
)

// A Format is a compiled pattern. It is immutable.
type Format struct {
	pattern string
	items   []item
}

// An item is a literal text, or count times a letter.
type item struct {
	letter  byte // 0 for a literal
	count   int
	literal string
}

const letters = "GyMdkHmsSEDFwWahKzZYuXL"

// Compile compiles a pattern. Errors are in Java's words.
func Compile(pattern string) (*Format, error) {
	f := &Format{pattern: pattern}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			f.items = append(f.items, item{literal: literal.String()})
			literal.Reset()
		}
	}
	quoted := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\'' && i+1 < len(pattern) && pattern[i+1] == '\'':
			literal.WriteByte('\'')
			i++
		case c == '\'':
			quoted = !quoted
		case quoted || !isLetter(c):
			literal.WriteByte(c)
		case strings.IndexByte(letters, c) < 0:
			return nil, fmt.Errorf("Illegal pattern character '%c'", c) //nolint:staticcheck // Java's text
		default:
			flush()
			count := 1
			for i+1 < len(pattern) && pattern[i+1] == c {
				count++
				i++
			}
			if c == 'X' && count > 3 {
				return nil, fmt.Errorf("invalid ISO 8601 format: length=%d", count)
			}
			f.items = append(f.items, item{letter: c, count: count})
		}
	}
	if quoted {
		return nil, fmt.Errorf("Unterminated quote") //nolint:staticcheck // Java's text
	}
	flush()
	return f, nil
}

// MustCompile is Compile for patterns of the program; it panics on an error.
func MustCompile(pattern string) *Format {
	f, err := Compile(pattern)
	if err != nil {
		panic(err)
	}
	return f
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// String returns the pattern.
func (f *Format) String() string { return f.pattern }

// Format returns the text of a moment in milliseconds since 1970, UTC.
func (f *Format) Format(ms int64) string { return string(f.Append(nil, ms)) }

// Append appends the text of a moment.
func (f *Format) Append(b []byte, ms int64) []byte {
	d := split(ms)
	for _, it := range f.items {
		if it.letter == 0 {
			b = append(b, it.literal...)
		} else {
			b = it.append(b, d)
		}
	}
	return b
}

func (it item) append(b []byte, d date) []byte {
	switch it.letter {
	case 'G':
		if _, bc := d.yearOfEra(); bc {
			return append(b, "BC"...)
		}
		return append(b, "AD"...)
	case 'y':
		year, _ := d.yearOfEra()
		return it.appendYear(b, year)
	case 'Y':
		year, _ := d.week()
		return it.appendYear(b, year)
	case 'M', 'L':
		if it.count >= 3 {
			return append(b, name(months[:], int(d.month-1), it.count)...)
		}
	case 'E':
		return append(b, name(weekdays[:], int(weekday(d.days)), it.count)...)
	case 'a':
		if d.hour < 12 {
			return append(b, "AM"...)
		}
		return append(b, "PM"...)
	case 'z':
		if it.count >= 4 {
			return append(b, "Coordinated Universal Time"...)
		}
		return append(b, "UTC"...)
	case 'Z':
		return append(b, "+0000"...)
	case 'X':
		return append(b, 'Z')
	}
	return padded(b, it.number(d), it.count)
}

func (it item) appendYear(b []byte, year int64) []byte {
	if it.count == 2 {
		return padded(b, floorMod(year, 100), 2)
	}
	return padded(b, year, it.count)
}

// number returns the value of a field that is written as a number.
func (it item) number(d date) int64 {
	switch it.letter {
	case 'M', 'L':
		return d.month
	case 'd':
		return d.day
	case 'H':
		return d.hour
	case 'k':
		return (d.hour+23)%24 + 1
	case 'K':
		return d.hour % 12
	case 'h':
		return (d.hour+11)%12 + 1
	case 'm':
		return d.minute
	case 's':
		return d.sec
	case 'S':
		return d.msec
	case 'D':
		return d.dayOfYear()
	case 'F':
		return (d.day-1)/7 + 1
	case 'w':
		_, week := d.week()
		return week
	case 'W':
		return d.weekOfMonth()
	case 'u':
		return (weekday(d.days)+6)%7 + 1
	}
	return 0
}

func padded(b []byte, n int64, width int) []byte {
	if n < 0 {
		b = append(b, '-')
		n = -n
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	for range width - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}

var months = [...]string{
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
}

var weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// name returns the long form for four letters or more, else the first three characters.
func name(names []string, i, count int) string {
	if count >= 4 {
		return names[i]
	}
	return names[i][:3]
}
