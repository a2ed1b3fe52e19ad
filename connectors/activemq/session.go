package activemq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// A session is one STOMP connection: go-stomp's frames under our own loop.
//
// go-stomp's Conn is not used, since its loop cannot be made safe from outside: it blocks for ever on a receipt that comes after
// its timeout, loses a request that is queued while the connection ends, panics its own goroutine when SUBSCRIBE asks for a
// receipt, applies a read timeout the broker did not agree to, stops writing while messages wait to be taken, escapes the
// password in CONNECT, and flushes every frame. Here a receipt is a channel that nobody has to read, all reads and writes have deadlines,
// writes are flushed a batch at a time, and when a session ends everything that waits for it is told.
//
// One goroutine reads; a second sends heart-beats. Both end with the session, and close waits for them.
type session struct {
	endpoint endpoint
	server   string // the server header of CONNECTED
	artemis  bool
	conn     net.Conn
	reader   *frame.Reader
	timeout  time.Duration // of a write, and of waiting for a receipt
	recv     time.Duration // longest silence of the broker; 0 is no limit
	send     time.Duration // heart-beat interval; 0 is none
	wg       sync.WaitGroup

	// messages are the MESSAGE frames not taken yet, at most as many as the broker may send ahead.
	messages chan *frame.Frame
	// leaving is closed when messages are not taken any more.
	leaving chan struct{}
	// done is closed when the session has ended; err says why.
	done chan struct{}

	endOnce sync.Once
	err     error // set before done is closed

	writeMu sync.Mutex
	writer  *frame.Writer // into out
	out     *bufio.Writer // into conn
	wrote   bool          // since the last heart-beat

	receiptMu sync.Mutex
	receipts  map[string]chan error
	lastID    int
}

var errClosed = errors.New("connection closed")

// start runs the session's goroutines.
func (s *session) start() {
	s.wg.Go(s.readLoop)
	if s.send > 0 {
		s.wg.Go(s.heartbeats)
	}
}

func (s *session) readLoop() {
	for {
		f, err := s.reader.Read()
		if err != nil {
			s.end(fmt.Errorf("connection to %s lost: %w", s.endpoint, err))
			return
		}
		if f == nil {
			continue // a heart-beat
		}
		switch f.Command {
		case frame.MESSAGE:
			select {
			case s.messages <- f:
			case <-s.leaving: // nobody takes it; it is delivered again
			case <-s.done:
				return
			}
		case frame.RECEIPT:
			s.receive(f.Header.Get(frame.ReceiptId), nil)
		case frame.ERROR:
			refused := newBrokerError(s.endpoint, f)
			if id, ok := f.Header.Contains(frame.ReceiptId); ok {
				s.receive(id, refused)
			}
			s.end(refused)
			return
		}
	}
}

// receive hands a receipt to who waits for it. One that nobody waits for any more is dropped.
func (s *session) receive(id string, err error) {
	s.receiptMu.Lock()
	defer s.receiptMu.Unlock()
	if ch, ok := s.receipts[id]; ok {
		ch <- err // has room for one
		delete(s.receipts, id)
	}
}

// heartbeats sends one when nothing else was sent for a while. The broker's check is strict, so they come at half the interval.
func (s *session) heartbeats() {
	ticker := time.NewTicker(s.send / 2)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ticker.C:
		}
		s.writeMu.Lock()
		quiet := !s.wrote
		s.wrote = false
		var err error
		if quiet {
			if err = s.writer.Write(nil); err == nil {
				err = s.flushLocked()
			}
		}
		s.writeMu.Unlock()
		if err != nil {
			s.end(fmt.Errorf("heart-beat to %s: %w", s.endpoint, err))
			return
		}
	}
}

// write sends frames and flushes them together. An error has ended the session.
func (s *session) write(frames ...*frame.Frame) error {
	select {
	case <-s.done:
		return s.err
	default:
	}
	s.writeMu.Lock()
	err := s.writeLocked(frames)
	s.writeMu.Unlock()
	if err == nil {
		return nil
	}
	// A broker that hangs up has often said why: what it sent is read first.
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		s.end(fmt.Errorf("write to %s: %w", s.endpoint, err))
		<-s.done
	}
	return s.err
}

// lastWords is how long the reader gets, after a failed write, to find an ERROR frame.
const lastWords = 500 * time.Millisecond

func (s *session) writeLocked(frames []*frame.Frame) error {
	// One deadline for all: a broker that takes nothing for so long has stopped reading.
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	for _, f := range frames {
		if err := s.writer.Write(f); err != nil {
			return err
		}
	}
	return s.flushLocked()
}

func (s *session) flushLocked() error {
	s.wrote = true
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	return s.out.Flush()
}

// request sends frames, the last of them with a receipt, and waits for that. When it does not come in time the session
// is ended: what the broker did is not known.
func (s *session) request(ctx context.Context, frames ...*frame.Frame) error {
	ch := make(chan error, 1)
	s.receiptMu.Lock()
	s.lastID++
	id := "r" + strconv.Itoa(s.lastID)
	s.receipts[id] = ch
	s.receiptMu.Unlock()
	frames[len(frames)-1].Header.Set(frame.Receipt, id)
	if err := s.write(frames...); err != nil {
		return err
	}
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case err := <-ch:
		return err
	case <-s.done:
		select {
		case err := <-ch: // it came first
			return err
		default:
			return s.err
		}
	case <-timer.C:
		s.end(fmt.Errorf("%s did not confirm %s within %v", s.endpoint, frames[len(frames)-1].Command, s.timeout))
		<-s.done
		return s.err
	case <-ctx.Done():
		s.end(context.Cause(ctx))
		<-s.done
		return s.err
	}
}

// disconnect ends the session once the broker has handled everything sent before. It is called once.
func (s *session) disconnect(ctx context.Context) {
	select {
	case <-s.done:
	default:
		close(s.leaving)
		// The session ends either way; what was not confirmed is delivered again.
		_ = s.request(ctx, frame.New(frame.DISCONNECT))
	}
	s.close(errClosed)
}

// close ends the session and waits for its goroutines.
func (s *session) close(cause error) {
	s.end(cause)
	s.wg.Wait()
}

func (s *session) end(cause error) {
	s.endOnce.Do(func() {
		s.err = cause
		s.conn.Close()
		close(s.done)
	})
}

// A deadlineReader gives each read the time in which at least a heart-beat must come.
type deadlineReader struct {
	conn net.Conn
	wait time.Duration // 0 is for ever
}

func (r *deadlineReader) Read(p []byte) (int, error) {
	if r.wait > 0 {
		if err := r.conn.SetReadDeadline(time.Now().Add(r.wait)); err != nil {
			return 0, err
		}
	}
	return r.conn.Read(p)
}
