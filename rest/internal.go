package rest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// Requests between the workers of a group, signed with the group's session key. This worker is alone in its group and has
// handed out no key: no signature is valid, but what is wrong with a request is told as Connect tells it.

func (s *Server) putTaskConfigs(c *gin.Context) {
	body, err := s.readJSON(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	list, ok := body.([]any)
	if !ok {
		s.fail(c, malformed("The body must be an array of task configurations, not %s", kindOf(body)))
		return
	}
	for i, config := range list {
		if _, err := rawConfig(config, fmt.Sprintf("Element %d of the body", i)); err != nil {
			s.fail(c, err)
			return
		}
	}
	s.fail(c, s.checkSignature(c))
}

func (s *Server) fence(c *gin.Context) { s.fail(c, s.checkSignature(c)) }

func (s *Server) checkSignature(c *gin.Context) error {
	signature := c.GetHeader("X-Connect-Authorization")
	algorithm := c.GetHeader("X-Connect-Request-Signature-Algorithm")
	if signature == "" || algorithm == "" {
		return &apiError{http.StatusBadRequest, "Internal request missing required signature"}
	}
	if !slices.Contains(s.config.SignatureAlgorithms, algorithm) {
		return &apiError{http.StatusBadRequest, fmt.Sprintf("This worker does not support the '%s' key signing algorithm used by other workers. "+
			"This worker is currently configured to use: [%s]. Check that all workers' configuration files permit the same set of signature algorithms, "+
			"and correct any misconfigured worker and restart it.", algorithm, strings.Join(s.config.SignatureAlgorithms, ", "))}
	}
	if _, err := base64.StdEncoding.DecodeString(signature); err != nil {
		return &apiError{http.StatusBadRequest, "Internal request has a signature that is not base64"}
	}
	return &apiError{http.StatusForbidden, "Internal request contained invalid signature."}
}
