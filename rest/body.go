package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"millrace/connectors"
)

// Bodies are read with the strictness of Connect's JSON library: the last of repeated members counts, members that nobody
// knows are an error, a byte order mark is accepted, text after the value is not. All these errors are a 500, as there.

func malformed(format string, args ...any) error {
	return &apiError{http.StatusInternalServerError, fmt.Sprintf(format, args...)}
}

// readJSON returns the value of the body: nil, bool, json.Number, string, []any or map[string]any. An empty body is nil, like
// null. A body without a Content-Type is a 415.
func (s *Server) readJSON(c *gin.Context) (any, error) {
	body, err := s.readBody(c)
	if err != nil {
		return nil, err
	}
	return jsonBody(c, body)
}

func jsonBody(c *gin.Context, body []byte) (any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if kind, ok := mediaType(c.Request.Header["Content-Type"]); !ok || kind != mediaJSON {
		return nil, errMediaType
	}
	return decodeJSON(body)
}

func (s *Server) readBody(c *gin.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, s.config.MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &apiError{http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The body of the request is larger than %d bytes, the most that is accepted", s.config.MaxBody)}
	}
	return body, err
}

func decodeJSON(body []byte) (any, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, malformed("The body is not valid JSON: it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) { // blanks only
			return nil, nil
		}
		return nil, malformed("The body is not valid JSON: %s (at byte %d)", strings.TrimPrefix(err.Error(), "json: "), d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("The body has more text after its JSON value (at byte %d)", d.InputOffset())
	}
	return v, nil
}

// object returns v as an object that has no other members than those allowed. what names it in errors.
func object(v any, what string, allowed ...string) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, malformed("%s must be a JSON object, not %s", what, kindOf(v))
	}
	if len(allowed) == 0 {
		return m, nil
	}
	for name := range m {
		if !contains(allowed, name) {
			return nil, malformed("%s has the member %q, which is not known; known members are %s", what, name, strings.Join(allowed, ", "))
		}
	}
	return m, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// text returns a scalar as text; null is nil.
func text(v any, what string) (*string, error) {
	var s string
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		s = v
	case json.Number:
		s = v.String()
	case bool:
		s = fmt.Sprint(v)
	default:
		return nil, malformed("%s must be a text, a number, true, false or null, not %s", what, kindOf(v))
	}
	return &s, nil
}

// rawConfig returns an object of scalars as a configuration.
func rawConfig(v any, what string) (connectors.RawConfig, error) {
	m, err := object(v, what)
	if err != nil {
		return nil, err
	}
	config := make(connectors.RawConfig, len(m))
	for name, v := range m {
		if config[name], err = text(v, fmt.Sprintf("%s member %q", what, name)); err != nil {
			return nil, err
		}
	}
	return config, nil
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "an array"
	}
	return "an object"
}
