package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/peers"
)

// Link sends requests to other nodes; *peers.Link is one.
type Link interface {
	Request(ctx context.Context, to metadata.BrokerID, req kmsg.Request) (kmsg.Response, error)
}

const (
	// forwardTimeout bounds the way of a request to the controller and back, elections included.
	forwardTimeout = 30 * time.Second
	// catchUpTimeout bounds the wait for this node to see what the controller did.
	catchUpTimeout = 5 * time.Second
	// forwardPause is between two attempts when nothing says that the next one has better luck.
	forwardPause = 50 * time.Millisecond
)

// leads reports whether this node is the active controller.
func (a *API) leads() bool {
	return a.cfg.Link == nil || a.cfg.Controller.Leader() == a.cfg.NodeID
}

// BetweenBrokers reports whether brokers send requests of this key to the controller before they serve clients.
func BetweenBrokers(key int16) bool {
	return key == int16(kmsg.BrokerRegistration) || key == int16(kmsg.BrokerHeartbeat)
}

// controllerID is the controller's node as clients are told. Requests for it may go to any node.
func (a *API) controllerID() metadata.BrokerID {
	if a.cfg.Link == nil {
		return a.cfg.NodeID
	}
	return a.cfg.Controller.Leader()
}

// raw is an answer whose body is there as bytes.
type raw struct {
	correlationID int32
	key           int16
	flexible      bool
	body          []byte
}

func (r raw) Ready() <-chan struct{} { return nil }
func (r raw) Release()               {}

func (r raw) AppendTo(o *Out) {
	o.Begin()
	o.SetBytes(append(appendResponseHeader(o.Bytes(), r.correlationID, r.key, r.flexible), r.body...))
	o.End()
}

// forward has the controller answer a request, and waits until this node sees what it did. body is the request without its
// header.
func (a *API) forward(ctx context.Context, call *Call, body []byte) (Reply, error) {
	answer, err := a.toController(ctx, call, body)
	if err != nil {
		// There is no general form for "no controller": a client that loses the connection asks again.
		return nil, fmt.Errorf("no controller answers: %w", err)
	}
	flexible := a.entry(call.Key).flexible
	return raw{call.CorrelationID, call.Key, flexible >= 0 && call.Version >= flexible, answer}, nil
}

func (a *API) toController(ctx context.Context, call *Call, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	f := peers.Forward{From: a.cfg.NodeID, Key: call.Key, Version: call.Version, Listener: call.Client.Listener, Body: body}
	req := &peers.Request{Kind: peers.KindForward, Body: f.Append(nil)}
	for {
		changed := a.cfg.Controller.Changed()
		leader := a.cfg.Controller.Leader()
		var failure error = controller.ErrNotController
		pause := time.Duration(0)
		if leader == a.cfg.NodeID {
			done, err := a.Forwarded(ctx, &f) // it has just become the controller
			if err == nil {
				return done.Body, nil
			}
			failure, pause = err, forwardPause
		} else if leader != metadata.NoBroker {
			var resp kmsg.Response
			resp, failure = a.cfg.Link.Request(ctx, leader, req)
			if failure == nil {
				answer := resp.(*peers.Response)
				failure = kerr.ErrorForCode(answer.Code)
				if failure == nil {
					return a.seen(ctx, answer.Body)
				}
			}
			pause = forwardPause
		}
		var timer <-chan time.Time
		if pause > 0 {
			timer = time.After(pause)
			changed = nil
		}
		select {
		case <-changed:
		case <-timer:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), failure)
		}
	}
}

// seen returns the body of an answer once this node's image has what it tells of.
func (a *API) seen(ctx context.Context, b []byte) ([]byte, error) {
	var done peers.Forwarded
	if err := done.Read(b); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := a.cfg.Controller.AwaitIndex(ctx, done.Index); err != nil {
		a.log.Debug("this node is behind the controller", "err", err) // what was asked for has happened all the same
	}
	return done.Body, nil
}

