package brokertest

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Conn is a connection on which a test says each byte: requests in versions of its choice, or none at all.
type Conn struct {
	net.Conn
	t         testing.TB
	formatter *kmsg.RequestFormatter
	sent      int32
}

// readTimeout bounds the wait for an answer.
const readTimeout = 20 * time.Second

// Dial opens a connection over TCP.
func (c *Cluster) Dial() *Conn {
	c.t.Helper()
	var d net.Dialer
	nc, err := d.DialContext(c.t.Context(), "tcp", c.Addr())
	return c.conn(nc, err)
}

// DialMemory opens a connection in memory.
func (c *Cluster) DialMemory() *Conn {
	c.t.Helper()
	nc, err := c.DialContext(c.t.Context(), "tcp", c.Addr())
	return c.conn(nc, err)
}

func (c *Cluster) conn(nc net.Conn, err error) *Conn {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("brokertest: %v", err)
	}
	c.t.Cleanup(func() { nc.Close() })
	return &Conn{Conn: nc, t: c.t, formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID("test"))}
}

// Send writes a request without waiting for its answer.
func (c *Conn) Send(req kmsg.Request) {
	c.t.Helper()
	c.sent++
	c.SendBytes(c.formatter.AppendRequest(nil, req, c.sent))
}

// SendBytes writes bytes as they are.
func (c *Conn) SendBytes(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("brokertest: write: %v", err)
	}
}

// Receive reads the answer to req, whose correlation id must be the one that Send gave the n-th request, counting from 1.
func (c *Conn) Receive(req kmsg.Request, n int32) kmsg.Response {
	c.t.Helper()
	frame := c.ReceiveFrame()
	if len(frame) < 4 || int32(binary.BigEndian.Uint32(frame)) != n {
		c.t.Fatalf("brokertest: answer %x, want correlation id %d", frame[:min(len(frame), 16)], n)
	}
	body := frame[4:]
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(body) == 0 || body[0] != 0 {
			c.t.Fatalf("brokertest: answer %x has no empty tags in its header", frame[:min(len(frame), 16)])
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatalf("brokertest: %s v%d: answer of %d bytes: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), len(body), err)
	}
	// What is decoded must be all there is.
	if again := resp.AppendTo(nil); len(again) != len(body) {
		c.t.Fatalf("brokertest: %s v%d: answer of %d bytes decodes to %d", kmsg.NameForKey(req.Key()), req.GetVersion(), len(body), len(again))
	}
	return resp
}

// ReceiveFrame reads one answer's bytes, from the correlation id on.
func (c *Conn) ReceiveFrame() []byte {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		c.t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		c.t.Fatalf("brokertest: read: %v", err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, frame); err != nil {
		c.t.Fatalf("brokertest: read: %v", err)
	}
	return frame
}

// Request is Send and Receive.
func (c *Conn) Request(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	c.Send(req)
	return c.Receive(req, c.sent)
}

// WantClosed fails the test unless the broker closes the connection without another byte.
func (c *Conn) WantClosed() {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 64)
	n, err := c.Read(b)
	if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
		c.t.Fatal("brokertest: connection was not closed")
	}
	if n > 0 || err == nil {
		c.t.Fatalf("brokertest: got %x where the connection should be closed", b[:n])
	}
}
