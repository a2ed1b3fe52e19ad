package stucktest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Mode is what the Proxy does to records of its topic. The others always pass.
type Mode struct {
	// Refuse is the code that the topic's records are refused with, 0 for none.
	Refuse int16
	// Hang leaves requests with records of the topic without an answer until the producer's time-out has passed; then they are
	// refused with REQUEST_TIMED_OUT.
	Hang bool
}

const requestTimedOut = 7

// A Proxy stands between clients and a broker that advertises the proxy's address.
type Proxy struct {
	l      net.Listener
	target func() string
	topic  string
	wg     sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	id      [16]byte
	mode    Mode
	changed chan struct{}
	stuck   int
}

// NewProxy listens on a free loopback port; target is asked for the broker's address with each connection. Close ends it.
func NewProxy(topic string, target func() string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{l: l, target: target, topic: topic, changed: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is the address to connect to.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Close ends all connections.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.l.Close()
	p.wg.Wait()
	return err
}

// Topic tells the topic's id, which newer requests name it by.
func (p *Proxy) Topic(id [16]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
}

// Set changes what happens to the topic.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

// Stuck is how many requests had records of the topic that did not pass.
func (p *Proxy) Stuck() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stuck
}

func (p *Proxy) accept() {
	for {
		down, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() {
			defer down.Close()
			up, err := net.Dial("tcp", p.target())
			if err != nil {
				return
			}
			defer up.Close()
			stop := context.AfterFunc(p.ctx, func() {
				_ = errors.Join(down.Close(), up.Close()) // what is under way does not matter any more
			})
			defer stop()
			p.serve(down, up)
		})
	}
}

// serve answers the requests of one connection until either side ends it.
func (p *Proxy) serve(down, up net.Conn) {
	for {
		request, err := readFrame(down)
		if err != nil {
			return
		}
		answer, err := p.answer(request, up)
		if err != nil {
			return
		}
		if err := writeFrame(down, answer); err != nil {
			return
		}
	}
}

const produceKey = 0

func (p *Proxy) answer(request []byte, up net.Conn) ([]byte, error) {
	if len(request) < 8 {
		return nil, errors.New("a short request")
	}
	if binary.BigEndian.Uint16(request) != produceKey {
		return forward(up, request)
	}
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(int16(binary.BigEndian.Uint16(request[2:])))
	header, err := headerLength(request, req.IsFlexible())
	if err != nil {
		return nil, err
	}
	if err := req.ReadFrom(request[header:]); err != nil {
		return nil, fmt.Errorf("produce request: %w", err)
	}
	p.mu.Lock()
	mode, id, changed := p.mode, p.id, p.changed
	var held []kmsg.ProduceRequestTopic
	if mode != (Mode{}) {
		var rest []kmsg.ProduceRequestTopic
		for _, t := range req.Topics {
			if t.Topic == p.topic || t.Topic == "" && t.TopicID == id {
				held = append(held, t)
			} else {
				rest = append(rest, t)
			}
		}
		req.Topics = rest
	}
	if len(held) > 0 {
		p.stuck++
	}
	p.mu.Unlock()
	if len(held) == 0 {
		return forward(up, request)
	}

	resp := kmsg.NewPtrProduceResponse()
	resp.SetVersion(req.GetVersion())
	if len(req.Topics) > 0 {
		answer, err := forward(up, req.AppendTo(append([]byte(nil), request[:header]...)))
		if err != nil {
			return nil, err
		}
		if err := resp.ReadFrom(answer[answerHeader(req):]); err != nil {
			return nil, fmt.Errorf("produce response: %w", err)
		}
	}
	code := mode.Refuse
	if mode.Hang {
		code = requestTimedOut
		timer := time.NewTimer(time.Duration(req.TimeoutMillis) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-changed:
		case <-p.ctx.Done():
			return nil, p.ctx.Err()
		}
	}
	for _, t := range held {
		refused := kmsg.NewProduceResponseTopic()
		refused.Topic, refused.TopicID = t.Topic, t.TopicID
		for _, part := range t.Partitions {
			r := kmsg.NewProduceResponseTopicPartition()
			r.Partition, r.ErrorCode, r.BaseOffset = part.Partition, code, -1
			refused.Partitions = append(refused.Partitions, r)
		}
		resp.Topics = append(resp.Topics, refused)
	}
	answer := append([]byte(nil), request[4:8]...) // the correlation id
	if req.IsFlexible() {
		answer = append(answer, 0)
	}
	return resp.AppendTo(answer), nil
}

// headerLength is where the body of a request begins: behind key, version, correlation id, client id and tags.
func headerLength(request []byte, flexible bool) (int, error) {
	n := 10
	if len(request) < n {
		return 0, errors.New("a short request")
	}
	if id := int16(binary.BigEndian.Uint16(request[8:])); id > 0 {
		n += int(id)
	}
	if flexible {
		n++ // no client sends tags there
	}
	if len(request) < n {
		return 0, errors.New("a short request")
	}
	return n, nil
}

func answerHeader(req *kmsg.ProduceRequest) int {
	if req.IsFlexible() {
		return 5
	}
	return 4
}

func forward(up net.Conn, request []byte) ([]byte, error) {
	if err := writeFrame(up, request); err != nil {
		return nil, err
	}
	return readFrame(up)
}

const maxFrame = 128 << 20

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, frame []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(frame)), uint32(len(frame))), frame...))
	return err
}
