package rest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/rest"
	"millrace/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHerder answers what a test gives it functions for; anything else is a panic, which the server must survive.
type fakeHerder struct {
	runtime.Herder
	health    func(ctx context.Context) (runtime.WorkerStatus, error)
	connector func(ctx context.Context, name string) (runtime.ConnectorInfo, error)
	create    func(name string, config connectors.RawConfig, initial runtime.TargetState) (runtime.ConnectorInfo, error)
	setLogger func(name, level string, cluster bool) ([]string, error)
}

func (f *fakeHerder) Health(ctx context.Context) (runtime.WorkerStatus, error) { return f.health(ctx) }

func (f *fakeHerder) Connector(ctx context.Context, name string) (runtime.ConnectorInfo, error) {
	return f.connector(ctx, name)
}

func (f *fakeHerder) CreateConnector(_ context.Context, name string, config connectors.RawConfig, initial runtime.TargetState) (runtime.ConnectorInfo, error) {
	return f.create(name, config, initial)
}

func (f *fakeHerder) SetLogger(_ context.Context, name, level string, cluster bool) ([]string, error) {
	return f.setLogger(name, level, cluster)
}

func newServer(t testing.TB, c rest.Config, h runtime.Herder) *rest.Server {
	t.Helper()
	s, err := rest.New(c, h, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request to a handler; header are pairs of name and value.
func ask(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://worker.test"+target, strings.NewReader(body))
	r.RequestURI = target
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const jsonType = "application/json"

func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("got %d %s, want %d %s", w.Code, w.Body, status, body)
	}
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		name   string
		health runtime.WorkerStatus
		status int
	}{
		{"healthy", runtime.WorkerStatus{Status: "healthy", Message: "m"}, 200},
		{"starting", runtime.WorkerStatus{Status: "starting", Message: "m"}, 503},
		{"unhealthy", runtime.WorkerStatus{Status: "unhealthy", Message: "m"}, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, rest.Config{}, &fakeHerder{health: func(context.Context) (runtime.WorkerStatus, error) { return test.health, nil }})
			wantAnswer(t, ask(s.Handler(), "GET", "/health", ""), test.status, `{"status":"`+test.name+`","message":"m"}`)
		})
	}
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		s := newServer(t, rest.Config{}, &fakeHerder{
			health: func(ctx context.Context) (runtime.WorkerStatus, error) { return runtime.WorkerStatus{}, hang(ctx) },
			connector: func(ctx context.Context, _ string) (runtime.ConnectorInfo, error) {
				return runtime.ConnectorInfo{}, hang(ctx)
			},
		})
		began := time.Now()
		wantAnswer(t, ask(s.Handler(), "GET", "/connectors/x", ""), 500, `{"error_code":500,"message":"Request timed out"}`)
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("a call timed out after %v, want 90 s", took)
		}
		began = time.Now()
		wantAnswer(t, ask(s.Handler(), "GET", "/health", ""), 500,
			`{"status":"unhealthy","message":"Worker was unable to handle this request and may be unable to handle other requests."}`)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("health timed out after %v, want 10 s", took)
		}
	})
}

func TestErrorsOfTheHerder(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		body   string
	}{
		{runtime.Errorf(runtime.KindNotFound, "Connector x not found"), 404, `{"error_code":404,"message":"Connector x not found"}`},
		{runtime.Errorf(runtime.KindForbidden, "no"), 403, `{"error_code":403,"message":"no"}`},
		{runtime.Errorf(runtime.KindNotFound, "No <a> & <b>"), 404, `{"error_code":404,"message":"No <a> & <b>"}`},
		{errors.New("disk is full"), 500, `{"error_code":500,"message":"disk is full"}`},
		{&runtime.Error{Kind: 7, Message: "odd"}, 500, `{"error_code":500,"message":"odd"}`},
	} {
		s := newServer(t, rest.Config{}, &fakeHerder{connector: func(context.Context, string) (runtime.ConnectorInfo, error) {
			return runtime.ConnectorInfo{}, test.err
		}})
		wantAnswer(t, ask(s.Handler(), "GET", "/connectors/x", ""), test.status, test.body)
	}
}

func TestPanicsAreSurvived(t *testing.T) {
	s := newServer(t, rest.Config{}, &fakeHerder{})
	wantAnswer(t, ask(s.Handler(), "GET", "/connectors", ""), 500, `{"error_code":500,"message":"Internal error; the worker's log says more"}`)
}

