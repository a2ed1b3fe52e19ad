package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"millrace/broker/api"
)

// readBuffer is what a connection reads small requests through; larger ones go straight into their frame.
const readBuffer = 4 << 10

// conn is one connection. Its reader is the goroutine that calls serve; its writer starts with the first answer that has to
// wait.
//
// Only the reader appends to queue and only the writer takes from it, so when inFlight is 0 the writer sleeps and the reader
// may write itself. Both use out and buffers, but never at the same time, for that reason.
type conn struct {
	srv    *Server
	nc     net.Conn
	client *api.Client
	ip     string

	ctx    context.Context // ends with the connection, with the reason as its cause
	cancel context.CancelCauseFunc

	// What closeIdle looks at, in unix nanoseconds:
	lastActive   atomic.Int64 // the last request or written answer
	writingSince atomic.Int64 // 0 while nothing is being written
	reading      atomic.Bool  // no request is being dispatched

	queue    chan request
	inFlight atomic.Int32  // answers queued and not written
	drained  chan struct{} // receives when inFlight falls to 0
	writer   sync.WaitGroup
	started  bool // the writer runs

	out                api.Out
	buffers, unwritten net.Buffers
}

// request is one that has begun.
type request struct {
	api.Reply
	key   int16
	began time.Time
}

