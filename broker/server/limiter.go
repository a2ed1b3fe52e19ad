package server

import (
	"sync"
	"time"
)

// lineLimiter lets one log line of each kind through in lineEvery, so that a broken or hostile client cannot fill the disk.
// The zero value is ready to use.
type lineLimiter struct {
	mu    sync.Mutex
	kinds map[string]*limitedLine
}

type limitedLine struct {
	next       time.Time
	suppressed int
}

const (
	lineEvery = 10 * time.Second
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
	if now.Before(line.next) {
		line.suppressed++
		return 0, false
	}
	suppressed = line.suppressed
	*line = limitedLine{next: now.Add(lineEvery)}
	return suppressed, true
}
