package peers

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// conn is one pipelined connection: any number of goroutines send, one goroutine reads, answers come in the order of the
// requests.
type conn struct {
	nc    net.Conn
	stall time.Duration
	ended chan struct{} // closed with err set

	sending sync.Mutex // held while a request is written, so that waiters have the order of the wire
	format  *kmsg.RequestFormatter
	buf     []byte

	mu      sync.Mutex
	waiters []waiter
	next    int32
	err     error
}

// waiter is who gets the answer to a request. Its channel has room for it.
type waiter struct {
	correlation int32
	answer      chan []byte
}

// ErrClosed: the connection ended before the answer came.
var ErrClosed = errors.New("connection to another node closed")

// maxAnswer bounds answers: those of fetches are 8 MiB and a batch, snapshots do not come in answers.
const maxAnswer = 256 << 20

func newConn(nc net.Conn, clientID string, stall time.Duration) *conn {
	return &conn{nc: nc, stall: stall, ended: make(chan struct{}), format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))}
}

// send writes a request and returns where its answer will come.
func (c *conn) send(req kmsg.Request) (<-chan []byte, error) {
	answer := make(chan []byte, 1)
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.next++
	c.waiters = append(c.waiters, waiter{c.next, answer})
	if len(c.waiters) == 1 {
		c.watchLocked()
	}
	correlation := c.next
	c.mu.Unlock()
	c.buf = c.format.AppendRequest(c.buf[:0], req, correlation)
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.stall)) // a failure shows in the write
	_, err := c.nc.Write(c.buf)
	if cap(c.buf) > 1<<20 {
		c.buf = nil
	}
	if err != nil {
		c.end(fmt.Errorf("%w: %w", ErrClosed, err))
		return nil, c.err
	}
	return answer, nil
}

// watchLocked bounds the wait for the next answer, or takes the bound away when none is due.
func (c *conn) watchLocked() {
	var deadline time.Time
	if len(c.waiters) > 0 {
		deadline = time.Now().Add(c.stall)
	}
	_ = c.nc.SetReadDeadline(deadline) // a failure shows in the read
}

// read delivers answers until the connection ends.
func (c *conn) read() {
	r := bufio.NewReaderSize(c.nc, 16<<10)
	for {
		frame, err := readFrame(r)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("no answer within %v", c.stall)
			}
			c.end(fmt.Errorf("%w: %w", ErrClosed, err))
			return
		}
		c.mu.Lock()
		if len(c.waiters) == 0 || int32(binary.BigEndian.Uint32(frame)) != c.waiters[0].correlation {
			c.mu.Unlock()
			c.end(fmt.Errorf("%w: an answer that nobody asked for", ErrClosed))
			return
		}
		w := c.waiters[0]
		c.waiters[0] = waiter{}
		c.waiters = c.waiters[1:]
		c.watchLocked()
		c.mu.Unlock()
		w.answer <- frame[4:]
	}
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	frame := make([]byte, size)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// end closes the connection for a reason; the first one counts.
func (c *conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.ended)
	_ = c.nc.Close() // it ends either way
}

// await waits for an answer. When ctx ends first, the answer is dropped when it comes.
func (c *conn) await(ctx context.Context, answer <-chan []byte) ([]byte, error) {
	select {
	case b := <-answer:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.ended:
		select { // it may have come just before
		case b := <-answer:
			return b, nil
		default:
			return nil, c.err
		}
	}
}

func (c *conn) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiters)
}
