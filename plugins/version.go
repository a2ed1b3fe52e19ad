package plugins

import (
	"cmp"
	"strings"
)

// compareVersions orders versions as Maven does: numbers by value, well-known qualifiers by their meaning (alpha < beta <
// milestone < rc < snapshot < release < sp < others), trailing zeros and "ga" without weight, and a '-' (or a change between
// digits and letters) weaker than a '.': 1 < 1-sp < 1-1 < 1.1.
func compareVersions(a, b string) int { return parseVersion(a).compare(parseVersion(b)) }

// A versionList is a level of a version: numbers, words and nested lists.
type versionList []versionItem

// A versionItem is a number (digits without leading zeros), a word, or a list if list is not nil.
type versionItem struct {
	isNumber bool
	text     string
	list     versionList
	isList   bool
}

func parseVersion(version string) versionList {
	p := versionParser{levels: []versionList{nil}}
	version = strings.ToLower(version)
	start, digits := 0, false
	for i := 0; i < len(version); i++ {
		c := version[i]
		switch {
		case c == '.' || c == '-':
			if i == start {
				p.add(versionItem{isNumber: true})
			} else {
				p.add(token(version[start:i], digits, false))
			}
			start = i + 1
			if c == '-' {
				p.push()
			}
		case c >= '0' && c <= '9':
			if !digits && i > start {
				p.add(token(version[start:i], false, true))
				start = i
				p.push()
			}
			digits = true
			continue
		default:
			if digits && i > start {
				p.add(token(version[start:i], true, false))
				start = i
				p.push()
			}
		}
		digits = false
	}
	if start < len(version) {
		p.add(token(version[start:], digits, false))
	}
	return p.finish()
}

// versionParser keeps the lists that are open, outermost first.
type versionParser struct{ levels []versionList }

func (p *versionParser) add(i versionItem) {
	last := len(p.levels) - 1
	p.levels[last] = append(p.levels[last], i)
}

func (p *versionParser) push() { p.levels = append(p.levels, nil) }

func (p *versionParser) finish() versionList {
	for len(p.levels) > 1 {
		last := len(p.levels) - 1
		list := p.levels[last].normalized()
		p.levels = p.levels[:last]
		p.add(versionItem{isList: true, list: list})
	}
	return p.levels[0].normalized()
}

// normalized drops what has no weight at the end of a list.
func (l versionList) normalized() versionList {
	for i := len(l) - 1; i >= 0; i-- {
		switch {
		case l[i].isNull():
			l = append(l[:i:i], l[i+1:]...)
		case !l[i].isList:
			return l
		}
	}
	return l
}

func (i versionItem) isNull() bool {
	switch {
	case i.isList:
		return len(i.list) == 0
	case i.isNumber:
		return i.text == ""
	}
	return i.rank() == releaseRank
}

func token(text string, digits, beforeDigit bool) versionItem {
	if digits {
		return versionItem{isNumber: true, text: strings.TrimLeft(text, "0")}
	}
	if beforeDigit && len(text) == 1 {
		switch text {
		case "a":
			text = "alpha"
		case "b":
			text = "beta"
		case "m":
			text = "milestone"
		}
	}
	switch text {
	case "ga", "final", "release":
		text = ""
	case "cr":
		text = "rc"
	}
	return versionItem{text: text}
}

var qualifiers = []string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

const releaseRank = 5

func (i versionItem) rank() int {
	for rank, q := range qualifiers {
		if i.text == q {
			return rank
		}
	}
	return len(qualifiers)
}

func (l versionList) compare(other versionList) int {
	for n := range max(len(l), len(other)) {
		var order int
		switch {
		case n >= len(l):
			order = -other[n].compareToNothing()
		case n >= len(other):
			order = l[n].compareToNothing()
		default:
			order = l[n].compare(other[n])
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// compareToNothing compares with the end of a list.
func (i versionItem) compareToNothing() int {
	switch {
	case i.isNumber:
		return cmp.Compare(len(i.text), 0)
	case i.isList:
		for _, item := range i.list {
			if order := item.compareToNothing(); order != 0 {
				return order
			}
		}
		return 0
	}
	return cmp.Compare(i.rank(), releaseRank)
}

func (i versionItem) compare(other versionItem) int {
	switch {
	case i.class() != other.class():
		return cmp.Compare(i.class(), other.class())
	case i.isNumber:
		return cmp.Or(cmp.Compare(len(i.text), len(other.text)), strings.Compare(i.text, other.text))
	case i.isList:
		return i.list.compare(other.list)
	}
	return cmp.Or(cmp.Compare(i.rank(), other.rank()), strings.Compare(i.text, other.text))
}

// class orders unlike items: words before lists before numbers.
func (i versionItem) class() int {
	switch {
	case i.isNumber:
		return 2
	case i.isList:
		return 1
	}
	return 0
}
