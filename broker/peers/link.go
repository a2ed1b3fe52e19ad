package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// Config makes a Pool. Address is required.
type Config struct {
	// Address returns host:port of a node's inter-broker listener; false if it is not known.
	Address func(metadata.BrokerID) (string, bool)
	// Dial connects; nil is the network's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Closed is told when a connection that worked has ended, but for those of the purpose "probe". It must not block. nil: nobody.
	Closed func(metadata.BrokerID)
	// ClientID is what this node calls itself in its requests.
	ClientID string
	// DialTimeout bounds connecting. 0: 2 s.
	DialTimeout time.Duration
	// StallTimeout closes a connection on which an answer is due for so long. 0: 10 s.
	StallTimeout time.Duration
}

// Pool makes connections to other nodes and keeps them. Close ends them all.
type Pool struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[place][]*conn
}

// place is what shares connections.
type place struct {
	purpose string
	node    metadata.BrokerID
}

// ErrUnknownNode: the address of a node is not known.
var ErrUnknownNode = errors.New("the address of a node is not known")

// NewPool makes a pool without connections.
func NewPool(cfg Config) *Pool {
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 2 * time.Second
	}
	if cfg.StallTimeout == 0 {
		cfg.StallTimeout = 10 * time.Second
	}
	p := &Pool{cfg: cfg, conns: make(map[place][]*conn)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Close ends every connection and waits for what reads them.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.cancel()
	for _, list := range p.conns {
		for _, c := range list {
			c.end(ErrClosed)
		}
	}
	p.mu.Unlock()
	p.wg.Wait()
	return nil
}

// Link sends requests to other nodes over connections of its own, so that what it sends delays no other link's: one
// connection per node, or up to width when requests wait for each other.
type Link struct {
	pool    *Pool
	purpose string
	width   int
}

// Link returns the link of a purpose; equal purposes share their connections.
func (p *Pool) Link(purpose string, width int) *Link {
	return &Link{pool: p, purpose: purpose, width: width}
}

// Probe is the purpose of connections that only see whether a node is there.
const Probe = "probe"

// Request sends req, in its version, to a node and returns the answer. Connections are opened when they are needed; after a
// failure the next request opens another one. An error leaves open whether the request took effect.
func (l *Link) Request(ctx context.Context, to metadata.BrokerID, req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind()
	body, err := l.Raw(ctx, to, req)
	if err != nil {
		return nil, err
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("answer of node %d to %s: %w", to, kmsg.NameForKey(req.Key()), err)
	}
	return resp, nil
}

// Raw is Request with the answer as bytes, without its header.
func (l *Link) Raw(ctx context.Context, to metadata.BrokerID, req kmsg.Request) ([]byte, error) {
	c, err := l.pool.conn(ctx, place{l.purpose, to}, l.width)
	if err != nil {
		return nil, fmt.Errorf("reach node %d: %w", to, err)
	}
	answer, err := c.send(req)
	if err == nil {
		var body []byte
		if body, err = c.await(ctx, answer); err == nil {
			return trimHeader(req, body)
		}
	}
	return nil, fmt.Errorf("ask node %d: %w", to, err)
}

// trimHeader takes off what the header has behind the correlation id: an empty block of tags in flexible versions.
func trimHeader(req kmsg.Request, body []byte) ([]byte, error) {
	if !req.ResponseKind().IsFlexible() || req.Key() == int16(kmsg.ApiVersions) {
		return body, nil
	}
	if len(body) < 1 || body[0] != 0 {
		return nil, errors.New("answer with tags in its header")
	}
	return body[1:], nil
}

// conn returns a connection that nothing waits on, or the least busy one if there are width already.
func (p *Pool) conn(ctx context.Context, at place, width int) (*conn, error) {
	p.mu.Lock()
	best := p.leastLocked(at)
	full := best != nil && (best.pending() == 0 || len(p.conns[at]) >= width)
	p.mu.Unlock()
	if full {
		return best, nil
	}
	address, ok := p.cfg.Address(at.node)
	if !ok {
		return nil, ErrUnknownNode
	}
	dialing, cancel := context.WithTimeout(ctx, p.cfg.DialTimeout)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	nc, err := p.cfg.Dial(dialing, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := newConn(nc, p.cfg.ClientID, p.cfg.StallTimeout)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = nc.Close() // nothing was exchanged yet
		return nil, ErrClosed
	}
	if best := p.leastLocked(at); best != nil && len(p.conns[at]) >= width { // others were faster
		_ = nc.Close()
		return best, nil
	}
	p.conns[at] = append(p.conns[at], c)
	p.wg.Go(func() {
		c.read()
		p.forget(at, c)
		if p.cfg.Closed != nil && at.purpose != Probe && p.ctx.Err() == nil {
			p.cfg.Closed(at.node)
		}
	})
	return c, nil
}

func (p *Pool) leastLocked(at place) *conn {
	var best *conn
	for _, c := range p.conns[at] {
		if best == nil || c.pending() < best.pending() {
			best = c
		}
	}
	return best
}

func (p *Pool) forget(at place, c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.conns[at]
	for i := range list {
		if list[i] == c {
			p.conns[at] = append(list[:i:i], list[i+1:]...)
			return
		}
	}
}