// Forwarded answers a request that another node forwards to this one as the controller. Errors: ErrNotController.
func (a *API) Forwarded(ctx context.Context, f *peers.Forward) (*peers.Forwarded, error) {
	if a.cfg.Controller.Leader() != a.cfg.NodeID {
		return nil, controller.ErrNotController
	}
	e := a.entry(f.Key)
	if e == nil || !e.forward || f.Version < e.serves || f.Version > e.max {
		return nil, &VersionError{f.Key, f.Version}
	}
	call := &Call{Header: Header{Key: f.Key, Version: f.Version}, Client: &Client{Listener: f.Listener}}
	reply, err := e.handle(ctx, a, call, f.Body)
	if err != nil {
		return nil, err
	}
	answer, ok := reply.(message)
	if !ok {
		return nil, fmt.Errorf("%s cannot be forwarded", keyName(f.Key))
	}
	return &peers.Forwarded{Index: a.image().Index(), Body: answer.resp.AppendTo(nil)}, nil
}

// ask sends a request of this node's own to the controller, wherever that is.
func (a *API) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	call := &Call{Header: Header{Key: req.Key(), Version: req.GetVersion()}, Client: &Client{}}
	body, err := a.toController(ctx, call, req.AppendTo(nil))
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	return resp, resp.ReadFrom(body)
}

// CreateTopics is Controller.CreateTopics on whichever node that is.
func (a *API) CreateTopics(ctx context.Context, topics []controller.NewTopic, validateOnly bool) ([]controller.CreatedTopic, error) {
	if a.leads() {
		return a.cfg.Controller.CreateTopics(ctx, topics, validateOnly)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.ValidateOnly, req.TimeoutMillis = 7, validateOnly, int32(forwardTimeout/time.Millisecond)
	for _, t := range topics {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Name, t.Partitions, t.ReplicationFactor
		for _, c := range t.Configs {
			rc := kmsg.NewCreateTopicsRequestTopicConfig()
			rc.Name, rc.Value = c.Name, c.Value
			rt.Configs = append(rt.Configs, rc)
		}
		req.Topics = append(req.Topics, rt)
	}
	answer, err := a.ask(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", controller.ErrNotController, err)
	}
	var created []controller.CreatedTopic
	resp := answer.(*kmsg.CreateTopicsResponse)
	for i := range resp.Topics {
		t := &resp.Topics[i]
		made := controller.CreatedTopic{Name: t.Topic, ID: t.TopicID, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor}
		if t.ErrorCode != 0 {
			made.Err = remoteError(t.ErrorCode, t.ErrorMessage)
		}
		created = append(created, made)
	}
	return created, nil
}

// remoteError is an error that another node answered with.
func remoteError(code int16, text *string) error {
	err := kerr.ErrorForCode(code)
	for _, c := range codes {
		if c.code.Code == code {
			err = c.is
			break
		}
	}
	if text == nil {
		return &metadata.Error{Kind: err}
	}
	return &metadata.Error{Kind: err, Message: *text}
}

// allocateProducerIDs is Controller.AllocateProducerIDs on whichever node that is.
func (a *API) allocateProducerIDs(ctx context.Context) (controller.ProducerIDs, error) {
	if a.leads() {
		return a.cfg.Controller.AllocateProducerIDs(ctx)
	}
	epoch, _ := a.cfg.Controller.Registered()
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = int32(a.cfg.NodeID), epoch
	answer, err := a.ask(ctx, req)
	if err != nil {
		return controller.ProducerIDs{}, fmt.Errorf("%w: %w", controller.ErrNotController, err)
	}
	resp := answer.(*kmsg.AllocateProducerIDsResponse)
	return controller.ProducerIDs{First: resp.ProducerIDStart, Count: resp.ProducerIDLen}, kerr.ErrorForCode(resp.ErrorCode)
}
