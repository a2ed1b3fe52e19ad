package connectortest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy forwards TCP connections to a target until they are cut: the network between a connector and its peer.
type Proxy struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
	total int

	moved atomic.Int64 // bytes since the last Transferred
	more  chan struct{}
}

// NewProxy listens on a free loopback port until the end of the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	p := &Proxy{l: l, target: target, conns: make(map[net.Conn]struct{}), more: make(chan struct{}, 1)}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.l.Close()
		p.SetDown(true)
		p.wg.Wait()
	})
	return p
}

// Addr returns the address to connect to.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Connections returns how many connections were accepted so far.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// Cut closes all connections; new ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// SetDown cuts all connections and closes new ones at once while down is true.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.Cut()
	}
}

// Transferred waits until n bytes went through since it last returned true, for a second at most.
func (p *Proxy) Transferred(n int64) bool {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for p.moved.Load() < n {
		select {
		case <-p.more:
		case <-timer.C:
			return false
		}
	}
	p.moved.Store(0)
	return true
}

// A meter counts what is read.
type meter struct {
	net.Conn
	p *Proxy
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.p.moved.Add(int64(n))
	select {
	case m.p.more <- struct{}{}:
	default:
	}
	return n, err
}

func (p *Proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.total++
		p.mu.Unlock()
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		if !p.add(in, out) {
			in.Close()
			out.Close()
			continue
		}
		p.wg.Go(func() { p.copy(in, out) })
		p.wg.Go(func() { p.copy(out, in) })
	}
}

func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *Proxy) copy(to, from net.Conn) {
	// The error is the cut itself, or the end of the stream.
	_, _ = io.Copy(to, &meter{from, p})
	to.Close()
	from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, to)
	delete(p.conns, from)
}
