package rest

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"millrace/runtime"
)

func (s *Server) getTasks(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	tasks, err := s.herder.Tasks(ctx, param(c, "name"))
	s.send(c, http.StatusOK, append([]runtime.TaskInfo{}, tasks...), err)
}

func (s *Server) getTaskStatus(c *gin.Context) {
	id, err := taskID(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	status, err := s.herder.TaskStatus(ctx, id)
	s.send(c, http.StatusOK, status, err)
}

func (s *Server) restartTask(c *gin.Context) {
	id, err := taskID(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusNoContent, s.herder.RestartTask(ctx, id))
}

func taskID(c *gin.Context) (runtime.TaskID, error) {
	n, err := taskNumber(c)
	return runtime.TaskID{Connector: param(c, "name"), Task: n}, err
}
