package plugins

import (
	"errors"
	"strings"
)

// A Range is a set of versions in Maven's notation (KIP-891): [1.0,2.0), (,1.5], [1.2.3], several separated by commas.
// The zero Range contains all versions.
type Range struct{ intervals []interval }

type interval struct {
	lowest, highest     *string // nil is unbounded
	lowestIn, highestIn bool
}

// ParseRange parses a version or a range. "" and "latest" are all versions; a bare version is that one alone.
func ParseRange(spec string) (Range, error) {
	if spec == "" || spec == "latest" {
		return Range{}, nil
	}
	spec = strings.TrimSpace(spec)
	r, bare, err := parseIntervals(spec)
	if err != nil || !bare {
		return r, err
	}
	r, _, err = parseIntervals("[" + spec + "]")
	return r, err
}

func parseIntervals(spec string) (r Range, bare bool, err error) {
	rest := spec
	for strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "(") {
		end := strings.IndexAny(rest, ")]")
		if end < 0 {
			return Range{}, false, errors.New("Unbounded range: " + rest) //nolint:staticcheck // Kafka's text
		}
		i, err := parseInterval(rest[:end+1])
		if err != nil {
			return Range{}, false, err
		}
		if n := len(r.intervals); n > 0 {
			before := r.intervals[n-1].highest
			if before != nil && (i.lowest == nil || compareVersions(*i.lowest, *before) < 0) {
				return Range{}, false, errors.New("Ranges overlap: " + rest) //nolint:staticcheck // Kafka's text
			}
		}
		r.intervals = append(r.intervals, i)
		rest = strings.TrimSpace(rest[end+1:])
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	}
	if rest != "" && len(r.intervals) > 0 {
		//nolint:staticcheck // Kafka's text
		return Range{}, false, errors.New("Only fully-qualified sets allowed in multiple set scenario: " + spec)
	}
	return r, len(r.intervals) == 0, nil
}

func parseInterval(text string) (interval, error) {
	i := interval{lowestIn: text[0] == '[', highestIn: text[len(text)-1] == ']'}
	inner := strings.TrimSpace(text[1 : len(text)-1])
	lowest, highest, isPair := strings.Cut(inner, ",")
	if !isPair {
		if !i.lowestIn || !i.highestIn {
			return i, errors.New("Single version must be surrounded by []: " + text) //nolint:staticcheck // Kafka's text
		}
		i.lowest, i.highest = &inner, &inner
		return i, nil
	}
	lowest, highest = strings.TrimSpace(lowest), strings.TrimSpace(highest)
	if lowest != "" {
		i.lowest = &lowest
	}
	if highest != "" {
		i.highest = &highest
	}
	if i.lowest != nil && i.highest != nil {
		order := compareVersions(lowest, highest)
		if order > 0 || order == 0 && !(i.lowestIn && i.highestIn) {
			return i, errors.New("Range defies version ordering: " + text) //nolint:staticcheck // Kafka's text
		}
	}
	return i, nil
}

// Contains reports whether version is in r.
func (r Range) Contains(version string) bool {
	for _, i := range r.intervals {
		if i.contains(version) {
			return true
		}
	}
	return len(r.intervals) == 0
}

func (i interval) contains(version string) bool {
	if i.lowest != nil {
		order := compareVersions(version, *i.lowest)
		if order < 0 || order == 0 && !i.lowestIn {
			return false
		}
	}
	if i.highest != nil {
		order := compareVersions(version, *i.highest)
		if order > 0 || order == 0 && !i.highestIn {
			return false
		}
	}
	return true
}

// String returns r in Maven's notation; a single version reads [1.0,1.0].
func (r Range) String() string {
	var b strings.Builder
	for n, i := range r.intervals {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteByte("(["[bit(i.lowestIn)])
		if i.lowest != nil {
			b.WriteString(*i.lowest)
		}
		b.WriteByte(',')
		if i.highest != nil {
			b.WriteString(*i.highest)
		}
		b.WriteByte(")]"[bit(i.highestIn)])
	}
	return b.String()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func bracketed(texts []string) string { return "[" + strings.Join(texts, ", ") + "]" }
