package peers

import (
	"context"
	"log/slog"
	"sync"

	"millrace/broker/metadata"
)

// Transport carries the quorum's messages over links, one for small and one for large messages, so that a snapshot does not
// delay heartbeats. What cannot be sent is dropped: raft repeats it. It is a quorum.Transport.
type Transport struct {
	cfg   TransportConfig
	small *Link
	large *Link

	mu     sync.Mutex
	ctx    context.Context // of Run, nil before and after
	wg     sync.WaitGroup
	queues map[outlet]*queue
}

// TransportConfig makes a Transport. All fields but Logger are required.
type TransportConfig struct {
	Pool *Pool
	Node metadata.BrokerID
	// Cluster is the id of the cluster, which the receiver checks.
	Cluster string
	// NodeOf returns the node that has a raft id, or NoBroker.
	NodeOf func(raftID uint64) metadata.BrokerID
	// Lost is told of messages that were not delivered. It must not block.
	Lost   func(raftID uint64)
	Logger *slog.Logger // nil: none
}

// outlet is what has a queue of its own.
type outlet struct {
	raftID uint64
	large  bool
}

// queue is what waits to be sent; wake receives when there is something.
type queue struct {
	messages [][]byte
	bytes    int
	wake     chan struct{}
}

const (
	largeMessage = 256 << 10
	// maxQueued bounds a queue, in messages and bytes; maxSend is what one request carries, unless a message is larger.
	maxQueued      = 1024
	maxQueuedBytes = 64 << 20
	maxSend        = 1 << 20
)

// NewTransport makes a transport, which sends while Run runs.
func NewTransport(cfg TransportConfig) *Transport {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Transport{cfg: cfg, small: cfg.Pool.Link("raft", 1), large: cfg.Pool.Link("raft-large", 1), queues: make(map[outlet]*queue)}
}

// Run sends until ctx ends.
func (t *Transport) Run(ctx context.Context) error {
	t.mu.Lock()
	t.ctx = ctx
	for to, q := range t.queues {
		t.wg.Go(func() { t.drain(ctx, to, q) })
	}
	t.mu.Unlock()
	<-ctx.Done()
	t.mu.Lock()
	t.ctx = nil
	t.mu.Unlock()
	t.wg.Wait()
	return nil
}

// Send queues a message.
func (t *Transport) Send(to uint64, message []byte) {
	at := outlet{to, len(message) > largeMessage}
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queues[at]
	if q == nil {
		q = &queue{wake: make(chan struct{}, 1)}
		t.queues[at] = q
		if ctx := t.ctx; ctx != nil {
			t.wg.Go(func() { t.drain(ctx, at, q) })
		}
	}
	if len(q.messages) >= maxQueued || q.bytes > 0 && q.bytes+len(message) > maxQueuedBytes {
		return
	}
	q.messages = append(q.messages, message)
	q.bytes += len(message)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (t *Transport) drain(ctx context.Context, to outlet, q *queue) {
	link := t.small
	if to.large {
		link = t.large
	}
	failing := false
	for {
		messages := t.take(q)
		if len(messages) == 0 {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		node := t.cfg.NodeOf(to.raftID)
		msg := Raft{From: t.cfg.Node, Cluster: t.cfg.Cluster, Messages: messages}
		_, err := link.Raw(ctx, node, &Request{KindRaft, msg.Append(nil)})
		if err != nil && ctx.Err() == nil {
			if !failing {
				t.cfg.Logger.Debug("quorum messages not delivered", "broker", node, "raft_id", to.raftID, "err", err)
			}
			t.cfg.Lost(to.raftID)
		}
		failing = err != nil
	}
}

// take removes what goes into the next request.
func (t *Transport) take(q *queue) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, size := 0, 0
	for n < len(q.messages) && (n == 0 || size+len(q.messages[n]) <= maxSend) {
		size += len(q.messages[n])
		n++
	}
	messages := q.messages[:n:n]
	q.messages = q.messages[n:]
	if len(q.messages) == 0 {
		q.messages = nil
	}
	q.bytes -= size
	return messages
}
