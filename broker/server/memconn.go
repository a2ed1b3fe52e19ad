package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memCapacity bounds the bytes that one direction of an in-memory connection holds while its reader is elsewhere: a writer
// that is further ahead waits, as it would for a full socket buffer.
const memCapacity = 256 << 10

// memChunk is what a direction borrows from memChunks while it holds bytes; an idle connection holds none.
const memChunk = 64 << 10

var memChunks = sync.Pool{New: func() any { return new([memChunk]byte) }}

// memConn is one end of a buffered in-memory connection with deadlines. It stands in for TCP between the broker and
// clients in the same process. Unlike net.Pipe, Write returns once the bytes are buffered, so request and answer need no
// lockstep of goroutines; and a writer that finds its peer waiting in Read copies straight into the peer's slice.
type memConn struct {
	in, out       *memPipe
	local, remote net.Addr
	close         sync.Once
}

var _ net.Conn = (*memConn)(nil)

// newMemConn returns the two ends of a connection.
func newMemConn(clientAddr, serverAddr net.Addr) (client, server *memConn) {
	up, down := newMemPipe(), newMemPipe()
	client = &memConn{in: down, out: up, local: clientAddr, remote: serverAddr}
	server = &memConn{in: up, out: down, local: serverAddr, remote: clientAddr}
	return client, server
}

func (c *memConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions: the peer reads what is buffered and then io.EOF; this end's calls return net.ErrClosed.
func (c *memConn) Close() error {
	c.close.Do(func() {
		c.out.closeWrite()
		c.in.closeRead()
	})
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

// memPipe is one direction: a bounded queue of chunks.
type memPipe struct {
	mu       sync.Mutex
	readable sync.Cond // bytes arrived, direct is done, closed, or the read deadline passed
	writable sync.Cond // room appeared, a reader waits, closed, or the write deadline passed

	chunks []*[memChunk]byte
	start  int // first unread byte in chunks[0]
	size   int // unread bytes over all chunks

	// direct is the slice of a reader that waits on an empty queue; a writer fills it and leaves the count in directN.
	direct  []byte
	directN int

	writeClosed, readClosed bool
	readDeadline            memDeadline
	writeDeadline           memDeadline
}

func newMemPipe() *memPipe {
	p := &memPipe{}
	p.readable.L, p.writable.L = &p.mu, &p.mu
	return p
}

func (p *memPipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readClosed:
			return 0, net.ErrClosed
		case p.readDeadline.passed:
			return 0, os.ErrDeadlineExceeded
		case p.size > 0:
			return p.takeLocked(b), nil
		case p.writeClosed:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		if p.direct == nil { // a second reader at the same time waits for buffered bytes
			p.direct, p.directN = b, 0
			p.readable.Wait()
			n := p.directN
			p.direct, p.directN = nil, 0
			if n > 0 {
				return n, nil
			}
			continue
		}
		p.readable.Wait()
	}
}

// takeLocked moves buffered bytes into b.
func (p *memPipe) takeLocked(b []byte) int {
	n := 0
	for n < len(b) && p.size > 0 {
		end := min(p.start+p.size, memChunk)
		m := copy(b[n:], p.chunks[0][p.start:end])
		n, p.start, p.size = n+m, p.start+m, p.size-m
		if p.start == memChunk || p.size == 0 {
			memChunks.Put(p.chunks[0])
			p.chunks, p.start = p.chunks[1:], 0
		}
	}
	if p.size == 0 {
		p.chunks = nil
	}
	p.writable.Broadcast()
	return n
}

func (p *memPipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for {
		switch {
		case p.writeClosed:
			return n, net.ErrClosed
		case p.readClosed:
			return n, io.ErrClosedPipe
		case p.writeDeadline.passed:
			return n, os.ErrDeadlineExceeded
		}
		if p.size == 0 && p.directN < len(p.direct) {
			m := copy(p.direct[p.directN:], b[n:])
			n, p.directN = n+m, p.directN+m
			p.readable.Broadcast()
		}
		n += p.putLocked(b[n:])
		if n == len(b) {
			return n, nil
		}
		p.writable.Wait()
	}
}

// putLocked buffers as much of b as there is room for.
func (p *memPipe) putLocked(b []byte) int {
	n := 0
	for n < len(b) && p.size < memCapacity {
		end := p.start + p.size
		if end == len(p.chunks)*memChunk {
			p.chunks = append(p.chunks, memChunks.Get().(*[memChunk]byte))
		}
		last, at := p.chunks[len(p.chunks)-1], end%memChunk
		m := copy(last[at:min(memChunk, at+memCapacity-p.size)], b[n:])
		n, p.size = n+m, p.size+m
	}
	if n > 0 {
		p.readable.Broadcast()
	}
	return n
}

func (p *memPipe) closeWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeClosed = true
	p.writeDeadline.stop()
	p.wakeLocked()
}

func (p *memPipe) closeRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readClosed = true
	p.readDeadline.stop()
	for _, c := range p.chunks {
		memChunks.Put(c)
	}
	p.chunks, p.start, p.size = nil, 0, 0
	p.wakeLocked()
}

func (p *memPipe) wakeLocked() {
	p.readable.Broadcast()
	p.writable.Broadcast()
}

// memDeadline is a read or write deadline; passed stays true until the deadline is set anew.
type memDeadline struct {
	passed bool
	timer  *time.Timer
}

func (d *memDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (p *memPipe) setDeadline(d *memDeadline, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		p.wakeLocked()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if d.timer == timer { // not replaced since
			d.passed = true
			p.wakeLocked()
		}
	})
	d.timer = timer
}

// memAddr names the ends of in-memory connections in logs.
type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }
