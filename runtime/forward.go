package runtime

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/plugins/sslconfig"
	"millrace/runtime/assign"
	"millrace/runtime/membership"
)

// A Caller is what a request has that goes on to another worker with it.
type Caller struct {
	// Authorization is the header of that name.
	Authorization string
	// Forward is whether the request may be forwarded; nil: it is a user's.
	Forward *bool
}

type callerKey struct{}

// WithCaller returns a context for a request's calls of the Herder.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// forwarding is the Herder of one of several workers: what only the leader may do, or only the worker that runs something, goes there.
// During a round of the group it waits.
type forwarding struct {
	Herder
	h      *herder
	client *http.Client
}

var _ Herder = forwarding{}

func newForwarding(inner Herder, h *herder) (forwarding, error) {
	f := forwarding{Herder: inner, h: h, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var config *tls.Config
	if strings.HasPrefix(h.cfg.URL(), "https:") {
		props := withPrefix(h.cfg.Properties, "listeners.https.")
		if len(props) == 0 {
			props = h.cfg.Properties
		}
		var err error
		if config, err = sslconfig.Client(props); err != nil {
			return f, err
		}
	}
	f.client.Transport = &http.Transport{TLSClientConfig: config, IdleConnTimeout: 30 * time.Second, DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext}
	return f, nil
}

// Kafka Connect's texts for what is not to be had during a rebalance. Workers of ours try again when they are told so.
const (
	noLeader = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
	conflict = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
	stale    = "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"
)

// A call is a request to another worker.
type call struct {
	method string
	// path are the parts behind the worker's address, to be escaped.
	path  []string
	query url.Values
	body  any
	// into is what an answer is read into; nil for none.
	into any
	// signed: the request is one between workers.
	signed bool
}

// retryPause is between calls of a worker that does not answer or is in a round.
const retryPause = 200 * time.Millisecond

// lead does here if this worker leads, otherwise c at the leader, as soon as there is one.
func (f forwarding) lead(ctx context.Context, c call, here func(context.Context) error) (status int, err error) {
	return f.at(ctx, c, here, func(a membership.Assignment) (bool, string) { return a.Leader, a.LeaderURL })
}

// at does here, or c at the worker that where names.
func (f forwarding) at(ctx context.Context, c call, here func(context.Context) error, where func(membership.Assignment) (mine bool, address string)) (status int, err error) {
	for {
		a, changed, writing, done, err := f.h.turns.now(ctx)
		if err != nil {
			return 0, err
		}
		mine, address := where(a)
		if mine {
			if err = here(writing); err != nil && errors.Is(context.Cause(writing), errLostLead) {
				err = errLostLead
			}
			done()
			return 0, err
		}
		done()
		again := true
		caller := callerOf(ctx)
		switch {
		case caller.Forward != nil && !*caller.Forward:
			return 0, Errorf(KindConflict, conflict)
		case address == "":
		default:
			status, again, err = f.send(ctx, c, address, caller)
		}
		if !again {
			return status, err
		}
		if err != nil {
			f.h.log.Debug("another worker cannot take a request, trying again", "url", address, "err", err)
		}
		timer := time.NewTimer(retryPause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			if err != nil {
				return 0, err
			}
			return 0, Errorf(KindConflict, noLeader)
		}
	}
}

// send makes a request. again is true if nothing was done and it may be sent again.
func (f forwarding) send(ctx context.Context, c call, address string, caller Caller) (status int, again bool, err error) {
	var body []byte
	if c.body != nil {
		if body, err = json.Marshal(c.body); err != nil {
			return 0, false, err
		}
	}
	target := strings.TrimSuffix(address, "/")
	for _, p := range c.path {
		target += "/" + url.PathEscape(p)
	}
	query := url.Values{}
	for k, v := range c.query {
		query[k] = v
	}
	if !c.signed {
		query.Set("forward", strconv.FormatBool(caller.Forward == nil))
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return 0, false, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "kafka-connect")
	if caller.Authorization != "" {
		req.Header.Set("Authorization", caller.Authorization)
	}
	if c.signed {
		k := f.h.configs.SessionKey()
		if k == nil {
			return 0, true, errors.New("there is no session key yet")
		}
		if err := sign(req.Header, k, f.h.cfg.Values.String("inter.worker.signature.algorithm"), body); err != nil {
			return 0, false, err
		}
	}
	resp, err := f.client.Do(req)
	if err != nil {
		var op *net.OpError
		refused := errors.As(err, &op) && op.Op == "dial"
		return 0, refused && ctx.Err() == nil, Errorf(KindInternal, "IO Error trying to forward REST request: %s", err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, false, Errorf(KindInternal, "IO Error trying to forward REST request: %s", err)
	}
	return f.answered(c, resp.StatusCode, answer)
}

// maxAnswer bounds what another worker may answer.
const maxAnswer = 64 << 20

func (f forwarding) answered(c call, status int, body []byte) (_ int, again bool, err error) {
	switch {
	case status >= 400:
		var told struct {
			Message string `json:"message"`
		}
		if err := json.Unmarshal(body, &told); err != nil || told.Message == "" {
			told.Message = strings.TrimSpace(string(body))
		}
		again := status == http.StatusConflict && (told.Message == noLeader || told.Message == conflict || told.Message == stale) ||
			c.signed && (status == http.StatusForbidden || status == http.StatusServiceUnavailable) // a key that is not everywhere yet
		return status, again, &Error{ErrorKind(status), told.Message}
	case status >= 300:
		return status, false, Errorf(KindInternal, "Unexpected status code when handling forwarded request: %d", status)
	case c.into != nil && len(body) > 0:
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(c.into); err != nil {
			return status, false, fmt.Errorf("the answer to a forwarded request cannot be read: %w", err)
		}
	}
	return status, false, nil
}

// CreateConnector implements Herder.
func (f forwarding) CreateConnector(ctx context.Context, name string, config connectors.RawConfig, initial TargetState) (info ConnectorInfo, err error) {
	body := map[string]any{"name": name, "config": config}
	if initial != "" {
		body["initial_state"] = map[TargetState]string{TargetStarted: "RUNNING", TargetPaused: "PAUSED", TargetStopped: "STOPPED"}[initial]
	}
	_, err = f.lead(ctx, call{method: http.MethodPost, path: []string{"connectors"}, body: body, into: &info}, func(ctx context.Context) (err error) {
		info, err = f.Herder.CreateConnector(ctx, name, config, initial)
		return err
	})
	return info, err
}

// PutConfig implements Herder.
func (f forwarding) PutConfig(ctx context.Context, name string, config connectors.RawConfig) (info ConnectorInfo, created bool, err error) {
	status, err := f.lead(ctx, call{method: http.MethodPut, path: []string{"connectors", name, "config"}, body: config, into: &info}, func(ctx context.Context) (err error) {
		info, created, err = f.Herder.PutConfig(ctx, name, config)
		return err
	})
	return info, created || status == http.StatusCreated, err
}

// PatchConfig implements Herder.
func (f forwarding) PatchConfig(ctx context.Context, name string, patch connectors.RawConfig) (info ConnectorInfo, err error) {
	_, err = f.lead(ctx, call{method: http.MethodPatch, path: []string{"connectors", name, "config"}, body: patch, into: &info}, func(ctx context.Context) (err error) {
		info, err = f.Herder.PatchConfig(ctx, name, patch)
		return err
	})
	return info, err
}

// DeleteConnector implements Herder.
func (f forwarding) DeleteConnector(ctx context.Context, name string) error {
	_, err := f.lead(ctx, call{method: http.MethodDelete, path: []string{"connectors", name}}, func(ctx context.Context) error {
		return f.Herder.DeleteConnector(ctx, name)
	})
	return err
}

// Stop implements Herder.
func (f forwarding) Stop(ctx context.Context, name string) error {
	_, err := f.lead(ctx, call{method: http.MethodPut, path: []string{"connectors", name, "stop"}}, func(ctx context.Context) error {
		return f.Herder.Stop(ctx, name)
	})
	return err
}

// AlterOffsets implements Herder.
func (f forwarding) AlterOffsets(ctx context.Context, name string, offsets []ConnectorOffset) (string, error) {
	return f.offsets(ctx, call{method: http.MethodPatch, body: map[string]any{"offsets": offsets}}, name, func(ctx context.Context) (string, error) {
		return f.Herder.AlterOffsets(ctx, name, offsets)
	})
}

// ResetOffsets implements Herder.
func (f forwarding) ResetOffsets(ctx context.Context, name string) (string, error) {
	return f.offsets(ctx, call{method: http.MethodDelete}, name, func(ctx context.Context) (string, error) { return f.Herder.ResetOffsets(ctx, name) })
}

func (f forwarding) offsets(ctx context.Context, c call, name string, here func(context.Context) (string, error)) (string, error) {
	var answer struct {
		Message string `json:"message"`
	}
	c.path, c.into = []string{"connectors", name, "offsets"}, &answer
	_, err := f.lead(ctx, c, func(ctx context.Context) (err error) {
		answer.Message, err = here(ctx)
		return err
	})
	return answer.Message, err
}

// RestartPlan implements Herder.
func (f forwarding) RestartPlan(ctx context.Context, r RestartRequest) (status ConnectorStatus, err error) {
	var told statusJSON
	query := url.Values{"includeTasks": {strconv.FormatBool(r.IncludeTasks)}, "onlyFailed": {strconv.FormatBool(r.OnlyFailed)}}
	code, err := f.lead(ctx, call{method: http.MethodPost, path: []string{"connectors", r.Connector, "restart"}, query: query, into: &told}, func(ctx context.Context) (err error) {
		status, err = f.Herder.RestartPlan(ctx, r)
		return err
	})
	if code != 0 && err == nil {
		status = told.status()
	}
	return status, err
}

// Restart implements Herder: where the connector runs.
func (f forwarding) Restart(ctx context.Context, name string) error {
	if _, err := f.h.stored(ctx, name, unknownConnector); err != nil {
		return err
	}
	c := call{method: http.MethodPost, path: []string{"connectors", name, "restart"}}
	return f.owner(ctx, c, assign.Task{Connector: name, ID: itself}, func(ctx context.Context) error { return f.Herder.Restart(ctx, name) })
}

// RestartTask implements Herder: where the task runs.
func (f forwarding) RestartTask(ctx context.Context, id TaskID) error {
	stored, err := f.h.stored(ctx, id.Connector, unknownConnector)
	if err != nil {
		return err
	}
	if id.Task < 0 || id.Task >= len(stored.Tasks) {
		return Errorf(KindNotFound, "Unknown task: %s", id)
	}
	c := call{method: http.MethodPost, path: []string{"connectors", id.Connector, "tasks", strconv.Itoa(id.Task), "restart"}}
	return f.owner(ctx, c, assign.Task{Connector: id.Connector, ID: id.Task}, func(ctx context.Context) error { return f.Herder.RestartTask(ctx, id) })
}

// owner does here if t runs here, otherwise c at the leader, which knows where.
func (f forwarding) owner(ctx context.Context, c call, t assign.Task, here func(context.Context) error) error {
	owned := false
	_, err := f.at(ctx, c, func(context.Context) error { owned = true; return nil }, func(a membership.Assignment) (bool, string) {
		mine := false
		a.Work.Each(func(own assign.Task) { mine = mine || own == t })
		if mine || !a.Leader {
			return mine, a.LeaderURL
		}
		return false, a.Owners[t]
	})
	if owned {
		// Not as a writer: what the restarted connector writes goes its own way.
		return here(ctx)
	}
	return err
}

// putTasks stores the task configurations of a connector that runs here, through the leader.
func (h *herder) putTasks(ctx context.Context, name string, tasks []connectors.RawConfig) error {
	if h.forward == nil {
		return h.configs.PutTasks(ctx, name, tasks)
	}
	c := call{method: http.MethodPost, path: []string{"connectors", name, "tasks"}, body: tasks, signed: true}
	_, err := h.forward.lead(ctx, c, func(ctx context.Context) error { return h.configs.PutTasks(ctx, name, tasks) })
	return err
}

// Internal is implemented by the herders of Runtime: requests of other workers, signed.
type Internal interface {
	// TakeTasks stores the task configurations that another worker computed; body is what was signed.
	TakeTasks(ctx context.Context, name string, tasks []connectors.RawConfig, header http.Header, body []byte) error
	// Fence ends former tasks of a connector; there are no transactions to fence.
	Fence(ctx context.Context, name string, header http.Header, body []byte) error
}

// TakeTasks implements Internal.
func (h *herder) TakeTasks(ctx context.Context, name string, tasks []connectors.RawConfig, header http.Header, body []byte) error {
	if err := h.checkSignature(header, body); err != nil {
		return err
	}
	a, _, writing, done, err := h.turns.now(ctx)
	if err != nil {
		return err
	}
	defer done()
	if !a.Leader {
		return Errorf(KindConflict, conflict)
	}
	if h.configs.Connector(name) == nil {
		return Errorf(KindNotFound, notFound, name)
	}
	return h.configs.PutTasks(writing, name, tasks)
}

// Fence implements Internal.
func (h *herder) Fence(_ context.Context, _ string, header http.Header, body []byte) error {
	if err := h.checkSignature(header, body); err != nil {
		return err
	}
	return Errorf(KindInternal, "exactly-once source tasks are not supported by this worker")
}

func (f forwarding) TakeTasks(ctx context.Context, name string, tasks []connectors.RawConfig, header http.Header, body []byte) error {
	return f.h.TakeTasks(ctx, name, tasks, header, body)
}

func (f forwarding) Fence(ctx context.Context, name string, header http.Header, body []byte) error {
	return f.h.Fence(ctx, name, header, body)
}

var (
	_ Internal = forwarding{}
	_ Internal = (*herder)(nil)
)
