package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"millrace/runtime"
)

// An apiError is an answer that this package decides on by itself.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

var (
	errNotFound      = &apiError{http.StatusNotFound, "HTTP 404 Not Found"}
	errMethod        = &apiError{http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed"}
	errNotAcceptable = &apiError{http.StatusNotAcceptable, "HTTP 406 Not Acceptable"}
	errMediaType     = &apiError{http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type"}
)

// errorBody is what every error answer looks like.
type errorBody struct {
	ErrorCode int    `json:"error_code"`
	Message   string `json:"message"`
}

// statusOf is the one place where errors become statuses.
func statusOf(err error) (status int, message string) {
	var own *apiError
	var herder *runtime.Error
	switch {
	case errors.As(err, &own):
		return own.status, own.message
	case errors.As(err, &herder) && herder.Kind >= 400 && herder.Kind <= 599:
		return int(herder.Kind), herder.Message
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusInternalServerError, "Request timed out"
	case errors.Is(err, context.Canceled):
		return http.StatusInternalServerError, "Request interrupted"
	}
	return http.StatusInternalServerError, err.Error()
}

// fail answers with err.
func (s *Server) fail(c *gin.Context, err error) {
	status, message := statusOf(err)
	var own *apiError
	if status >= http.StatusInternalServerError && !errors.As(err, &own) { // a malformed body is a 500 too, but no trouble of ours
		s.log.Warn("REST request failed", "method", c.Request.Method, "path", c.Request.URL.Path, "status", status, "err", message)
	}
	c.Abort()
	s.answer(c, status, errorBody{status, message})
}

// answer writes v as JSON.
func (s *Server) answer(c *gin.Context, status int, v any) {
	body, err := marshal(v)
	if err != nil { // an entity that cannot be written is a mistake of ours; say so rather than send half of it
		s.log.Error("answer cannot be written as JSON", "path", c.Request.URL.Path, "err", err)
		status, body = http.StatusInternalServerError, []byte(`{"error_code":500,"message":"The answer cannot be written as JSON; the worker's log says why"}`)
	}
	c.Data(status, mediaJSON, body)
}

// marshal is json.Marshal without its escapes for HTML: <, > and & stay as they are, as in Connect's answers.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// send answers with v, or with err if there is one.
func (s *Server) send(c *gin.Context, status int, v any, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answer(c, status, v)
}

// done answers without a body, or with err if there is one.
func (s *Server) done(c *gin.Context, status int, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(status)
	c.Writer.WriteHeaderNow()
}
