package javatime

import (
	"strconv"
	"strings"
	"time"
)

// Parse returns the moment that the beginning of text describes, in milliseconds since 1970; false if it does not fit.
func (f *Format) Parse(text string) (int64, bool) {
	p := parser{text: text, year: 1970, month: 1, day: 1, weekday: -1}
	for i, it := range f.items {
		if it.letter == 0 {
			if !strings.HasPrefix(p.text, it.literal) {
				return 0, false
			}
			p.text = p.text[len(it.literal):]
			continue
		}
		// A number that another follows at once ends where its letters say: yyyyMMdd.
		fixed := i+1 < len(f.items) && f.items[i+1].isNumber()
		p.text = strings.TrimLeft(p.text, " \t")
		if !p.parse(it, fixed) {
			return 0, false
		}
	}
	return p.moment(), true
}

func (it item) isNumber() bool {
	switch it.letter {
	case 0, 'G', 'E', 'a', 'z', 'Z', 'X':
		return false
	case 'M', 'L':
		return it.count <= 2
	}
	return true
}

// A parser collects the fields of a text.
type parser struct {
	text                         string
	bc, pm                       bool
	year, month, day             int64
	weekYear, week, weekday      int64
	dayOfYear                    int64
	hasDate, hasDayOfYear        bool
	hasWeekYear                  bool
	hour, hour12, minute, second int64
	hasHour                      bool
	msec, offset                 int64
}

func (p *parser) parse(it item, fixed bool) bool {
	switch it.letter {
	case 'G':
		i, ok := p.name([]string{"BC", "AD"})
		p.bc = i == 0
		return ok
	case 'E':
		i, ok := p.longOrShort(weekdays[:])
		p.weekday = int64(i)
		return ok
	case 'a':
		i, ok := p.name([]string{"AM", "PM"})
		p.pm = i == 1
		return ok
	case 'z', 'Z', 'X':
		return p.zone(it)
	case 'M', 'L':
		if it.count >= 3 {
			i, ok := p.longOrShort(months[:])
			p.month, p.hasDate = int64(i)+1, true
			return ok
		}
	}
	before := len(p.text)
	n, ok := p.number(it.count, fixed)
	if !ok {
		return false
	}
	p.set(it, n, before-len(p.text))
	return true
}

func (p *parser) set(it item, n int64, digits int) {
	switch it.letter {
	case 'y', 'Y':
		if it.count <= 2 && digits == 2 && n >= 0 {
			n = century(n, time.Now())
		}
		if it.letter == 'y' {
			p.year = n
		} else {
			p.weekYear, p.hasWeekYear = n, true
		}
	case 'M', 'L':
		p.month, p.hasDate = n, true
	case 'd':
		p.day, p.hasDate = n, true
	case 'D':
		p.dayOfYear, p.hasDayOfYear = n, true
	case 'w':
		p.week = n
	case 'u':
		p.weekday = n % 7
	case 'H':
		p.hour, p.hasHour = n, true
	case 'k':
		if n == 24 {
			n = 0
		}
		p.hour, p.hasHour = n, true
	case 'h':
		if n == 12 {
			n = 0
		}
		p.hour12 = n
	case 'K':
		p.hour12 = n
	case 'm':
		p.minute = n
	case 's':
		p.second = n
	case 'S':
		p.msec = n
	}
}

// century completes a year of two digits: it lies within 80 years before and 20 after now.
func century(n int64, now time.Time) int64 {
	first := now.AddDate(-80, 0, 0)
	year := int64(first.Year())/100*100 + n
	if year < int64(first.Year()) {
		year += 100
	}
	return year
}

func (p *parser) moment() int64 {
	year := p.year
	if p.bc {
		year = 1 - year
	}
	var days int64
	switch {
	case p.hasWeekYear && !p.hasDate:
		first := epochDays(p.weekYear, 1, 1)
		days = first - weekday(first) + 7*(max(p.week, 1)-1) + max(p.weekday, 0)
	case p.hasDayOfYear && !p.hasDate:
		days = epochDays(year, 1, p.dayOfYear)
	default:
		days = epochDays(year, p.month, p.day)
	}
	hour := p.hour
	if !p.hasHour {
		hour = p.hour12
		if p.pm {
			hour += 12
		}
	}
	return days*msPerDay + hour*3600000 + p.minute*60000 + p.second*1000 + p.msec - p.offset
}

// number reads digits, exactly as many as the pattern has letters if fixed.
func (p *parser) number(width int, fixed bool) (int64, bool) {
	text := p.text
	if fixed {
		if len(text) < width {
			return 0, false
		}
		text = text[:width]
	}
	negative := strings.HasPrefix(text, "-")
	digits := strings.TrimPrefix(text, "-")
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(digits[:end], 10, 64)
	if err != nil {
		return 0, false
	}
	p.text = p.text[len(text)-len(digits)+end:]
	if negative {
		n = -n
	}
	return int64(int32(n)), true
}

// name reads one of names in any case.
func (p *parser) name(names []string) (int, bool) {
	for i, n := range names {
		if len(p.text) >= len(n) && strings.EqualFold(p.text[:len(n)], n) {
			p.text = p.text[len(n):]
			return i, true
		}
	}
	return 0, false
}

// longOrShort reads one of names or its first three characters.
func (p *parser) longOrShort(names []string) (int, bool) {
	if i, ok := p.name(names); ok {
		return i, true
	}
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = n[:3]
	}
	return p.name(short)
}
