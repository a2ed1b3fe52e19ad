package rest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/rest"
	"millrace/runtime"
)

// FuzzCreateBody sends bodies to POST /connectors: whatever comes, the answer is JSON, and what reaches the herder has a name in its
// configuration.
func FuzzCreateBody(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","config":{"a":1,"b":null,"c":true}}`, `{"name":7,"config":{}}`, `{"config":{"name":"y"}}`, "\ufeff{}", `[`, `null`, `{} x`,
		`{"name":"x","config":{"a":[1]}}`, `{"name":"x","initial_state":"stopped","config":{"":""}}`, `{"name":"\ud800","config":{}}`,
	} {
		f.Add(seed)
	}
	var problem string
	s := newServer(f, rest.Config{}, &fakeHerder{create: func(name string, config connectors.RawConfig, _ runtime.TargetState) (runtime.ConnectorInfo, error) {
		if config["name"] == nil || *config["name"] != name {
			problem = "the configuration has no name, or another"
		}
		return runtime.ConnectorInfo{Name: name, Config: config}, nil
	}})
	f.Fuzz(func(t *testing.T, body string) {
		problem = ""
		w := ask(s.Handler(), "POST", "/connectors", body, "Content-Type", jsonType)
		if problem != "" {
			t.Errorf("%q: %s", body, problem)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: the answer %d is not JSON: %q", body, w.Code, w.Body)
		}
	})
}

// FuzzPath sends paths: the server answers JSON and does not panic, and no path that it takes is changed in meaning.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/connectors/a%2Fb", "/connectors/a;x=1", "/..", "//", "/connectors/%zz", "/connectors/{c}", "/admin/loggers/%20/", "/connectors/\x00"} {
		f.Add(seed)
	}
	s := newServer(f, rest.Config{}, &fakeHerder{})
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		r := httptest.NewRequest("PATCH", "http://worker.test/", nil)
		r.RequestURI = path
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code < 400 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("PATCH %q = %d %q, want an error as JSON", path, w.Code, w.Body)
		}
	})
}
