package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// These tests send what clients in use send, in the order in which they do, and read answers as those do: with their types, and with
// what they take for an error.

// A foreignClient sends requests as one program does.
type foreignClient struct {
	t      *testing.T
	url    string // ends with a slash
	header http.Header
	// typed is set if a Content-Type is sent with every request, body or not.
	typed bool
}

func newForeignClient(t *testing.T, userAgent string) *foreignClient {
	t.Helper()
	p := startWorker(t, new(scenario))
	server := httptest.NewServer(p.main)
	t.Cleanup(server.Close)
	return &foreignClient{t: t, url: server.URL + "/", header: http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}}
}

// do sends a request, its body as JSON or as the text that it is, and decodes an answer below 400 into a value that is not nil.
func (c *foreignClient) do(method, path string, body, into any) (status int, message string) {
	c.t.Helper()
	var in io.Reader
	if text, ok := body.(string); ok {
		in = strings.NewReader(text)
	} else if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = c.header.Clone()
	if body != nil || c.typed {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(answer) > 0 && resp.Header.Get("Content-Type") != "application/json" {
		c.t.Errorf("%s %s: Content-Type %q", method, path, resp.Header.Get("Content-Type"))
	}
	if resp.StatusCode >= 400 {
		var e struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(answer, &e); err != nil || e.Code != resp.StatusCode || e.Message == "" {
			c.t.Errorf("%s %s: %d with the body %s", method, path, resp.StatusCode, answer)
		}
		return resp.StatusCode, e.Message
	}
	if into == nil {
		if len(answer) > 0 && resp.StatusCode == http.StatusNoContent {
			c.t.Errorf("%s %s: a body with 204: %s", method, path, answer)
		}
		return resp.StatusCode, ""
	}
	if err := json.Unmarshal(answer, into); err != nil {
		c.t.Errorf("%s %s: %v in %s", method, path, err, answer)
	}
	return resp.StatusCode, ""
}

// want does the same for an answer of one status.
func (c *foreignClient) want(status int, method, path string, body, into any) {
	c.t.Helper()
	if got, message := c.do(method, path, body, into); got != status {
		c.t.Errorf("%s %s: %d %s, want %d", method, path, got, message, status)
	}
}

// until asks again and again, as these clients do.
func (c *foreignClient) until(what string, good func() bool) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !good(); <-tick.C {
		if time.Now().After(end) {
			c.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func fileSource(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "topic": "lines",
		"file": write(t, filepath.Join(t.TempDir(), "in.txt"), "one\ntwo\n"),
	}
}

type (
	taskID struct {
		Connector string `json:"connector"`
		Task      int    `json:"task"`
	}
	stateOf struct {
		ID       int    `json:"id"`
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace"`
	}
)

// TestGoKafkaConnect follows the client of github.com/go-kafka/connect.
func TestGoKafkaConnect(t *testing.T) {
	type connector struct {
		Name   string            `json:"name"`
		Config map[string]string `json:"config,omitempty"`
		Tasks  []taskID          `json:"tasks,omitempty"`
	}
	c := newForeignClient(t, "go-kafka/0.9 connect/0.9.0")
	config := fileSource(t)
	var names []string
	c.want(200, "GET", "connectors", nil, &names)
	if len(names) != 0 {
		t.Errorf("at first there are %v", names)
	}
	created := connector{Name: "local", Config: maps.Clone(config)} // answers are decoded into what was sent
	c.want(201, "POST", "connectors", created, &created)
	if created.Config["name"] != "local" || created.Config["topic"] != "lines" {
		t.Errorf("created %+v", created)
	}
	c.want(409, "POST", "connectors", connector{Name: "local", Config: config}, nil)
	var status struct {
		Name      string    `json:"name"`
		Connector stateOf   `json:"connector"`
		Tasks     []stateOf `json:"tasks"`
	}
	running := func() bool {
		status.Tasks = nil
		code, _ := c.do("GET", "connectors/local/status", nil, &status)
		return code == 200 && status.Connector.State == "RUNNING" && len(status.Tasks) == 1 && status.Tasks[0].State == "RUNNING"
	}
	c.until("the connector runs", running)
	var got connector
	c.want(200, "GET", "connectors/local", nil, &got)
	if diff := cmp.Diff([]taskID{{"local", 0}}, got.Tasks); diff != "" {
		t.Error(diff)
	}
	var tasks []struct {
		ID     taskID            `json:"id"`
		Config map[string]string `json:"config"`
	}
	c.want(200, "GET", "connectors/local/tasks", nil, &tasks)
	if len(tasks) != 1 || tasks[0].ID != (taskID{"local", 0}) || tasks[0].Config["topic"] != "lines" {
		t.Errorf("tasks %+v", tasks)
	}
	config["topic"] = "more"
	c.want(200, "PUT", "connectors/local/config", config, &got)
	c.want(201, "PUT", "connectors/other/config", config, &got)
	back := make(map[string]string)
	c.want(200, "GET", "connectors/local/config", nil, &back)
	config["name"] = "local"
	if diff := cmp.Diff(config, back); diff != "" {
		t.Error(diff)
	}
	c.want(202, "PUT", "connectors/local/pause", nil, nil)
	c.until("it is paused", func() bool {
		_, _ = c.do("GET", "connectors/local/status", nil, &status)
		return status.Connector.State == "PAUSED"
	})
	c.want(202, "PUT", "connectors/local/resume", nil, nil)
	c.until("it runs again", running)
	c.want(204, "POST", "connectors/local/restart", nil, nil)
	c.until("it runs after a restart", running)
	c.want(204, "DELETE", "connectors/local", nil, nil)
	c.want(404, "GET", "connectors/local", nil, nil)
	c.want(404, "DELETE", "connectors/local", nil, nil)
}

// TestTerraform follows Mongey/terraform-provider-kafka-connect over ricardo-ch/go-kafka-connect: create, read, update, delete, each
// waited for by polling.
func TestTerraform(t *testing.T) {
	c := newForeignClient(t, "go-resty/1.12.0 (https://github.com/go-resty/resty)")
	type request struct {
		Name   string         `json:"name"`
		Config map[string]any `json:"config"`
	}
	type response struct {
		Name   string         `json:"name"`
		Config map[string]any `json:"config"`
		Tasks  []taskID       `json:"tasks"`
	}
	config := map[string]any{"name": "tf"}
	for k, v := range fileSource(t) {
		config[k] = v
	}
	// equal is what the library compares: as many keys, and each value as text.
	equal := func() bool {
		var got map[string]any
		if status, _ := c.do("GET", "connectors/tf/config", nil, &got); status != 200 || len(got) != len(config) {
			return false
		}
		for k, v := range got {
			if fmt.Sprint(v) != fmt.Sprint(config[k]) {
				return false
			}
		}
		return true
	}
	var answer response
	c.want(404, "GET", "connectors/tf", nil, nil)
	c.want(201, "POST", "connectors", request{"tf", config}, &answer)
	c.until("it is there", func() bool { status, _ := c.do("GET", "connectors/tf", nil, &answer); return status == 200 })
	if !equal() {
		t.Error("another configuration comes back than was sent")
	}
	if diff := cmp.Diff(config, answer.Config); diff != "" {
		t.Errorf("what Terraform's state has (-want +got)\n%s", diff)
	}
	// Values go round byte for byte.
	config["producer.override.client.id"] = " <a & b>, é "
	c.want(200, "PUT", "connectors/tf/config", config, &answer)
	c.until("it is as wanted", equal)
	var status struct {
		Connector map[string]string `json:"connector"` // all members must be texts
		Tasks     []stateOf         `json:"tasks"`
	}
	for _, change := range []struct{ path, state string }{{"pause", "PAUSED"}, {"resume", "RUNNING"}} {
		c.want(202, "PUT", "connectors/tf/"+change.path, nil, nil)
		c.until(change.state, func() bool {
			code, _ := c.do("GET", "connectors/tf/status", nil, &status)
			return code == 200 && status.Connector["state"] == change.state && len(status.Tasks) == 1
		})
	}
	c.want(200, "GET", "connectors/tf/tasks/0/status", nil, new(stateOf))
	c.want(204, "POST", "connectors/tf/tasks/0/restart", nil, nil)
	c.want(204, "DELETE", "connectors/tf", nil, nil)
	c.until("it is gone", func() bool { code, _ := c.do("GET", "connectors/tf", nil, nil); return code == 404 })
}

// TestKcctl follows kcctl's commands.
func TestKcctl(t *testing.T) {
	c := newForeignClient(t, "Resteasy Reactive Client")
	c.typed = true // its client sends a Content-Type with every request
	var info struct {
		Version string `json:"version"`
		Commit  string `json:"commit"`
		Cluster string `json:"kafka_cluster_id"`
	}
	c.want(200, "GET", "", nil, &info)
	for i, part := range strings.SplitN(info.Version, ".", 3)[:2] { // compared as numbers
		if _, err := strconv.Atoi(part); err != nil {
			t.Errorf("part %d of version %s: %v", i, info.Version, err)
		}
	}
	type named struct {
		Name string `json:"name"`
	}
	var plugins []struct{ Class, Type, Version string }
	c.want(200, "GET", "connector-plugins?connectorsOnly=false", nil, &plugins)
	if !slices.ContainsFunc(plugins, func(p struct{ Class, Type, Version string }) bool { return p.Type == "transformation" }) {
		t.Errorf("plugins %v", plugins)
	}
	var keys []named
	c.want(200, "GET", "connector-plugins/org.apache.kafka.connect.transforms.ExtractField$Key/config", nil, &keys)

	// apply --dry-run: the class by its simple name, whatever the file says.
	config := fileSource(t)
	config["name"] = "dummy-name"
	var infos struct {
		Errors  int `json:"error_count"`
		Configs []struct {
			Definition *named `json:"definition"`
			Value      struct{ Errors []string }
		} `json:"configs"`
	}
	c.want(200, "PUT", "connector-plugins/FileStreamSourceConnector/config/validate", config, &infos)
	if infos.Errors != 0 {
		t.Errorf("a valid configuration: %+v", infos)
	}
	delete(config, "topic")
	c.want(200, "PUT", "connector-plugins/FileStreamSourceConnector/config/validate", config, &infos)
	for _, one := range infos.Configs {
		if len(one.Value.Errors) > 0 && (one.Definition == nil || one.Definition.Name != "topic") {
			t.Errorf("an error of %+v", one)
		}
	}
	config["topic"] = "lines"
	delete(config, "name")

	// apply: lists with a slash at the end, then creates with the file's text or updates.
	var names []string
	c.want(200, "GET", "connectors/", nil, &names)
	text, err := json.MarshalIndent(map[string]any{"name": "kc", "config": config}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	type statusInfo struct {
		Name      string    `json:"name"`
		Type      string    `json:"type"`
		Connector *stateOf  `json:"connector"`
		Tasks     []stateOf `json:"tasks"`
	}
	c.want(201, "POST", "connectors/", string(text), new(statusInfo)) // a ConnectorInfo read as a status
	c.want(200, "PUT", "connectors/kc/config", config, new(statusInfo))
	config["connector.class"] = "Nonsense"
	if status, message := c.do("PUT", "connectors/kc/config", config, nil); status != 400 || !strings.Contains(message, "Failed to find any class that implements Connector") {
		t.Errorf("an unknown class: %d %s", status, message)
	}

	// get and describe.
	var expanded map[string]struct {
		Info   named      `json:"info"`
		Status statusInfo `json:"status"`
	}
	c.until("it runs", func() bool {
		clear(expanded)
		c.want(200, "GET", "connectors?expand=info&expand=status", nil, &expanded)
		one := expanded["kc"]
		return one.Info.Name == "kc" && one.Status.Connector.State == "RUNNING" && len(one.Status.Tasks) == 1 && one.Status.Tasks[0].State == "RUNNING"
	})
	c.want(200, "GET", "connectors/kc/config", nil, new(map[string]string))
	var topics map[string]struct{ Topics []string }
	c.until("its topic is known", func() bool {
		c.want(200, "GET", "connectors/kc/topics", nil, &topics)
		return slices.Equal(topics["kc"].Topics, []string{"lines"})
	})
	if status, message := c.do("GET", "connectors/none", nil, nil); status != 404 || message != "Connector none not found" {
		t.Errorf("describe of nothing: %d %s", status, message)
	}

	// restart, pause, stop and offsets.
	c.want(204, "POST", "connectors/kc/restart", nil, nil)
	var plan statusInfo
	c.want(202, "POST", "connectors/kc/restart?includeTasks=true&onlyFailed=false", nil, &plan)
	if len(plan.Tasks) != 1 || plan.Tasks[0].State != "RESTARTING" {
		t.Errorf("plan %+v", plan)
	}
	c.want(204, "POST", "connectors/kc/tasks/0/restart", nil, nil)
	c.want(202, "PUT", "connectors/kc/pause", nil, nil)
	c.want(202, "PUT", "connectors/kc/resume", nil, nil)
	c.want(204, "PUT", "connectors/kc/stop", nil, nil)
	var offsets struct {
		Offsets []struct{ Partition, Offset map[string]any } `json:"offsets"`
	}
	c.want(200, "GET", "connectors/kc/offsets", nil, &offsets)
	patch := map[string]any{"offsets": []any{map[string]any{"partition": map[string]any{"filename": config["file"]}, "offset": map[string]any{"position": 4}}}}
	var said struct {
		Message string `json:"message"`
	}
	c.want(200, "PATCH", "connectors/kc/offsets", patch, &said)
	c.want(200, "DELETE", "connectors/kc/offsets", nil, &said)
	if !strings.Contains(said.Message, "have been reset") {
		t.Errorf("reset said %q", said.Message)
	}

	// patch loggers, with the scopes that it knows.
	var changed []string
	c.want(200, "PUT", "admin/loggers/kc.a", `{"level": "DEBUG"}`, &changed)
	c.want(204, "PUT", "admin/loggers/kc.a?scope=cluster", `{"level": "INFO"}`, nil)
	c.want(200, "GET", "admin/loggers/", nil, new(map[string]struct{ Level string }))
	c.want(204, "DELETE", "connectors/kc", nil, nil)
}
