package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"millrace/runtime"
)

func (s *Server) getRoot(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	info, err := s.herder.ServerInfo(ctx)
	s.send(c, http.StatusOK, info, err)
}

// healthTimeout is shorter than that of other requests (KIP-1017).
const healthTimeout = 10 * time.Second

func (s *Server) getHealth(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), healthTimeout)
	defer cancel()
	health, err := s.herder.Health(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		health = runtime.WorkerStatus{
			Status:  "unhealthy",
			Message: "Worker was unable to handle this request and may be unable to handle other requests.",
		}
		err = nil
	}
	status := http.StatusInternalServerError
	switch health.Status {
	case "healthy":
		status = http.StatusOK
	case "starting":
		status = http.StatusServiceUnavailable
	}
	s.send(c, status, health, err)
}
