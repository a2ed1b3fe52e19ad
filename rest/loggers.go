package rest

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

func (s *Server) getLoggers(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	loggers, err := s.herder.Loggers(ctx)
	s.send(c, http.StatusOK, loggers, err)
}

func (s *Server) getLogger(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	level, err := s.herder.Logger(ctx, param(c, "logger"))
	s.send(c, http.StatusOK, level, err)
}

// setLogger takes {"level"}; scope=cluster means all workers and answers without a body (KIP-976).
func (s *Server) setLogger(c *gin.Context) {
	level, err := s.readLevel(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	scope := c.Query("scope")
	cluster := strings.EqualFold(scope, "cluster")
	if scope != "" && !cluster && !strings.EqualFold(scope, "worker") {
		s.log.Warn("unknown scope of a log level; taken as worker", "scope", scope)
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	changed, err := s.herder.SetLogger(ctx, param(c, "logger"), level, cluster)
	if cluster {
		s.done(c, http.StatusNoContent, err)
		return
	}
	s.send(c, http.StatusOK, append([]string{}, changed...), err)
}

func (s *Server) readLevel(c *gin.Context) (string, error) {
	config, err := s.readConfig(c)
	if err != nil {
		return "", err
	}
	level := config["level"]
	if level == nil {
		return "", &apiError{http.StatusBadRequest, "Desired 'level' parameter was not specified in request."}
	}
	return *level, nil
}
