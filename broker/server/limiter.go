package server

import (
	"sync"
	"time"
)

// lineLimiter lets lineBurst log lines of each kind through in lineEvery, so that a broken or hostile client cannot fill the disk.
// The zero value is ready to use.
type lineLimiter struct {
	mu    sync.Mutex
	kinds map[string]*limitedLine
}

type limitedLine struct {
	until      time.Time // when the count begins anew
	lines      int
	suppressed int
}

const (
	lineEvery = 10 * time.Second
	lineBurst = 10
	// maxLineKinds bounds the memory: kinds contain numbers that clients choose.
	maxLineKinds = 256
)

// allow reports whether a line of this kind may be logged now, and how many were not since the last one.
func (l *lineLimiter) allow(kind string) (suppressed int, ok bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.kinds[kind]
	if line == nil {
		if l.kinds == nil || len(l.kinds) >= maxLineKinds {
			l.kinds = make(map[string]*limitedLine)
		}
		line = &limitedLine{}
		l.kinds[kind] = line
	}
	if !now.Before(line.until) {
		line.until, line.lines = now.Add(lineEvery), 0
	}
	if line.lines == lineBurst {
		line.suppressed++
		return 0, false
	}
	suppressed = line.suppressed
	line.lines, line.suppressed = line.lines+1, 0
	return suppressed, true
}
