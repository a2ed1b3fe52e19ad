package activemq

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

const (
	// maxHeaderLine is the most bytes of a command or header line. ActiveMQ's own limit is 10 KiB.
	maxHeaderLine = 64 << 10
	// maxHeaders is the most header lines of a frame. ActiveMQ's own limit is 1000.
	maxHeaders = 4096
)

// A guard checks the lengths in a stream of STOMP frames before the frame reader behind it believes them: go-stomp's
// reader allocates what content-length says, and grows for ever on a line or a body without an end.
type guard struct {
	r       io.Reader
	maxBody int64

	state   guardState
	line    int                          // bytes of the current line
	head    [len("content-length:")]byte // its first bytes
	digits  []byte                       // the value of content-length
	headers int
	length  int64 // of the body; -1 is up to a NUL
	body    int64 // bytes of the body passed
}

type guardState int8

const (
	inCommand guardState = iota
	inHeader
	inBody
)

var contentLength = []byte("content-length:")

func newGuard(r io.Reader, maxBody int64) *guard { return &guard{r: r, maxBody: maxBody, length: -1} }

// Read reads from the stream. It fails, and passes nothing more, at the first length beyond the limits.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if broken := g.scan(p[:n]); broken != nil {
		return 0, broken
	}
	return n, err
}

func (g *guard) scan(p []byte) error {
	for len(p) > 0 {
		if g.state == inBody {
			n, err := g.scanBody(p)
			if err != nil {
				return err
			}
			p = p[n:]
			continue
		}
		n := bytes.IndexByte(p, '\n')
		part := p
		if n >= 0 {
			part = p[:n]
		}
		if err := g.scanLine(part); err != nil {
			return err
		}
		if n < 0 {
			return nil
		}
		if err := g.endLine(); err != nil {
			return err
		}
		p = p[n+1:]
	}
	return nil
}

// scanLine passes a part of a line.
func (g *guard) scanLine(part []byte) error {
	if g.line < len(g.head) {
		copy(g.head[g.line:], part)
	}
	if from := max(0, len(g.head)-g.line); g.state == inHeader && from < len(part) && bytes.Equal(g.head[:], contentLength) {
		g.digits = append(g.digits, part[from:min(len(part), from+32)]...)
	}
	g.line += len(part)
	if g.line > maxHeaderLine {
		return fmt.Errorf("the broker sent a header line of more than %d bytes", maxHeaderLine)
	}
	return nil
}

func (g *guard) endLine() error {
	empty := g.line == 0 || g.line == 1 && g.head[0] == '\r'
	isLength := g.state == inHeader && g.line >= len(g.head) && bytes.Equal(g.head[:], contentLength)
	switch {
	case isLength:
		if g.length < 0 { // the first one counts
			n, err := strconv.ParseUint(string(bytes.TrimSuffix(g.digits, []byte{'\r'})), 10, 32)
			if err != nil {
				return fmt.Errorf("the broker sent a content-length that is no number")
			}
			if int64(n) > g.maxBody {
				return fmt.Errorf("the broker sent a message of %d bytes; max.message.bytes allows %d", n, g.maxBody)
			}
			g.length = int64(n)
		}
	case g.state == inHeader && empty:
		g.state = inBody
	case g.state == inCommand && !empty:
		g.state, g.headers, g.length, g.body = inHeader, 0, -1, 0
	}
	if g.headers++; g.headers > maxHeaders {
		return fmt.Errorf("the broker sent a frame of more than %d headers", maxHeaders)
	}
	if g.state == inCommand {
		g.headers = 0
	}
	g.line, g.digits = 0, g.digits[:0]
	return nil
}

// scanBody passes bytes of the body and the NUL after it; it returns how many of p they are.
func (g *guard) scanBody(p []byte) (int, error) {
	if g.length < 0 {
		n := bytes.IndexByte(p, 0)
		passed := n
		if n < 0 {
			passed = len(p)
		}
		if g.body += int64(passed); g.body > g.maxBody {
			return 0, fmt.Errorf("the broker sent a message of more than max.message.bytes=%d", g.maxBody)
		}
		if n < 0 {
			return len(p), nil
		}
		g.state = inCommand
		return n + 1, nil
	}
	left := g.length - g.body
	if int64(len(p)) <= left {
		g.body += int64(len(p))
		return len(p), nil
	}
	g.state = inCommand
	return int(left) + 1, nil
}
