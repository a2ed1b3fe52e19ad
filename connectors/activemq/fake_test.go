package activemq_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"millrace/connectors"
	"millrace/connectors/connectortest"
)

// A fake is a broker that misbehaves as a test wants: serve plays one connection after the n-th CONNECT was read.
type fake struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

// A peer is the fake's end of a connection.
type peer struct {
	net.Conn
	r *frame.Reader
	w *frame.Writer
}

func (p *peer) send(command string, headers ...string) { p.sendBody(command, "", headers...) }

func (p *peer) sendBody(command, body string, headers ...string) {
	f := frame.New(command, headers...)
	f.Body = []byte(body)
	// A connection that is gone shows at the next read.
	_ = p.w.Write(f)
}

// next returns the next frame, nil at the end of the connection.
func (p *peer) next() *frame.Frame {
	for {
		f, err := p.r.Read()
		if err != nil {
			return nil
		}
		if f != nil {
			return f
		}
	}
}

// obey answers receipts until the connection ends or see returns false.
func (p *peer) obey(see func(*frame.Frame) bool) {
	for f := p.next(); f != nil; f = p.next() {
		if !see(f) {
			return
		}
		if id := f.Header.Get(frame.Receipt); id != "" {
			p.send(frame.RECEIPT, frame.ReceiptId, id)
		}
	}
}

