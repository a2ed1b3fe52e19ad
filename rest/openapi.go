package rest

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"millrace/connectors"
	"millrace/runtime"
)

func (s *Server) getOpenAPI(c *gin.Context) {
	info, err := s.herder.ServerInfo(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answer(c, http.StatusOK, describe(s.mainRoutes(), info.Version, s.users != nil))
}

// OpenAPI returns the document of all routes that a worker may have, admin routes and metrics too.
func OpenAPI(version string) map[string]any {
	all := &Server{metrics: prometheus.NewRegistry()}
	return describe(all.mainRoutes(), version, false)
}

// describe returns the OpenAPI document of routes.
func describe(routes []route, version string, credentials bool) map[string]any {
	types := make(schemas)
	paths := make(map[string]any)
	for _, r := range routes {
		path := openPath(r.path)
		operations, _ := paths[path].(map[string]any)
		if operations == nil {
			operations = make(map[string]any)
			paths[path] = operations
		}
		operations[strings.ToLower(r.method)] = r.operation(types, credentials)
	}
	components := map[string]any{"schemas": types}
	if credentials {
		components["securitySchemes"] = map[string]any{"basic": map[string]any{"type": "http", "scheme": "basic"}}
	}
	return map[string]any{
		"openapi":    "3.0.3",
		"info":       map[string]any{"title": "Millrace", "description": "Kafka Connect's REST API.", "version": version},
		"paths":      paths,
		"components": components,
	}
}

// openPath writes /connectors/:name as /connectors/{name}.
func openPath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			segments[i] = "{" + name + "}"
		}
	}
	return strings.Join(segments, "/")
}

func (r route) operation(types schemas, credentials bool) map[string]any {
	parameters := []any{}
	for segment := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			kind := "string"
			if name == "task" {
				kind = "integer"
			}
			parameters = append(parameters, map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": kind}})
		}
	}
	for _, q := range r.about.params {
		parameters = append(parameters, map[string]any{"name": q.name, "in": "query", "description": q.doc, "schema": q.schema()})
	}
	media := mediaJSON
	if r.about.plain {
		media = "text/plain"
	}
	responses := make(map[string]any)
	for _, answer := range r.about.replies {
		response := map[string]any{"description": http.StatusText(answer.status)}
		if answer.body != nil {
			response["content"] = map[string]any{media: map[string]any{"schema": types.of(reflect.TypeOf(answer.body))}}
		}
		responses[strconv.Itoa(answer.status)] = response
	}
	responses["default"] = map[string]any{
		"description": "Any error: a wrong path, method, media type or body, or trouble of the worker",
		"content":     map[string]any{mediaJSON: map[string]any{"schema": types.of(reflect.TypeOf(problem))}},
	}
	op := map[string]any{"summary": r.about.summary, "parameters": parameters, "responses": responses, "tags": []string{r.tag()}}
	if r.about.body != nil {
		op["requestBody"] = map[string]any{"required": true,
			"content": map[string]any{mediaJSON: map[string]any{"schema": types.of(reflect.TypeOf(r.about.body))}}}
	}
	if credentials && !r.about.internal {
		op["security"] = []any{map[string]any{"basic": []string{}}}
	}
	return op
}

// tag groups operations: by the first segment of their path.
func (r route) tag() string {
	switch first, _, _ := strings.Cut(r.path[1:], "/"); {
	case r.about.internal:
		return "between workers"
	case first == "connectors", first == "connector-plugins", first == "admin":
		return first
	}
	return "worker"
}

func (q queryParameter) schema() map[string]any {
	schema := map[string]any{"type": "string"}
	if q.boolean {
		schema = map[string]any{"type": "boolean", "default": q.byDefault}
	}
	if q.values != nil {
		schema["enum"] = q.values
	}
	if q.list {
		return map[string]any{"type": "array", "items": schema}
	}
	return schema
}

// schemas are the named types of a document.
type schemas map[string]map[string]any

// own are the schemas of types whose JSON is not what their fields say.
func (types schemas) own(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[connectors.RawConfig]():
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string", "nullable": true}}
	case reflect.TypeFor[map[string]any](): // a partition, an offset or null
		return map[string]any{"type": "object", "nullable": true}
	case reflect.TypeFor[namesOrExpanded]():
		return map[string]any{"oneOf": []any{types.of(reflect.TypeFor[[]string]()), types.of(reflect.TypeFor[map[string]expandedBody]())}}
	case reflect.TypeFor[runtime.InstanceState]():
		return types.of(reflect.TypeFor[instanceBody]())
	case reflect.TypeFor[runtime.TaskStatus]():
		return types.of(reflect.TypeFor[taskStatusBody]())
	}
	return nil
}

// What the methods MarshalJSON of the runtime write.
type (
	instanceBody struct {
		State    runtime.State `json:"state"`
		WorkerID string        `json:"worker_id"`
		Version  *string       `json:"version,omitempty"`
		Trace    string        `json:"trace,omitempty"`
	}
	taskStatusBody struct {
		ID int `json:"id"`
		instanceBody
	}
)

// of returns the schema of t, a reference if t is a struct.
func (types schemas) of(t reflect.Type) map[string]any {
	if own := types.own(t); own != nil {
		return own
	}
	switch t.Kind() {
	case reflect.Pointer:
		schema := types.of(t.Elem())
		if schema["$ref"] != nil {
			return map[string]any{"allOf": []any{schema}, "nullable": true}
		}
		schema["nullable"] = true
		return schema
	case reflect.Slice:
		return map[string]any{"type": "array", "items": types.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": types.of(t.Elem())}
	case reflect.Struct:
		return types.structure(t)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	return map[string]any{} // anything
}

func (types schemas) structure(t reflect.Type) map[string]any {
	name := strings.TrimSuffix(t.Name(), "Body")
	name = strings.ToUpper(name[:1]) + name[1:]
	ref := map[string]any{"$ref": "#/components/schemas/" + name}
	if types[name] != nil {
		return ref
	}
	types[name] = map[string]any{} // ends recursion
	properties := make(map[string]any)
	required := []string{}
	for _, field := range reflect.VisibleFields(t) {
		member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || member == "" {
			continue
		}
		properties[member] = types.of(field.Type)
		if options != "omitempty" {
			required = append(required, member)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if slices.Sort(required); len(required) > 0 {
		schema["required"] = required
	}
	types[name] = schema
	return ref
}