func TestCreate(t *testing.T) {
	type call struct {
		name, topic string
		initial     runtime.TargetState
	}
	for _, test := range []struct {
		name, body string
		want       call
		location   string
	}{
		{"trims the name", `{"name":" a b/c ","config":{"topic":1.50}}`, call{"a b/c", "1.50", ""}, "http://worker.test/connectors/a%20b%2Fc"},
		{"initial state", `{"name":"x","initial_state":"Paused","config":{"topic":true}}`, call{"x", "true", runtime.TargetPaused}, "http://worker.test/connectors/x"},
		{"last of repeated members", `{"name":"y","name":"x","config":{"topic":"a","topic":"b"}}`, call{"x", "b", ""}, "http://worker.test/connectors/x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got call
			s := newServer(t, rest.Config{}, &fakeHerder{create: func(name string, config connectors.RawConfig, initial runtime.TargetState) (runtime.ConnectorInfo, error) {
				got = call{name, *config["topic"], initial}
				return runtime.ConnectorInfo{Name: name, Config: config}, nil
			}})
			w := ask(s.Handler(), "POST", "/connectors", test.body, "Content-Type", jsonType)
			if w.Code != 201 || got != test.want || w.Header().Get("Location") != test.location {
				t.Errorf("got %d, call %+v, Location %s; want 201, %+v, %s", w.Code, got, w.Header().Get("Location"), test.want, test.location)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	s := newServer(t, rest.Config{MaxBody: 10}, &fakeHerder{})
	wantAnswer(t, ask(s.Handler(), "POST", "/connectors", `{"name":"12345"}`, "Content-Type", jsonType), 413,
		`{"error_code":413,"message":"The body of the request is larger than 10 bytes, the most that is accepted"}`)
}

func TestClusterScope(t *testing.T) {
	var cluster bool
	s := newServer(t, rest.Config{}, &fakeHerder{setLogger: func(_, _ string, c bool) ([]string, error) {
		cluster = c
		return []string{"a"}, nil
	}})
	wantAnswer(t, ask(s.Handler(), "PUT", "/admin/loggers/a?scope=cluster", `{"level":"INFO"}`, "Content-Type", jsonType), 204, "")
	if !cluster {
		t.Error("the herder was not told that the scope is the cluster")
	}
	wantAnswer(t, ask(s.Handler(), "PUT", "/admin/loggers/a?scope=galaxy", `{"level":"INFO"}`, "Content-Type", jsonType), 200, `["a"]`)
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "a_metric", Help: "h"}, func() float64 { return 7 }))
	s, err := rest.New(rest.Config{}, &fakeHerder{}, nil, registry)
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(s.Handler(), "GET", "/metrics", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "a_metric 7") {
		t.Errorf("GET /metrics = %d %s", w.Code, w.Body)
	}
}

func TestAdminListenersOff(t *testing.T) {
	c, err := rest.ParseConfig(map[string]string{"admin.listeners": ""})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, c, &fakeHerder{})
	wantAnswer(t, ask(s.Handler(), "GET", "/admin/loggers", ""), 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`)
}

func TestParseConfig(t *testing.T) {
	for _, test := range []struct {
		key, value, want string
	}{
		{"listeners", "ftp://x:1", `Invalid value ftp://x:1 for configuration listeners: the scheme must be http or https, not "ftp"`},
		{"listeners", "https://:8443", "Invalid value  for configuration ssl.keystore.location: must be set for an https listener: a JKS, PKCS12 or PEM file with the server's key and certificate"},
		{"listeners", "http://:99999", `Invalid value http://:99999 for configuration listeners: the port "99999" is not a number from 0 to 65535`},
		{"listeners", "", "Invalid value  for configuration listeners: at least one address like http://127.0.0.1:8083 is needed"},
		{"response.http.headers.config", "drop X: y", "Invalid value drop X: y for configuration response.http.headers.config: Invalid header rule: the action must be set, add, setDate or addDate"},
		{"access.control.allow.origin", "a(", "Invalid value a( for configuration access.control.allow.origin: neither * nor a regular expression: error parsing regexp: missing closing ): `^(?:a()$`"},
	} {
		_, err := rest.ParseConfig(map[string]string{test.key: test.value})
		if err == nil || err.Error() != test.want {
			t.Errorf("%s=%s: got %v, want %s", test.key, test.value, err, test.want)
		}
	}
}

func TestRun(t *testing.T) {
	h := &fakeHerder{health: func(context.Context) (runtime.WorkerStatus, error) {
		return runtime.WorkerStatus{Status: "healthy"}, nil
	}}
	s := newServer(t, rest.Config{Listeners: []string{"http://127.0.0.1:0"}}, h)
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Addr()+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 {
		t.Errorf("GET /health = %d, %v", resp.StatusCode, err)
	}
	second := newServer(t, rest.Config{Listeners: []string{"http://" + s.Addr()}}, h)
	var inUse *net.OpError
	if err := second.Listen(t.Context()); !errors.As(err, &inUse) || !strings.Contains(err.Error(), "free the port or set listeners") {
		t.Errorf("listening at a port in use: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
