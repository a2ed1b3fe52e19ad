package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type route struct {
	method, path string
	handle       gin.HandlerFunc
}

func (s *Server) routes() []route {
	const (
		connector = "/connectors/:name"
		task      = connector + "/tasks/:task"
		plugin    = "/connector-plugins/:plugin/config"
	)
	routes := []route{
		{http.MethodGet, "/", s.getRoot},
		{http.MethodGet, "/health", s.getHealth},

		{http.MethodGet, "/connectors", s.getConnectors},
		{http.MethodPost, "/connectors", s.createConnector},
		{http.MethodGet, connector, s.getConnector},
		{http.MethodDelete, connector, s.deleteConnector},
		{http.MethodGet, connector + "/config", s.getConfig},
		{http.MethodPut, connector + "/config", s.putConfig},
		{http.MethodPatch, connector + "/config", s.patchConfig},
		{http.MethodGet, connector + "/status", s.getStatus},
		{http.MethodPut, connector + "/pause", s.pause},
		{http.MethodPut, connector + "/resume", s.resume},
		{http.MethodPut, connector + "/stop", s.stop},
		{http.MethodPost, connector + "/restart", s.restart},
		{http.MethodGet, connector + "/topics", s.getTopics},
		{http.MethodPut, connector + "/topics/reset", s.resetTopics},

		{http.MethodGet, connector + "/tasks", s.getTasks},
		{http.MethodPost, connector + "/tasks", s.putTaskConfigs},
		{http.MethodGet, task + "/status", s.getTaskStatus},
		{http.MethodPost, task + "/restart", s.restartTask},
		{http.MethodPut, connector + "/fence", s.fence},

		{http.MethodGet, connector + "/offsets", s.getOffsets},
		{http.MethodPatch, connector + "/offsets", s.alterOffsets},
		{http.MethodDelete, connector + "/offsets", s.resetOffsets},

		{http.MethodGet, "/connector-plugins", s.getPlugins},
		{http.MethodGet, plugin, s.getPluginConfig},
		{http.MethodPut, plugin + "/validate", s.validate},
	}
	return routes
}

func (s *Server) adminRoutes() []route {
	return []route{
		{http.MethodGet, "/admin/loggers", s.getLoggers},
		{http.MethodGet, "/admin/loggers/:logger", s.getLogger},
		{http.MethodPut, "/admin/loggers/:logger", s.setLogger},
	}
}

// engine gives every path its HEAD and OPTIONS beside the routes' own methods.
func (s *Server) engine(routes []route) *gin.Engine {
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	e.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, reason any) {
		s.log.Error("REST handler panicked", "method", c.Request.Method, "path", c.Request.URL.Path, "reason", reason)
		s.fail(c, &apiError{http.StatusInternalServerError, "Internal error; the worker's log says more"})
	}))
	e.NoRoute(func(c *gin.Context) { s.fail(c, errNotFound) })
	e.NoMethod(func(c *gin.Context) { s.fail(c, errMethod) })
	methods := make(map[string][]string)
	for _, r := range routes {
		e.Handle(r.method, r.path, s.negotiate, r.handle)
		methods[r.path] = append(methods[r.path], r.method)
		if r.method == http.MethodGet {
			e.HEAD(r.path, s.negotiate, r.handle)
			methods[r.path] = append(methods[r.path], http.MethodHead)
		}
	}
	for path, list := range methods {
		list = append(list, http.MethodOptions)
		slices.Sort(list)
		e.OPTIONS(path, func(c *gin.Context) { s.options(c, strings.Join(list, ",")) })
	}
	if s.metrics != nil && methods["/"] != nil {
		e.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})))
	}
	return e
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
	return context.WithTimeout(c.Request.Context(), s.config.RequestTimeout)
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
