package schemaregistry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// The formats of schemas, as a registry calls them.
const (
	Avro     = "AVRO"
	JSON     = "JSON"
	Protobuf = "PROTOBUF"
)

const (
	contentType = "application/vnd.schemaregistry.v1+json"
	// maxAnswer bounds what is read of one answer.
	maxAnswer = 16 << 20
)

// A Reference names a schema of another subject that a schema uses.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// A Schema is a schema as a registry keeps it.
type Schema struct {
	Type       string      `json:"schemaType,omitempty"` // empty is Avro
	Text       string      `json:"schema"`
	References []Reference `json:"references,omitempty"`
}

// A Registered is a schema with its place in the registry. Version is 0 if it is not known.
type Registered struct {
	Schema
	Subject string `json:"subject"`
	Version int32  `json:"version"`
	ID      int32  `json:"id"`
}

// An APIError is a registry's refusal.
type APIError struct {
	Status  int    `json:"-"`
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *APIError) Error() string {
	return fmt.Sprintf("schema registry answered %d: %s (error code %d)", e.Status, e.Message, e.Code)
}

// retriable reports whether the answer may be another one later, or from another registry.
func (e *APIError) retriable() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
}

// notFound reports whether err says that a subject, version or schema does not exist.
func notFound(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// A Client talks to a registry at one or more URLs: the one that answered last is asked first, the next when it does not
// answer. Errors that may pass are a *connectors.RetriableError, others a *connectors.DataError. It is used by one goroutine
// at a time.
type Client struct {
	config Config
	http   *http.Client
	first  int // index of the URL that answered last
}

// NewClient returns a client; it connects to nothing yet.
func NewClient(config Config) *Client {
	return &Client{config: config, http: &http.Client{
		Transport: config.transport(),
		Timeout:   config.ConnectTimeout + config.ReadTimeout,
	}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Register registers schema under subject, unless it is there already, and returns its id.
func (c *Client) Register(subject string, schema Schema, normalize bool) (Registered, error) {
	var answer Registered
	err := c.call(http.MethodPost, "/subjects/"+url.PathEscape(subject)+"/versions"+normalized(normalize), schema, &answer)
	answer.Schema, answer.Subject = schema, subject
	return answer, wrap("register a schema under subject "+subject, err)
}

// Lookup returns the id and version of schema under subject.
func (c *Client) Lookup(subject string, schema Schema, normalize bool) (Registered, error) {
	var answer Registered
	err := c.call(http.MethodPost, "/subjects/"+url.PathEscape(subject)+normalized(normalize), schema, &answer)
	return answer, wrap("look up a schema under subject "+subject, err)
}

// ByVersion returns a version of a subject's schemas, the latest if version is 0.
func (c *Client) ByVersion(subject string, version int) (Registered, error) {
	text := "latest"
	if version > 0 {
		text = strconv.Itoa(version)
	}
	var answer Registered
	err := c.call(http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/versions/"+text, nil, &answer)
	return answer, wrap("read version "+text+" of subject "+subject, err)
}

// ByID returns the schema with an id; subject may be empty.
func (c *Client) ByID(id int32, subject string) (Schema, error) {
	path := "/schemas/ids/" + strconv.Itoa(int(id)) + "?fetchMaxId=false"
	if subject != "" {
		path += "&subject=" + url.QueryEscape(subject)
	}
	var answer Schema
	err := c.call(http.MethodGet, path, nil, &answer)
	return answer, wrap(fmt.Sprintf("read schema %d", id), err)
}

func normalized(normalize bool) string {
	return "?normalize=" + strconv.FormatBool(normalize)
}

// wrap sorts an error into those that may pass and those that do not.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	var api *APIError
	if errors.As(err, &api) && !api.retriable() {
		return &connectors.DataError{Msg: "cannot " + doing, Cause: err}
	}
	return &connectors.RetriableError{Err: fmt.Errorf("cannot %s: %w", doing, err)}
}

// call sends one request, to every URL in turn and again after a while, until one answers.
func (c *Client) call(method, path string, body, answer any) error {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return err
		}
	}
	wait := c.config.RetryWait
	for attempt := 0; ; attempt++ {
		err := c.tryAll(method, path, payload, answer)
		var api *APIError
		if err == nil || errors.As(err, &api) && !api.retriable() || attempt >= c.config.MaxRetries {
			return err
		}
		time.Sleep(wait/2 + rand.N(wait/2+1)) //nolint:gosec // jitter
		wait = min(2*wait, c.config.RetryMaxWait)
	}
}

func (c *Client) tryAll(method, path string, payload []byte, answer any) error {
	var errs []error
	for i := range c.config.URLs {
		n := (c.first + i) % len(c.config.URLs)
		err := c.send(c.config.URLs[n], method, path, payload, answer)
		var api *APIError
		if err == nil || errors.As(err, &api) && !api.retriable() {
			c.first = n
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Client) send(base Endpoint, method, path string, payload []byte, answer any) error {
	request, err := http.NewRequestWithContext(context.Background(), method, base.URL+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", contentType+", application/vnd.schemaregistry+json, application/json")
	if payload != nil {
		request.Header.Set("Content-Type", contentType)
	}
	for name, value := range c.config.Headers {
		request.Header.Set(name, value)
	}
	c.config.authorize(request, base)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: read the answer: %w", base.URL, err)
	case response.StatusCode/100 != 2:
		return refusal(response.StatusCode, data)
	case len(data) > maxAnswer:
		return &APIError{Status: http.StatusBadRequest, Message: fmt.Sprintf("the answer has more than %d bytes", maxAnswer)}
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s: %s is no schema registry: the answer is no JSON: %w", base.URL, path, err)
	}
	return nil
}

// refusal reads an error answer, which may come from a proxy and be anything.
func refusal(status int, data []byte) error {
	e := &APIError{}
	if json.Unmarshal(data, e) != nil || e.Message == "" {
		const most = 200
		text := strings.TrimSpace(string(data))
		if len(text) > most {
			text = text[:most]
		}
		e = &APIError{Code: status, Message: strconv.Quote(text)}
	}
	e.Status = status
	return e
}
