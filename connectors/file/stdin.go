package file

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// stdin is the process's standard input. A read of it cannot be given up, so one goroutine reads for all tasks, one after
// the other, and what a stopped task left is there for the next.
var stdin = &pump{r: os.Stdin, chunks: make(chan []byte), failed: make(chan struct{})}

// A pump reads r on its own goroutine, which lives as long as r.
type pump struct {
	r      io.Reader
	start  sync.Once
	chunks chan []byte
	failed chan struct{} // closed after the last chunk
	err    error         // why; io.EOF for the end
}

func (p *pump) run() {
	defer close(p.failed)
	for {
		buf := make([]byte, 64<<10)
		n, err := p.r.Read(buf)
		if n > 0 {
			p.chunks <- buf[:n]
		}
		if err != nil {
			p.err = err
			return
		}
	}
}

// stdinLines are the lines of standard input; they have no positions.
type stdinLines struct {
	s    splitter
	from *pump
	read []byte
}

func newStdinLines() *stdinLines { return &stdinLines{from: stdin} }

func (l *stdinLines) next() (string, int64, bool) {
	line, _, ok := l.s.next()
	return line, 0, ok
}

func (l *stdinLines) more(ctx context.Context, d time.Duration) (bool, error) {
	l.from.start.Do(func() { go l.from.run() })
	timer := time.NewTimer(d)
	defer timer.Stop()
	if len(l.read) == 0 {
		select {
		case l.read = <-l.from.chunks:
		case <-l.from.failed:
			if !errors.Is(l.from.err, io.EOF) {
				return false, l.from.err
			}
			select { // the end: nothing comes any more
			case <-ctx.Done():
			case <-timer.C:
			}
			return false, nil
		case <-ctx.Done():
			return false, nil
		case <-timer.C:
			return false, nil
		}
	}
	return true, l.s.fill(l)
}

// Read gives the splitter the chunk at hand.
func (l *stdinLines) Read(b []byte) (int, error) {
	n := copy(b, l.read)
	l.read = l.read[n:]
	return n, nil
}

func (l *stdinLines) close() error { return nil }
