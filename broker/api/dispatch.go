package api

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Client is one connection as the handlers see it. Only the goroutine that dispatches the connection's requests uses it.
type Client struct {
	// Listener is the name of the listener the connection came in on; its advertised address goes into the answers.
	Listener string
	// Host is the client's address without the port.
	Host string
	// SoftwareName and SoftwareVersion are what the client said in ApiVersions v3 or above, else empty.
	SoftwareName, SoftwareVersion string

	lastClientID string
	// brokerEpoch is that of the broker whose heartbeats come on this connection.
	brokerEpoch int64
}

// Call is one request's surroundings.
type Call struct {
	Header
	Client *Client
}

// Now returns resp as the answer to c.
func (c *Call) Now(resp kmsg.Response) Reply { return message{c.CorrelationID, resp} }

// VersionError says that a request's key, or that key's version, is not served. The connection must be closed: no answer
// could be understood.
type VersionError struct{ Key, Version int16 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s (key %d) version %d is not served", keyName(e.Key), e.Key, e.Version)
}

// errNotAnswerable comes back for a request that failed but has no answer (acks=0): closing is the only sign the client gets.
var errNotAnswerable = errors.New("request without an answer failed")

// PeekKey returns the API key of a frame from its first two bytes.
func PeekKey(frame []byte) (key int16, ok bool) {
	if len(frame) < 2 {
		return 0, false
	}
	return int16(binary.BigEndian.Uint16(frame)), true
}

// Pipelines reports whether requests of this key may begin while earlier ones of the same kind are unanswered. It is also
// what says that the request's frame is not used after Dispatch has returned. Both hold for Produce alone.
func Pipelines(key int16) bool { return key == int16(kmsg.Produce) }

// Dispatch starts the request in frame and returns its answer. It must be called with the frames of a connection in order,
// one at a time; ctx ends with the connection. An error means that there can be no answer and the connection must be closed.
//
// The frame of a request that Pipelines may be reused when Dispatch returns; all others belong to the request.
func (a *API) Dispatch(ctx context.Context, c *Client, frame []byte) (Reply, error) {
	call := &Call{Client: c}
	var body []byte
	var err error
	if call.Header, body, err = parseHeader(frame, c.lastClientID, a.flexibleHeader); err != nil {
		return nil, err
	}
	c.lastClientID = call.ClientID
	e := a.entry(call.Key)
	switch {
	case e == nil:
		return nil, &VersionError{call.Key, call.Version}
	case call.Version < e.serves || call.Version > e.max:
		if call.Key == int16(kmsg.ApiVersions) {
			return call.Now(a.apiVersionsDowngrade()), nil
		}
		return nil, &VersionError{call.Key, call.Version}
	}
	a.metrics.requests[call.Key].Inc()
	handle := e.handle
	if e.forward && !a.leads() {
		handle = func(ctx context.Context, a *API, c *Call, body []byte) (Reply, error) { return a.forward(ctx, c, body) }
	}
	reply, err := handle(ctx, a, call, body)
	if err != nil {
		return nil, fmt.Errorf("%s version %d: %w", keyName(call.Key), call.Version, err)
	}
	return reply, nil
}

// flexibleHeader implements the rule of KIP-482 that a request's header has tagged fields if its body does.
func (a *API) flexibleHeader(key, version int16) bool {
	e := a.entry(key)
	return e != nil && e.flexible >= 0 && version >= e.flexible && version <= e.max
}

func keyName(key int16) string {
	if name := kmsg.NameForKey(key); name != "" {
		return name
	}
	return "unknown"
}

// handler decodes and runs one request.
type handler func(ctx context.Context, a *API, c *Call, body []byte) (Reply, error)

// now adapts a function that has its answer when it returns.
func now[Q any, P interface {
	*Q
	kmsg.Request
}](h func(a *API, ctx context.Context, c *Call, req P) kmsg.Response) handler {
	return func(ctx context.Context, a *API, c *Call, body []byte) (Reply, error) {
		req := P(new(Q))
		req.SetVersion(c.Version)
		if err := req.ReadFrom(body); err != nil {
			return nil, err
		}
		return c.Now(h(a, ctx, c, req)), nil
	}
}

// later adapts a function whose answer may have to wait.
func later[Q any, P interface {
	*Q
	kmsg.Request
}](h func(a *API, ctx context.Context, c *Call, req P) Reply) handler {
	return func(ctx context.Context, a *API, c *Call, body []byte) (Reply, error) {
		req := P(new(Q))
		req.SetVersion(c.Version)
		if err := req.ReadFrom(body); err != nil {
			return nil, err
		}
		return h(a, ctx, c, req), nil
	}
}
