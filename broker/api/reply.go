package api

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Reply is the answer to one request. A request without an answer (Produce with acks=0) has a nil Reply.
type Reply interface {
	// Ready returns nil when the answer can be built, else a channel: when that has received, ask again. Only one goroutine
	// at a time may call the methods of a Reply.
	Ready() <-chan struct{}
	// AppendTo appends the answer's frame to o. It is called at most once, after Ready has returned nil.
	AppendTo(o *Out)
	// Release gives back what the answer borrowed. It is called exactly once, when the answer has been written or when
	// nobody waits for it any more; in the second case Ready may not have returned nil.
	Release()
}

// message is an answer that is there: a kmsg response under its header.
type message struct {
	correlationID int32
	resp          kmsg.Response
}

func (m message) Ready() <-chan struct{} { return nil }
func (m message) Release()               {}

func (m message) AppendTo(o *Out) {
	o.Begin()
	b := appendResponseHeader(o.Bytes(), m.correlationID, m.resp.Key(), m.resp.IsFlexible())
	o.SetBytes(m.resp.AppendTo(b))
	o.End()
}

// appendResponseHeader appends header version 1 (with tagged fields) for flexible answers, else version 0. ApiVersions
// always has version 0: a client that does not know our versions must be able to read the downgrade answer.
func appendResponseHeader(b []byte, correlationID int32, key int16, flexible bool) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(correlationID))
	if flexible && key != int16(kmsg.ApiVersions) {
		b = append(b, 0)
	}
	return b
}

// Promise is an answer that another goroutine will give, such as the answer to a JoinGroup when the group is complete.
type Promise struct {
	call  *Call
	ready chan struct{}
	once  sync.Once
	resp  kmsg.Response
}

// Promise returns an answer to c that is due once Set has been called.
func (c *Call) Promise() *Promise { return &Promise{call: c, ready: make(chan struct{})} }

// Set gives the answer. Further calls do nothing.
func (p *Promise) Set(resp kmsg.Response) {
	p.once.Do(func() {
		p.resp = resp
		close(p.ready)
	})
}

func (p *Promise) Ready() <-chan struct{} {
	select {
	case <-p.ready:
		return nil
	default:
		return p.ready
	}
}

func (p *Promise) AppendTo(o *Out) { message{p.call.CorrelationID, p.resp}.AppendTo(o) }
func (p *Promise) Release()        {}

// Acknowledges reports whether a reply tells a producer that its records are safe, which is worth waiting for when the
// server stops: the records are in the log, and a producer that does not hear of it sends them again.
func Acknowledges(r Reply) bool {
	_, ok := r.(*produceReply)
	return ok
}
