package restclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Client calls one worker. HTTP is http.DefaultClient when nil. User and Password are sent if there is a User.
type Client struct {
	URL            string
	User, Password string
	HTTP           *http.Client
}

// An Error is an answer with a status of 400 or more.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// A ConnectionError is a worker that does not answer.
type ConnectionError struct {
	URL string
	Err error
}

func (e *ConnectionError) Error() string {
	return fmt.Sprintf("no worker answers at %s: %v", withoutPassword(e.URL), e.Err)
}

func (e *ConnectionError) Unwrap() error { return e.Err }

func withoutPassword(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return address
}

// Path joins elements to a path of the API, each escaped.
func Path(elements ...string) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteString("/" + url.PathEscape(e))
	}
	return b.String()
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Do sends a request; body, if not nil, as JSON. It returns the answer's body; errors are *Error or *ConnectionError.
func (c *Client) Do(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(data)
	}
	base := strings.TrimSuffix(c.URL, "/")
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, in)
	if err != nil {
		return nil, &ConnectionError{URL: c.URL, Err: err}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if c.User != "" {
		req.SetBasicAuth(c.User, c.Password)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, &ConnectionError{URL: c.URL, Err: err}
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &ConnectionError{URL: c.URL, Err: err}
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, refusal(resp, answer)
	}
	return answer, nil
}

// Get decodes the answer of a GET into a value.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	answer, err := c.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("GET %s: the answer is not what a worker says: %w", path, err)
	}
	return nil
}

func refusal(resp *http.Response, answer []byte) error {
	var body struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &body); err != nil || body.Message == "" {
		body.Message = "the worker answered " + resp.Status
		if text := strings.TrimSpace(string(answer)); text != "" && len(text) < 200 && !strings.ContainsAny(text, "<{") {
			body.Message += ": " + text
		}
	}
	return &Error{Status: resp.StatusCode, Message: body.Message}
}
