package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"millrace/connectors"
	"millrace/runtime"
)

// getConnectors answers names, or with any expand an object of what was asked for. A connector that goes away meanwhile, or
// has no status yet, is left out.
func (s *Server) getConnectors(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	names, err := s.herder.Connectors(ctx)
	if err != nil {
		s.fail(c, err)
		return
	}
	slices.Sort(names)
	expand, expanded := c.GetQueryArray("expand")
	if !expanded {
		s.answer(c, http.StatusOK, append([]string{}, names...))
		return
	}
	answer := make(map[string]map[string]any, len(names))
	for _, name := range names {
		parts, err := s.expand(ctx, name, expand)
		if _, ok := notFound(err); ok {
			continue
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		answer[name] = parts
	}
	s.answer(c, http.StatusOK, answer)
}

func (s *Server) expand(ctx context.Context, name string, what []string) (map[string]any, error) {
	parts := make(map[string]any, len(what))
	for _, w := range what {
		var part any
		var err error
		switch w {
		case "info":
			part, err = s.herder.Connector(ctx, name)
		case "status":
			part, err = s.herder.Status(ctx, name)
		case "health":
			part, err = s.herder.ConnectorHealth(ctx, name)
		default:
			s.log.Debug("unknown value of expand ignored", "value", w)
			continue
		}
		if err != nil {
			return nil, err
		}
		parts[w] = part
	}
	return parts, nil
}

func notFound(err error) (*runtime.Error, bool) {
	var e *runtime.Error
	return e, errors.As(err, &e) && e.Kind == runtime.KindNotFound
}

// createConnector takes {"name", "config", "initial_state"}.
func (s *Server) createConnector(c *gin.Context) {
	name, config, initial, err := s.createRequest(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	info, err := s.herder.CreateConnector(ctx, name, config, initial)
	if err == nil {
		locate(c, info.Name)
	}
	s.send(c, http.StatusCreated, info, err)
}

func (s *Server) createRequest(c *gin.Context) (name string, config connectors.RawConfig, initial runtime.TargetState, err error) {
	body, err := s.readJSON(c)
	if err != nil {
		return "", nil, "", err
	}
	request, err := object(body, "The body", "name", "config", "initial_state")
	if err != nil {
		return "", nil, "", err
	}
	given, err := text(request["name"], `Member "name"`)
	if err != nil {
		return "", nil, "", err
	}
	if given != nil {
		name = trimSpaces(*given)
	}
	if initial, err = initialState(request["initial_state"]); err != nil {
		return "", nil, "", err
	}
	if request["config"] == nil {
		return "", nil, "", malformed(`The body has no member "config"; it must be an object with the connector's configuration`)
	}
	if config, err = rawConfig(request["config"], `Member "config"`); err != nil {
		return "", nil, "", err
	}
	return name, config, initial, nameConfig(name, config)
}

// trimSpaces drops what Java's String.trim drops.
func trimSpaces(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

func initialState(v any) (runtime.TargetState, error) {
	s, err := text(v, `Member "initial_state"`)
	if err != nil || s == nil {
		return "", err
	}
	switch strings.ToUpper(*s) {
	case "RUNNING":
		return runtime.TargetStarted, nil
	case "PAUSED":
		return runtime.TargetPaused, nil
	case "STOPPED":
		return runtime.TargetStopped, nil
	}
	return "", malformed(`Member "initial_state" is %q; it must be RUNNING, PAUSED or STOPPED`, *s)
}

// nameConfig puts the connector's name into its configuration, which may not have another one.
func nameConfig(name string, config connectors.RawConfig) error {
	if included := config["name"]; included != nil && *included != name {
		return &apiError{http.StatusBadRequest,
			fmt.Sprintf("Connector name configuration (%s) doesn't match connector name in the URL (%s)", *included, name)}
	}
	config["name"] = &name
	return nil
}

// locate adds the address of a connector that was created.
func locate(c *gin.Context, name string) {
	scheme := "http"
	if c.Request.TLS != nil {
		scheme = "https"
	}
	c.Header("Location", scheme+"://"+c.Request.Host+"/connectors/"+pathEscape(name))
}

func (s *Server) getConnector(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	info, err := s.herder.Connector(ctx, param(c, "name"))
	s.send(c, http.StatusOK, info, err)
}

func (s *Server) deleteConnector(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusNoContent, s.herder.DeleteConnector(ctx, param(c, "name")))
}

func (s *Server) getConfig(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	config, err := s.herder.ConnectorConfig(ctx, param(c, "name"))
	s.send(c, http.StatusOK, config, err)
}

func (s *Server) putConfig(c *gin.Context) {
	config, err := s.readConfig(c)
	name := param(c, "name")
	if err == nil {
		err = nameConfig(name, config)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	info, created, err := s.herder.PutConfig(ctx, name, config)
	status := http.StatusOK
	if err == nil && created {
		status = http.StatusCreated
		locate(c, name)
	}
	s.send(c, status, info, err)
}

func (s *Server) readConfig(c *gin.Context) (connectors.RawConfig, error) {
	body, err := s.readJSON(c)
	if err != nil {
		return nil, err
	}
	return rawConfig(body, "The body")
}

// patchConfig merges a patch. As in Connect, an unknown connector is found out before a body that is missing.
func (s *Server) patchConfig(c *gin.Context) {
	body, err := s.readJSON(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	if body == nil {
		if _, err := s.herder.ConnectorConfig(ctx, param(c, "name")); err != nil {
			s.fail(c, err)
			return
		}
	}
	patch, err := rawConfig(body, "The body")
	if err != nil {
		s.fail(c, err)
		return
	}
	info, err := s.herder.PatchConfig(ctx, param(c, "name"), patch)
	s.send(c, http.StatusOK, info, err)
}

func (s *Server) getStatus(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	status, err := s.herder.Status(ctx, param(c, "name"))
	s.send(c, http.StatusOK, status, err)
}

func (s *Server) getConnectorHealth(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	health, err := s.herder.ConnectorHealth(ctx, param(c, "name"))
	s.send(c, http.StatusOK, health, err)
}

func (s *Server) pause(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusAccepted, s.herder.Pause(ctx, param(c, "name")))
}

func (s *Server) resume(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusAccepted, s.herder.Resume(ctx, param(c, "name")))
}

func (s *Server) stop(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusNoContent, s.herder.Stop(ctx, param(c, "name")))
}

// restart without parameters restarts the connector instance alone (204); with them it answers the plan (202, KIP-745).
func (s *Server) restart(c *gin.Context) {
	r := runtime.RestartRequest{
		Connector:    param(c, "name"),
		IncludeTasks: flag(c, "includeTasks", false),
		OnlyFailed:   flag(c, "onlyFailed", false),
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	if !r.IncludeTasks && !r.OnlyFailed {
		s.done(c, http.StatusNoContent, s.herder.Restart(ctx, r.Connector))
		return
	}
	plan, err := s.herder.RestartPlan(ctx, r)
	s.send(c, http.StatusAccepted, plan, err)
}

func (s *Server) getTopics(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	name := param(c, "name")
	topics, err := s.herder.ActiveTopics(ctx, name)
	answer := map[string]map[string][]string{name: {"topics": append([]string{}, topics...)}}
	s.send(c, http.StatusOK, answer, err)
}

func (s *Server) resetTopics(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	s.done(c, http.StatusAccepted, s.herder.ResetActiveTopics(ctx, param(c, "name")))
}
