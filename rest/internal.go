package rest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"millrace/connectors"
	"millrace/runtime"
)

// Requests between the workers of a group, signed with the group's session key, which the herder has.

// internal is the Herder's part for other workers, which checks signatures. A Herder without it has no group.
func (s *Server) internal(c *gin.Context) (runtime.Internal, error) {
	if c.GetHeader(runtime.SignatureHeader) == "" || c.GetHeader(runtime.SignatureAlgorithmHeader) == "" {
		return nil, &apiError{http.StatusBadRequest, "Internal request missing required signature"}
	}
	if h, ok := s.herder.(runtime.Internal); ok {
		return h, nil
	}
	return nil, &apiError{http.StatusInternalServerError, "This worker is alone in its group"}
}

func (s *Server) putTaskConfigs(c *gin.Context) {
	raw, err := s.readBody(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	tasks, err := taskConfigs(c, raw)
	if err != nil {
		s.fail(c, err)
		return
	}
	h, err := s.internal(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusNoContent, h.TakeTasks(ctx, param(c, "name"), tasks, c.Request.Header, raw))
}

func taskConfigs(c *gin.Context, raw []byte) ([]connectors.RawConfig, error) {
	body, err := jsonBody(c, raw)
	if err != nil {
		return nil, err
	}
	list, ok := body.([]any)
	if !ok {
		return nil, malformed("The body must be an array of task configurations, not %s", kindOf(body))
	}
	tasks := make([]connectors.RawConfig, len(list))
	for i, config := range list {
		if tasks[i], err = rawConfig(config, fmt.Sprintf("Element %d of the body", i)); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

func (s *Server) fence(c *gin.Context) {
	raw, err := s.readBody(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	h, err := s.internal(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusNoContent, h.Fence(ctx, param(c, "name"), c.Request.Header, raw))
}

// caller is what goes on to another worker with a request.
func caller(c *gin.Context) runtime.Caller {
	from := runtime.Caller{Authorization: c.GetHeader("Authorization")}
	if text, ok := c.GetQuery("forward"); ok {
		forward := strings.EqualFold(text, "true")
		from.Forward = &forward
	}
	return from
}
