package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"millrace/runtime"
)

// engine gives every path its HEAD and OPTIONS beside the routes' own methods.
func (s *Server) engine(routes []route, credentials bool) *gin.Engine {
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	e.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, reason any) {
		s.log.Error("REST handler panicked", "method", c.Request.Method, "path", c.Request.URL.Path, "reason", reason)
		s.fail(c, &apiError{http.StatusInternalServerError, "Internal error; the worker's log says more"})
	}))
	e.NoRoute(func(c *gin.Context) { s.fail(c, errNotFound) })
	e.NoMethod(func(c *gin.Context) { s.fail(c, errMethod) })
	var before []gin.HandlerFunc
	if credentials {
		before = append(before, s.authenticate)
	}
	methods := make(map[string][]string)
	for _, r := range routes {
		chain := s.chain(r, credentials)
		e.Handle(r.method, r.path, chain...)
		methods[r.path] = append(methods[r.path], r.method)
		if r.method == http.MethodGet {
			e.HEAD(r.path, chain...)
			methods[r.path] = append(methods[r.path], http.MethodHead)
		}
	}
	for path, list := range methods {
		list = append(list, http.MethodOptions)
		slices.Sort(list)
		allow := strings.Join(list, ",")
		e.OPTIONS(path, append(before[:len(before):len(before)], func(c *gin.Context) { s.options(c, allow) })...)
	}
	return e
}

// chain is what a request to r passes.
func (s *Server) chain(r route, credentials bool) []gin.HandlerFunc {
	var chain []gin.HandlerFunc
	if !r.about.plain {
		chain = append(chain, s.negotiate)
	}
	if credentials && !r.about.internal {
		chain = append(chain, s.authenticate)
	}
	return append(chain, r.handle)
}

// options names the methods of a path, in a body too if the client takes plain text.
func (s *Server) options(c *gin.Context, allow string) {
	c.Header("Allow", allow)
	if accepts(c.Request.Header["Accept"], "text/plain") {
		c.Data(http.StatusOK, "text/plain", []byte(allow))
		return
	}
	c.Data(http.StatusOK, mediaJSON, nil)
}

// herderContext bounds a call to the Herder.
func (s *Server) herderContext(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(runtime.WithCaller(c.Request.Context(), caller(c)), s.config.RequestTimeout)
}

// param returns a part of the path, decoded. routePath has checked it.
func param(c *gin.Context, name string) string {
	decoded, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return c.Param(name)
	}
	return decoded
}

// flag reads a boolean query as Connect does: true in any case is true, all else false, nothing the default; the first counts.
func flag(c *gin.Context, name string, byDefault bool) bool {
	v := c.Query(name)
	if v == "" {
		return byDefault
	}
	return strings.EqualFold(v, "true")
}

// taskNumber reads a task id; what is no int32 is no resource.
func taskNumber(c *gin.Context) (int, error) {
	n, err := strconv.ParseInt(param(c, "task"), 10, 32)
	if err != nil {
		return 0, errNotFound
	}
	return int(n), nil
}
