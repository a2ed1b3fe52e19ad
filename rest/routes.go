package rest

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"millrace/connectors"
	"millrace/runtime"
)

// A route is a line of the one table: the router is built from it, and so are /openapi.json and the documentation.
type route struct {
	method, path string
	handle       gin.HandlerFunc
	about        about
}

// mainRoutes are those of the main listeners.
func (s *Server) mainRoutes() []route {
	if s.config.AdminListeners != nil {
		return s.routes()
	}
	return append(s.routes(), s.adminRoutes()...)
}

func (s *Server) routes() []route {
	const (
		connector = "/connectors/:name"
		task      = connector + "/tasks/:task"
		plugin    = "/connector-plugins/:plugin/config"
	)
	type config = connectors.RawConfig
	routes := []route{
		{http.MethodGet, "/", s.getRoot, does("Version of the worker and id of the Kafka cluster.").answers(200, runtime.ServerInfo{})},
		{http.MethodGet, "/health", s.getHealth, does("Whether the worker is ready: healthy (200), starting (503) or unhealthy (500).").
			answers(200, runtime.WorkerStatus{}).answers(503, runtime.WorkerStatus{}).answers(500, runtime.WorkerStatus{})},
		{http.MethodGet, "/openapi.json", s.getOpenAPI, does("This API, described as OpenAPI 3.").answers(200, openDocument{})},

		{http.MethodGet, "/connectors", s.getConnectors, does("Names of all connectors; with expand an object of what was asked for, by name.").
			param(queryParameter{name: "expand", doc: "what to show of each connector; may be given more than once", values: []string{"info", "status", "health"}, list: true}).answers(200, namesOrExpanded{})},
		{http.MethodPost, "/connectors", s.createConnector, does("Creates a connector.").takes(createBody{}).
			answers(201, runtime.ConnectorInfo{}).fails(400, 409)},
		{http.MethodGet, connector, s.getConnector, does("A connector's configuration, tasks and type.").answers(200, runtime.ConnectorInfo{}).fails(404)},
		{http.MethodDelete, connector, s.deleteConnector, does("Deletes a connector; its offsets stay.").answers(204, nil).fails(404)},
		{http.MethodGet, connector + "/config", s.getConfig, does("A connector's configuration.").answers(200, config{}).fails(404)},
		{http.MethodPut, connector + "/config", s.putConfig, does("Creates a connector (201) or replaces its configuration (200).").takes(config{}).
			answers(200, runtime.ConnectorInfo{}).answers(201, runtime.ConnectorInfo{}).fails(400)},
		{http.MethodPatch, connector + "/config", s.patchConfig, does("Changes keys of a connector's configuration; null removes one.").takes(config{}).
			answers(200, runtime.ConnectorInfo{}).fails(400, 404)},
		{http.MethodGet, connector + "/status", s.getStatus, does("States of a connector and its tasks.").answers(200, runtime.ConnectorStatus{}).fails(404)},
		{http.MethodGet, connector + "/health", s.getConnectorHealth, does("Health of a connector and its tasks: one word and one sentence, restarts, counts of records.").
			answers(200, runtime.ConnectorHealth{}).fails(404)},
		{http.MethodPut, connector + "/pause", s.pause, does("Pauses a connector and its tasks.").answers(202, nil).fails(404)},
		{http.MethodPut, connector + "/resume", s.resume, does("Runs a paused or stopped connector again.").answers(202, nil).fails(404)},
		{http.MethodPut, connector + "/stop", s.stop, does("Stops a connector: it has no tasks until it is resumed.").answers(204, nil).fails(404)},
		{http.MethodPost, connector + "/restart", s.restart, does("Restarts the connector alone (204), or with a parameter parts of it, answering the plan (202).").
			flag("includeTasks", "tasks too", false).flag("onlyFailed", "only what has failed", false).
			answers(204, nil).answers(202, runtime.ConnectorStatus{}).fails(404)},
		{http.MethodGet, connector + "/topics", s.getTopics, does("Topics that the connector has used, by its name.").answers(200, map[string]topicsBody{}).fails(403)},
		{http.MethodPut, connector + "/topics/reset", s.resetTopics, does("Forgets the topics that the connector has used.").answers(202, nil).fails(403)},

		{http.MethodGet, connector + "/tasks", s.getTasks, does("Tasks of a connector with their configurations.").answers(200, []runtime.TaskInfo{}).fails(404)},
		{http.MethodPost, connector + "/tasks", s.putTaskConfigs, does("Task configurations from another worker.").takes([]config{}).answers(204, nil).fails(400, 403).betweenWorkers()},
		{http.MethodGet, task + "/status", s.getTaskStatus, does("State of a task.").answers(200, runtime.TaskStatus{}).fails(404)},
		{http.MethodPost, task + "/restart", s.restartTask, does("Restarts a task.").answers(204, nil).fails(404)},
		{http.MethodPut, connector + "/fence", s.fence, does("Fences a connector's former tasks, for another worker.").answers(204, nil).fails(400, 403).betweenWorkers()},

		{http.MethodGet, connector + "/offsets", s.getOffsets, does("Offsets of a connector.").answers(200, offsetsBody{}).fails(404)},
		{http.MethodPatch, connector + "/offsets", s.alterOffsets, does("Changes offsets of a stopped connector; an offset of null removes one.").takes(offsetsBody{}).
			answers(200, messageBody{}).fails(400, 404)},
		{http.MethodDelete, connector + "/offsets", s.resetOffsets, does("Removes all offsets of a stopped connector.").answers(200, messageBody{}).fails(400, 404)},

		{http.MethodGet, "/connector-plugins", s.getPlugins, does("Plugins of the worker.").flag("connectorsOnly", "only connectors", true).answers(200, []runtime.PluginInfo{})},
		{http.MethodGet, plugin, s.getPluginConfig, does("Configuration keys of a plugin.").param(queryParameter{name: "version", doc: "version or range; absent: the newest"}).
			answers(200, []runtime.ConfigKeyInfo{}).fails(400, 404)},
		{http.MethodPut, plugin + "/validate", s.validate, does("Checks a connector's configuration. Mistakes are in the answer, with status 200.").takes(config{}).
			answers(200, runtime.ConfigInfos{}).fails(400)},
	}
	if s.metrics != nil {
		metrics := gin.WrapH(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
		routes = append(routes, route{http.MethodGet, "/metrics", metrics, does("Metrics in Prometheus' text format.").plainText()})
	}
	return routes
}

func (s *Server) adminRoutes() []route {
	const loggers = "/admin/loggers"
	return []route{
		{http.MethodGet, loggers, s.getLoggers, does("Loggers whose level was set, and root.").answers(200, map[string]runtime.LoggerLevel{})},
		{http.MethodGet, loggers + "/:logger", s.getLogger, does("Level of a logger.").answers(200, runtime.LoggerLevel{}).fails(404)},
		{http.MethodPut, loggers + "/:logger", s.setLogger, does("Sets the level of a logger and of those below it; answers their names (200), for the whole cluster nothing (204).").
			param(queryParameter{name: "scope", doc: "which workers; this one unless it is cluster", values: []string{"worker", "cluster"}}).takes(levelBody{}).answers(200, []string{}).answers(204, nil).fails(400, 404)},
	}
}
