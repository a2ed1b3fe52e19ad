package rest

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"millrace/connectors"
	"millrace/runtime"
)

// getPlugins lists the connectors, with connectorsOnly=false all plugins.
func (s *Server) getPlugins(c *gin.Context) {
	ctx, cancel := s.herderContext(c)
	defer cancel()
	plugins, err := s.herder.Plugins(ctx)
	if err == nil && flag(c, "connectorsOnly", true) {
		plugins = slices.DeleteFunc(slices.Clone(plugins), func(p runtime.PluginInfo) bool {
			return p.Type != connectors.KindSource && p.Type != connectors.KindSink
		})
	}
	s.send(c, http.StatusOK, append([]runtime.PluginInfo{}, plugins...), err)
}

// getPluginConfig answers the keys of a plugin. An empty version is a version that nothing has, not the newest.
func (s *Server) getPluginConfig(c *gin.Context) {
	version, given := c.GetQuery("version")
	switch {
	case !given:
		version = "latest"
	case version == "":
		version = "[]"
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	keys, err := s.herder.PluginConfig(ctx, param(c, "plugin"), version)
	s.send(c, http.StatusOK, append([]runtime.ConfigKeyInfo{}, keys...), err)
}

func (s *Server) validate(c *gin.Context) {
	config, err := s.readConfig(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := s.herderContext(c)
	defer cancel()
	infos, err := s.herder.ValidateConfig(ctx, param(c, "plugin"), config)
	s.send(c, http.StatusOK, infos, err)
}