func newFake(t *testing.T, serve func(n int, p *peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{Listener: l}
	f.wg.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			f.wg.Go(func() {
				defer c.Close()
				p := &peer{c, frame.NewReader(c), frame.NewWriter(c)}
				if p.next() != nil {
					serve(n, p)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return l.Addr().String()
}

func connected(p *peer, heartbeat string) {
	p.send(frame.CONNECTED, frame.Version, "1.2", frame.HeartBeat, heartbeat, frame.Server, "fake/1")
}

func message(p *peer, id, body string) {
	p.sendBody(frame.MESSAGE, body, frame.Subscription, "1", frame.MessageId, id, frame.Ack, id, frame.Destination, "/queue/q")
}

func fakeConfig(addr string, more ...map[string]string) map[string]string {
	return merge(append([]map[string]string{{
		"activemq.server_uris": "failover:(tcp://" + addr + ")?initialReconnectDelay=1&maxReconnectDelay=20",
		"activemq.destination": "q", "topic": "t", "activemq.connect.timeout.ms": "1000", "request.timeout.ms": "200",
	}}, more...)...)
}

// TestMisbehavingBrokers are the traps of STOMP clients, among them all that go-stomp's own connection falls into.
func TestMisbehavingBrokers(t *testing.T) {
	t.Run("a_receipt_that_comes_too_late_is_not_waited_for", func(t *testing.T) {
		commits := make(chan string, 10)
		addr := newFake(t, func(n int, p *peer) {
			connected(p, "0,0")
			p.obey(func(f *frame.Frame) bool {
				if f.Command == frame.COMMIT {
					commits <- f.Header.Get(frame.Transaction)
					if n == 0 { // the client gives up; then the receipt comes
						if f := p.next(); f != nil {
							t.Errorf("after the timeout the client sends %s", f.Command)
						}
						p.send(frame.RECEIPT, frame.ReceiptId, f.Header.Get(frame.Receipt))
						return false
					}
				}
				return true
			})
		})
		s := connectortest.StartSink(t, sink, fakeConfig(addr))
		err := s.TryPut(t.Context(), connectortest.Records("t", 0, "x")...)
		if !connectors.Retriable(err) || !strings.Contains(err.Error(), "did not confirm COMMIT within 200ms") {
			t.Errorf("error %v", err)
		}
		s.Put(connectortest.Records("t", 0, "x")...)
		if len(commits) != 2 {
			t.Errorf("%d commits", len(commits))
		}
	})

	t.Run("a_broker_without_heart_beats_may_be_quiet", func(t *testing.T) {
		quiet := make(chan *peer, 1)
		addr := newFake(t, func(n int, p *peer) {
			if n > 0 {
				t.Error("the connection was given up")
			}
			connected(p, "0,0")
			p.obey(func(f *frame.Frame) bool {
				if f.Command == frame.SUBSCRIBE {
					quiet <- p
				}
				return true
			})
		})
		s := connectortest.StartSource(t, source, fakeConfig(addr, map[string]string{"activemq.heartbeat.ms": "1000"}), nil)
		p := <-quiet
		s.AwaitPolls(4) // seconds, more than twice the heart-beat
		message(p, "1", "still there")
		s.Wait(1)
		s.CommitAll()
	})

	t.Run("a_broker_that_promised_heart_beats_may_not", func(t *testing.T) {
		again := make(chan struct{})
		addr := newFake(t, func(n int, p *peer) {
			if n == 1 {
				close(again)
			}
			connected(p, "1000,1000")
			heartbeats := 0
			for b := make([]byte, 1); ; heartbeats++ {
				if _, err := io.ReadFull(p, b); err != nil {
					break
				}
			}
			if n == 0 && heartbeats < 2 {
				t.Errorf("the client sent %d heart-beats", heartbeats)
			}
		})
		connectortest.StartSource(t, source, fakeConfig(addr, map[string]string{"activemq.heartbeat.ms": "1000", "request.timeout.ms": "10000"}), nil)
		select {
		case <-again:
		case <-time.After(20 * time.Second):
			t.Error("the dead connection was kept")
		}
	})

	t.Run("more_messages_than_the_prefetch_while_acknowledging", func(t *testing.T) {
		const total = 500
		addr := newFake(t, func(_ int, p *peer) {
			connected(p, "0,0")
			last := ""
			p.obey(func(f *frame.Frame) bool {
				switch f.Command {
				case frame.SUBSCRIBE:
					for i := range total {
						message(p, numbered(total)[i], "x")
					}
				case frame.ACK:
					last = f.Header.Get(frame.Id)
				}
				return true
			})
			if last != "" && last != numbered(total)[total-1] {
				t.Errorf("the last acknowledgement is %s", last)
			}
		})
		s := connectortest.StartSource(t, source, fakeConfig(addr, map[string]string{"activemq.prefetch": "5", "max.pending.messages": "20"}), nil)
		for n := 0; n < total; {
			s.AwaitPolls(1)
			n = s.CommitAll()
		}
		s.Stop()
	})

	t.Run("a_receipt_for_the_subscription_between_messages", func(t *testing.T) {
		addr := newFake(t, func(_ int, p *peer) {
			connected(p, "0,0")
			p.obey(func(f *frame.Frame) bool {
				if f.Command == frame.SUBSCRIBE {
					message(p, "1", "a")
					p.send(frame.RECEIPT, frame.ReceiptId, "1")
					p.send(frame.RECEIPT)
					p.send("ACK", "id", "nonsense")
					message(p, "2", "b")
				}
				return true
			})
		})
		s := connectortest.StartSource(t, source, fakeConfig(addr), nil)
		s.Wait(2)
		s.CommitAll()
	})

	t.Run("an_ERROR_that_does_not_hang_up", func(t *testing.T) {
		addr := newFake(t, func(n int, p *peer) {
			connected(p, "0,0")
			p.obey(func(f *frame.Frame) bool {
				if f.Command == frame.SUBSCRIBE && n == 0 {
					p.send(frame.ERROR, frame.Message, "something went wrong")
					p.next()
					return false
				}
				if f.Command == frame.SUBSCRIBE {
					message(p, "1", "x")
				}
				return true
			})
		})
		s := connectortest.StartSource(t, source, fakeConfig(addr), nil)
		s.Wait(1)
		s.CommitAll()
	})

	t.Run("a_message_beyond_max.message.bytes", func(t *testing.T) {
		addr := newFake(t, func(n int, p *peer) {
			connected(p, "0,0")
			p.obey(func(f *frame.Frame) bool {
				if f.Command == frame.SUBSCRIBE && n == 0 {
					_, _ = io.WriteString(p, "MESSAGE\nsubscription:1\nack:1\ncontent-length:2000000000\n\n")
				} else if f.Command == frame.SUBSCRIBE {
					message(p, "1", "x")
				}
				return true
			})
		})
		s := connectortest.StartSource(t, source, fakeConfig(addr, map[string]string{"max.message.bytes": "1048576"}), nil)
		s.Wait(1)
		s.CommitAll()
	})

	t.Run("STOMP_1.0", func(t *testing.T) {
		addr := newFake(t, func(_ int, p *peer) {
			p.send(frame.CONNECTED, frame.Session, "x")
			p.next()
		})
		err := connectortest.StartSource(t, source, fakeConfig(addr), nil).Failure()
		if !strings.Contains(err.Error(), "1.2 is needed") {
			t.Errorf("error %v", err)
		}
	})

	t.Run("a_peer_that_says_nothing", func(t *testing.T) {
		again := make(chan struct{}, 10)
		addr := newFake(t, func(_ int, p *peer) {
			select {
			case again <- struct{}{}:
			default:
			}
			p.next()
		})
		s := connectortest.StartSource(t, source, fakeConfig(addr, map[string]string{"activemq.connect.timeout.ms": "50"}), nil)
		for range 3 {
			<-again
		}
		s.AwaitPolls(1)
	})

	t.Run("other_protocols", func(t *testing.T) {
		for greeting, want := range map[string]string{
			"AMQP\x00\x01\x00\x00":                         "speaks AMQP, not STOMP",
			"HTTP/1.1 400 Bad Request\r\n\r\n":             "speaks HTTP, not STOMP",
			"SSH-2.0-OpenSSH_9\r\n":                        "speaks an unknown protocol, not STOMP",
			"\x00\x00\x01\x00\x01ActiveMQ\x00\x00\x00\x0c": "speaks OpenWire, not STOMP",
		} {
			addr := newFake(t, func(_ int, p *peer) {
				_, _ = io.WriteString(p, greeting)
				p.next()
			})
			err := connectortest.StartSource(t, source, fakeConfig(addr, map[string]string{"activemq.stomp.port.fallback": "0"}), nil).Failure()
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	})

	t.Run("a_full_broker_is_tried_again", func(t *testing.T) {
		tries := 0
		addr := newFake(t, func(n int, p *peer) {
			connected(p, "0,0")
			p.obey(func(f *frame.Frame) bool {
				if f.Command == frame.COMMIT {
					tries++
					if n == 0 {
						p.send(frame.ERROR, frame.Message, "Usage Manager Memory Limit (1048576) reached", frame.ReceiptId, f.Header.Get(frame.Receipt))
						return false
					}
				}
				return true
			})
		})
		s := connectortest.StartSink(t, sink, fakeConfig(addr))
		if err := s.TryPut(context.Background(), connectortest.Records("t", 0, "x", "y")...); !connectors.Retriable(err) {
			t.Errorf("error %v", err)
		}
		s.Put(connectortest.Records("t", 0, "x", "y")...)
		s.Stop()
		if tries != 2 {
			t.Errorf("%d transactions; a full broker is no reason to look for a bad record", tries)
		}
	})

	t.Run("what_a_failed_batch_has_sent_is_not_sent_again", func(t *testing.T) {
		var mu sync.Mutex
		var bodies []string
		addr := newFake(t, func(n int, p *peer) {
			connected(p, "0,0")
			var tx []string
			p.obey(func(f *frame.Frame) bool {
				switch f.Command {
				case frame.SEND:
					tx = append(tx, string(f.Body))
				case frame.COMMIT:
					if n == 0 && strings.Contains(tx[0], "2") {
						return false // hangs up
					}
					mu.Lock()
					bodies = append(bodies, tx...)
					mu.Unlock()
					tx = nil
				}
				return true
			})
		})
		s := connectortest.StartSink(t, sink, fakeConfig(addr, map[string]string{"batch.max.records": "2"}))
		s.Put(connectortest.Records("t", 0, "0", "1", "2", "3")...)
		s.Stop()
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(bodies, ""); got != "0123" {
			t.Errorf("the broker has %s", got)
		}
	})
}
