package broker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/broker/api"
	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/peers"
)

// front is what connections meet. Other nodes' requests are answered from the beginning, for a cluster forms by them; clients
// wait a moment for the node to be ready, and are turned away then, so that they ask another node.
type front struct {
	parts     *parts
	listeners []string // of other nodes

	formed chan struct{} // closed when the parts below are there
	ready  chan struct{} // closed when clients may come in
	once   sync.Once
}

const (
	// clientPatience is how long a client's request waits for a starting node.
	clientPatience = 2 * time.Second
	// forwardLimit bounds a request that another node forwards.
	forwardLimit = 30 * time.Second
	// maxLearned bounds the addresses that others say of themselves.
	maxLearned = 1024
)

var (
	errStarting    = errors.New("this node is still starting")
	errNotForNodes = errors.New("a request between nodes on a listener for clients")
)

func newFront(p *parts, listeners []string) *front {
	return &front{parts: p, listeners: listeners, formed: make(chan struct{}), ready: make(chan struct{})}
}

// form says that all parts are there; open lets clients in.
func (f *front) form(*parts) { close(f.formed) }
func (f *front) open()       { f.once.Do(func() { close(f.ready) }) }

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Dispatch is a server's Dispatcher.
func (f *front) Dispatch(ctx context.Context, c *api.Client, frame []byte) (api.Reply, error) {
	key, _ := api.PeekKey(frame)
	if key == peers.Key {
		return f.node(ctx, c, frame)
	}
	if !isDone(f.ready) {
		if !(slices.Contains(f.listeners, c.Listener) && api.BetweenBrokers(key) && isDone(f.formed)) {
			if err := f.wait(ctx); err != nil {
				return nil, err
			}
		}
	}
	return f.parts.api.Dispatch(ctx, c, frame)
}

func (f *front) wait(ctx context.Context) error {
	timer := time.NewTimer(clientPatience)
	defer timer.Stop()
	select {
	case <-f.ready:
		return nil
	case <-timer.C:
		return errStarting
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// node answers a request that only nodes send.
func (f *front) node(ctx context.Context, c *api.Client, frame []byte) (api.Reply, error) {
	correlation, req, err := peers.ParseRequest(frame)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(f.listeners, c.Listener) {
		return nil, errNotForNodes
	}
	call := &api.Call{Header: api.Header{Key: peers.Key, CorrelationID: correlation}, Client: c}
	resp := new(peers.Response)
	switch err := f.answer(ctx, req, resp); {
	case errors.Is(err, controller.ErrNotController), errors.Is(err, errStarting):
		resp.Code = kerr.NotController.Code
	case errors.Is(err, metadata.ErrInconsistentCluster):
		resp.Code = kerr.InconsistentClusterID.Code
	case errors.Is(err, metadata.ErrDuplicateBroker):
		resp.Code = kerr.DuplicateBrokerRegistration.Code
	case err != nil:
		return nil, err
	}
	return call.Now(resp), nil
}

func (f *front) answer(ctx context.Context, req *peers.Request, resp *peers.Response) error {
	p := f.parts
	if req.Kind == peers.KindHello {
		var from peers.Hello
		if err := from.Read(req.Body); err != nil {
			return err
		}
		p.learn(&from)
		resp.Body = p.hello().Append(nil)
		return nil
	}
	if !isDone(f.formed) {
		return errStarting
	}
	switch req.Kind {
	case peers.KindRaft:
		var msg peers.Raft
		if err := msg.Read(req.Body); err != nil {
			return err
		}
		if cluster := p.logs.ClusterID(); msg.Cluster != cluster {
			return metadata.ErrInconsistentCluster
		}
		for _, m := range msg.Messages {
			if err := p.quorum.Receive(m); err != nil {
				return err
			}
		}
		return nil
	case peers.KindJoin:
		var j peers.Join
		if err := j.Read(req.Body); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, joinTimeout)
		defer cancel()
		members, err := p.controller.Join(ctx, controller.JoinRequest{Node: j.Node, Directory: j.Directory, Cluster: j.Cluster, Voter: j.Voter})
		if err != nil {
			return err
		}
		h := p.hello()
		h.Members = members
		resp.Body = h.Append(nil)
		return nil
	case peers.KindForward:
		var fw peers.Forward
		if err := fw.Read(req.Body); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, forwardLimit)
		defer cancel()
		done, err := p.api.Forwarded(ctx, &fw)
		if err != nil {
			return err
		}
		resp.Body = done.Append(nil)
		return nil
	}
	return errors.New("a request between nodes of a kind that this release does not know")
}

// learn notes where a node is that the metadata may not know yet, or no more.
func (p *parts) learn(h *peers.Hello) {
	if h.Address == "" || h.Cluster != "" && h.Cluster != p.logs.ClusterID() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.learned[h.Node]; !known && len(p.learned) >= maxLearned {
		return
	}
	if p.learned == nil {
		p.learned = make(map[metadata.BrokerID]string)
	}
	p.learned[h.Node] = h.Address
}

// hello is what this node says of itself.
func (p *parts) hello() *peers.Hello {
	h := &peers.Hello{Node: p.self, Directory: p.directory, Cluster: p.logs.ClusterID(), Leader: metadata.NoBroker, Formed: p.used.Load()}
	for _, e := range p.server.Endpoints() {
		if e.Listener == p.front.listeners[0] {
			h.Address = e.String()
		}
	}
	if isDone(p.front.formed) {
		h.Formed, h.Leader, h.Members = true, p.controller.Leader(), p.controller.Newest().Members()
	}
	return h
}
