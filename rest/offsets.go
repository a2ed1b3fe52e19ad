package rest

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"millrace/runtime"
)

type offsetsBody struct {
	Offsets []runtime.ConnectorOffset `json:"offsets"`
}

type messageBody struct {
	Message string `json:"message"`
}

func (s *Server) getOffsets(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	offsets, err := s.herder.Offsets(ctx, param(c, "name"))
	s.send(c, http.StatusOK, offsetsBody{append([]runtime.ConnectorOffset{}, offsets...)}, err)
}

func (s *Server) alterOffsets(c *gin.Context) {
	offsets, err := s.readOffsets(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	message, err := s.herder.AlterOffsets(ctx, param(c, "name"), offsets)
	s.send(c, http.StatusOK, messageBody{message}, err)
}

func (s *Server) resetOffsets(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	message, err := s.herder.ResetOffsets(ctx, param(c, "name"))
	s.send(c, http.StatusOK, messageBody{message}, err)
}

// readOffsets reads {"offsets": [{"partition": {}, "offset": {} or null}]}. What may be inside is the Herder's to say, also
// of a partition that is missing (nil).
func (s *Server) readOffsets(c *gin.Context) ([]runtime.ConnectorOffset, error) {
	body, err := s.readJSON(c)
	if err != nil {
		return nil, err
	}
	request, err := object(body, "The body", "offsets")
	if err != nil {
		return nil, err
	}
	if request["offsets"] == nil {
		return nil, errNoOffsets
	}
	list, ok := request["offsets"].([]any)
	if !ok {
		return nil, malformed(`Member "offsets" must be an array, not %s`, kindOf(request["offsets"]))
	}
	if len(list) == 0 {
		return nil, errNoOffsets
	}
	offsets := make([]runtime.ConnectorOffset, len(list))
	for i, v := range list {
		what := fmt.Sprintf("Element %d of offsets", i)
		element, err := object(v, what, "partition", "offset")
		if err != nil {
			return nil, err
		}
		if offsets[i].Partition, err = nullableObject(element["partition"], what+`: member "partition"`); err != nil {
			return nil, err
		}
		if offsets[i].Offset, err = nullableObject(element["offset"], what+`: member "offset"`); err != nil {
			return nil, err
		}
	}
	return offsets, nil
}

var errNoOffsets = &apiError{http.StatusBadRequest, "Partitions / offsets need to be provided for an alter offsets request"}

func nullableObject(v any, what string) (map[string]any, error) {
	if v == nil {
		return nil, nil
	}
	return object(v, what)
}
