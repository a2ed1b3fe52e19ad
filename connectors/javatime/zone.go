package javatime

import "strings"

// zones has the offsets in minutes of the zone names that dates usually come with.
var zones = map[string]int64{
	"UTC": 0, "UT": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180,
	"IST": 330, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780, "NST": -210, "NDT": -150,
	"AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480,
	"PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
	"COORDINATED UNIVERSAL TIME": 0, "GREENWICH MEAN TIME": 0, "CENTRAL EUROPEAN STANDARD TIME": 60,
	"CENTRAL EUROPEAN SUMMER TIME": 120, "EASTERN STANDARD TIME": -300, "EASTERN DAYLIGHT TIME": -240,
	"CENTRAL STANDARD TIME": -360, "CENTRAL DAYLIGHT TIME": -300, "MOUNTAIN STANDARD TIME": -420,
	"MOUNTAIN DAYLIGHT TIME": -360, "PACIFIC STANDARD TIME": -480, "PACIFIC DAYLIGHT TIME": -420,
}

// zone reads a zone: +0530 (z, Z), GMT+5:30 or a name (z, Z), Z or +05:30 (X, by its length).
func (p *parser) zone(it item) bool {
	if it.letter == 'X' && strings.HasPrefix(p.text, "Z") {
		p.text, p.offset = p.text[1:], 0
		return true
	}
	if sign := p.sign(); sign != 0 {
		if it.letter == 'X' {
			return p.numericZone(sign, it.count == 3, it.count != 1, true)
		}
		return p.numericZone(sign, false, true, true)
	}
	if it.letter == 'X' {
		return false
	}
	if len(p.text) >= 3 && strings.EqualFold(p.text[:3], "GMT") {
		p.text, p.offset = p.text[3:], 0
		if sign := p.sign(); sign != 0 {
			return p.numericZone(sign, true, true, false)
		}
		return true
	}
	best := ""
	for name := range zones {
		if len(name) > len(best) && len(p.text) >= len(name) && strings.EqualFold(p.text[:len(name)], name) {
			best = name
		}
	}
	if best == "" {
		return false
	}
	p.text, p.offset = p.text[len(best):], zones[best]*60000
	return true
}

// sign reads a sign: 1, -1, or 0 if there is none.
func (p *parser) sign() int64 {
	switch {
	case strings.HasPrefix(p.text, "+"):
		p.text = p.text[1:]
		return 1
	case strings.HasPrefix(p.text, "-"):
		p.text = p.text[1:]
		return -1
	}
	return 0
}

func (p *parser) numericZone(sign int64, colon, minutes, twoDigits bool) bool {
	hours, n := p.digits(2)
	if n == 0 || n == 1 && twoDigits || hours > 23 {
		return false
	}
	var mins int64
	if minutes {
		if colon {
			if !strings.HasPrefix(p.text, ":") {
				return false
			}
			p.text = p.text[1:]
		}
		if mins, n = p.digits(2); n < 2 || mins > 59 {
			return false
		}
	}
	p.offset = sign * (hours*60 + mins) * 60000
	return true
}

// digits reads up to most digits.
func (p *parser) digits(most int) (n int64, count int) {
	for count < most && count < len(p.text) && p.text[count] >= '0' && p.text[count] <= '9' {
		n = 10*n + int64(p.text[count]-'0')
		count++
	}
	p.text = p.text[count:]
	return n, count
}
