package rest

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

const mediaJSON = "application/json"

// negotiate refuses what a route does not take (415) or cannot give (406), in this order, before the body is looked at. A
// Content-Type counts on every route, also on those that read no body. A type like application/* passes here and is refused by
// readJSON, as with Connect.
func (s *Server) negotiate(c *gin.Context) {
	if kinds, set := c.Request.Header["Content-Type"]; set {
		kind, ok := mediaType(kinds)
		if !ok { // not a media type at all: Connect's server answers by itself, without a body
			c.Abort()
			s.done(c, http.StatusBadRequest, nil)
			return
		}
		if kind != mediaJSON && kind != "application/*" && kind != "*/*" {
			s.fail(c, errMediaType)
			return
		}
	}
	if !accepts(c.Request.Header["Accept"], mediaJSON) {
		s.fail(c, errNotAcceptable)
	}
}

// mediaType reads a Content-Type: type/subtype in lower case.
func mediaType(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	kind, _, _ := strings.Cut(values[0], ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	major, minor, ok := strings.Cut(kind, "/")
	return kind, ok && isToken(major) && isToken(minor)
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, r)
	})
}

// accepts reports whether the Accept headers allow kind; no header allows everything.
func accepts(headers []string, kind string) bool {
	if len(headers) == 0 {
		return true
	}
	major, _, _ := strings.Cut(kind, "/")
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			accepted, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			if q, set := params["q"]; set {
				if weight, err := strconv.ParseFloat(q, 64); err != nil || weight <= 0 {
					continue
				}
			}
			if accepted == kind || accepted == major+"/*" || accepted == "*/*" {
				return true
			}
		}
	}
	return false
}