func newConn(ctx context.Context, s *Server, nc net.Conn, listener string) *conn {
	host := nc.RemoteAddr().String()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	c := &conn{
		srv: s, nc: nc, ip: host,
		client:  &api.Client{Listener: listener, Host: host},
		drained: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.lastActive.Store(time.Now().UnixNano())
	return c
}

// errStopped is why connections end when the server does.
var errStopped = errors.New("server stopped")

// serve reads and answers requests until the connection ends, and returns why; nil if the client closed it or the server
// stops.
func (c *conn) serve() error {
	err := c.readLoop(c.ctx)
	if c.srv.stopping.Load() {
		c.finish()
		err = nil
	}
	c.cancel(err) // answers that are still awaited are of no use to anyone
	if c.started {
		close(c.queue)
		c.writer.Wait()
	}
	if closeErr := c.nc.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) && err == nil {
		err = closeErr
	}
	if errors.Is(err, net.ErrClosed) {
		err = context.Cause(c.ctx) // our own doing
	}
	if err == io.EOF || errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// finish gives the acknowledgements under way a moment to come and be written. Answers that would wait for something else
// to happen are dropped by the writer.
func (c *conn) finish() {
	deadline := time.NewTimer(c.srv.cfg.ShutdownTimeout)
	defer deadline.Stop()
	for c.inFlight.Load() > 0 {
		select {
		case <-c.drained:
		case <-c.ctx.Done():
			return
		case <-deadline.C:
			return
		}
	}
}

func (c *conn) readLoop(ctx context.Context) error {
	frames := frameReader{r: bufio.NewReaderSize(c.nc, readBuffer), max: c.srv.cfg.MaxRequestBytes, memory: c.srv.memory}
	var lastKey int16
	for {
		c.reading.Store(true)
		frame, err := frames.next(ctx)
		c.reading.Store(false)
		if err != nil {
			return err
		}
		reply, err := c.begin(ctx, frame, lastKey)
		lastKey = reply.key
		frames.release(frame)
		if err != nil {
			return err
		}
		if reply.Reply == nil {
			continue
		}
		if c.inFlight.Load() == 0 && reply.Ready() == nil {
			if err := c.write(reply); err != nil {
				return err
			}
			continue
		}
		c.enqueue(ctx, reply)
	}
}

// begin starts the request in frame; lastKey is that of the one before.
func (c *conn) begin(ctx context.Context, frame []byte, lastKey int16) (r request, err error) {
	r.began = time.Now()
	r.key, _ = api.PeekKey(frame)
	c.lastActive.Store(r.began.UnixNano())
	c.srv.metrics.bytesIn.Add(float64(len(frame) + 4))
	if !api.Pipelines(r.key) || r.key != lastKey {
		if err := c.waitDrained(ctx); err != nil {
			return r, err
		}
	}
	if c.srv.stopping.Load() {
		return r, errStopped
	}
	r.Reply, err = c.srv.cfg.Dispatcher.Dispatch(ctx, c.client, frame)
	return r, err
}

// waitDrained waits until every answer under way has been written.
func (c *conn) waitDrained(ctx context.Context) error {
	for c.inFlight.Load() > 0 {
		select {
		case <-c.drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// enqueue hands an answer to the writer, waiting for room in the queue: that is what stops a client from having more and
// more under way.
func (c *conn) enqueue(ctx context.Context, reply request) {
	if !c.started {
		c.started = true
		c.queue = make(chan request, c.srv.cfg.MaxInFlight)
		c.writer.Go(func() { c.writeLoop(ctx) })
	}
	c.inFlight.Add(1)
	select {
	case c.queue <- reply:
	case <-ctx.Done():
		c.inFlight.Add(-1)
		reply.Release()
	}
}

// maxBatchedAnswers bounds the answers that one write carries.
const maxBatchedAnswers = 32

// writeLoop writes queued answers in order. Answers that are ready together leave in one write. When the connection has
// ended it releases what is left.
func (c *conn) writeLoop(ctx context.Context) {
	batch := make([]request, 0, maxBatchedAnswers)
	for reply := range c.queue {
		if !c.await(ctx, reply) {
			reply.Release()
			c.settle(1)
			continue
		}
		batch = append(batch[:0], reply)
		var unready request
		for unready.Reply == nil && len(batch) < maxBatchedAnswers && len(c.queue) > 0 {
			if next := <-c.queue; next.Ready() == nil {
				batch = append(batch, next)
			} else {
				unready = next
			}
		}
		c.writeBatch(batch)
		if unready.Reply != nil {
			c.writeOne(ctx, unready)
		}
	}
}

func (c *conn) writeOne(ctx context.Context, reply request) {
	if c.await(ctx, reply) {
		c.writeBatch([]request{reply})
		return
	}
	reply.Release()
	c.settle(1)
}

// await waits until a reply can be built; false if the connection ended first. While the server stops, only
// acknowledgements are worth waiting for.
func (c *conn) await(ctx context.Context, reply request) bool {
	for {
		ready := reply.Ready()
		if ready == nil {
			return ctx.Err() == nil
		}
		stop := c.srv.stopped
		if api.Acknowledges(reply.Reply) {
			stop = nil
		}
		select {
		case <-ready:
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (c *conn) writeBatch(batch []request) {
	if err := c.write(batch...); err != nil {
		c.cancel(err)
		c.nc.Close() // ends the reader
	}
	c.settle(int32(len(batch)))
}

// settle notes that n answers are no longer under way.
func (c *conn) settle(n int32) {
	if c.inFlight.Add(-n) == 0 {
		select {
		case c.drained <- struct{}{}:
		default:
		}
	}
}

// write builds the answers, writes them in one go and releases them.
func (c *conn) write(batch ...request) error {
	for _, reply := range batch {
		reply.AppendTo(&c.out)
	}
	n := c.out.Len()
	c.buffers = c.out.AppendBuffers(c.buffers[:0])
	c.unwritten = c.buffers // WriteTo consumes it, while buffers keeps the memory
	c.writingSince.Store(time.Now().UnixNano())
	_, err := c.unwritten.WriteTo(c.nc)
	now := time.Now()
	c.writingSince.Store(0)
	c.lastActive.Store(now.UnixNano())
	clear(c.buffers)
	c.out.Reset()
	for _, reply := range batch {
		reply.Release()
		c.srv.metrics.answered(reply.key, now.Sub(reply.began))
	}
	c.srv.metrics.bytesOut.Add(float64(n))
	return err
}

// idle reports whether nothing has moved since a point in time: no request came and none is being answered, or the client
// does not take an answer.
func (c *conn) idle(since time.Time) bool {
	if w := c.writingSince.Load(); w != 0 {
		return w < since.UnixNano()
	}
	return c.reading.Load() && c.inFlight.Load() == 0 && c.lastActive.Load() < since.UnixNano()
}
