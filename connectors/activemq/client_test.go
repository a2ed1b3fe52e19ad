package activemq_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
)

// A client is a plain go-stomp client: another application at the broker.
type client struct {
	t    testing.TB
	conn *stomp.Conn
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := stomp.Dial("tcp", addr, stomp.ConnOpt.HeartBeat(0, 0))
	if err != nil {
		t.Fatalf("dial %s: %v", addr, err)
	}
	t.Cleanup(func() {
		// The broker may be gone.
		_ = conn.Disconnect()
	})
	return &client{t, conn}
}

// send sends persistent text messages in one transaction. Headers are names and values in turn.
func (c *client) send(destination string, bodies []string, headers ...string) {
	c.t.Helper()
	tx := c.conn.Begin()
	options := []func(*frame.Frame) error{stomp.SendOpt.NoContentLength, stomp.SendOpt.Header("persistent", "true")}
	for i := 0; i < len(headers); i += 2 {
		options = append(options, stomp.SendOpt.Header(headers[i], headers[i+1]))
	}
	for _, body := range bodies {
		if err := tx.Send(destination, "", []byte(body), options...); err != nil {
			c.t.Fatalf("send: %v", err)
		}
	}
	if err := tx.CommitWithReceipt(); err != nil {
		c.t.Fatalf("commit: %v", err)
	}
}

// subscribe returns a subscription that acknowledges by itself.
func (c *client) subscribe(destination string) *stomp.Subscription {
	c.t.Helper()
	s, err := c.conn.Subscribe(destination, stomp.AckAuto)
	if err != nil {
		c.t.Fatalf("subscribe: %v", err)
	}
	// A topic keeps nothing for those who come late, so wait until the broker has handled the frame. Not so with a
	// queue: its messages come at once, and go-stomp stands still when they fill its channel during a request.
	if strings.HasPrefix(destination, "/topic/") {
		if err := c.conn.Begin().CommitWithReceipt(); err != nil {
			c.t.Fatalf("subscribe: %v", err)
		}
	}
	return s
}

// receive returns the next n messages.
func receive(t testing.TB, s *stomp.Subscription, n int) []*stomp.Message {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	var messages []*stomp.Message
	for len(messages) < n {
		select {
		case m, ok := <-s.C:
			if !ok || m.Err != nil {
				t.Fatalf("subscription ended after %d of %d messages", len(messages), n)
			}
			messages = append(messages, m)
		case <-deadline.C:
			t.Fatalf("got %d of %d messages", len(messages), n)
		}
	}
	return messages
}

// count returns how many messages destination holds, by browsing it.
func (c *client) count(destination string) int {
	c.t.Helper()
	s, err := c.conn.Subscribe(destination, stomp.AckAuto, stomp.SubscribeOpt.Header("browser", "true"))
	if err != nil {
		c.t.Fatalf("browse: %v", err)
	}
	n := 0
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case m := <-s.C:
			if m == nil || m.Err != nil {
				c.t.Fatalf("browse %s ended", destination)
			}
			if m.Header.Get("browser") == "end" {
				go func() { // what still comes must not keep the receipt from being read; Unsubscribe closes the channel
					for range s.C {
					}
				}()
				if err := s.Unsubscribe(); err != nil {
					c.t.Logf("end browsing: %v", err) // all was counted
				}
				return n
			}
			n++
		case <-deadline.C:
			c.t.Fatalf("browsing %s does not end", destination)
		}
	}
}

// queue is the name of a queue for the test alone.
func queue(t testing.TB) string { return strings.NewReplacer("/", ".", "'", "").Replace(t.Name()) }
