package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// openAPI is the document that a worker serves.
func openAPI(t *testing.T, h http.Handler) *openapi3.T {
	t.Helper()
	w := ask(h, "GET", "/openapi.json", "")
	if w.Code != 200 {
		t.Fatalf("GET /openapi.json: %d %s", w.Code, w.Body)
	}
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	return doc
}

// TestOpenAPI checks the recorded conversations against the document: every request of them that was understood is one of an
// operation, and answers have a status and a body that it tells.
func TestOpenAPI(t *testing.T) {
	p := startWorker(t, new(scenario))
	doc := openAPI(t, p.main)
	answered := make(map[string]bool)
	for _, s := range scenarios(t) {
		for i, step := range s.Steps {
			if step.Request == nil || step.Response == nil {
				continue
			}
			path, _, _ := strings.Cut(step.Request.Path, "?")
			path, _, _ = strings.Cut(path, ";")
			template, item := find(doc, strings.TrimSuffix(path, "/"))
			op := operation(item, step.Request.Method)
			if op == nil || step.Response.Status == http.StatusUnauthorized {
				continue // refused, as the recordings of wrong paths and verbs show
			}
			where := s.Name + " step " + strconv.Itoa(i+1) + ", " + step.Request.Method + " " + template
			r := op.Responses.Value(strconv.Itoa(step.Response.Status))
			if r == nil {
				if step.Response.Status < 400 {
					t.Errorf("%s: no response %d in the document", where, step.Response.Status)
				}
				r = op.Responses.Default()
			}
			answered[step.Request.Method+" "+template] = true
			if !step.Response.hasBody || step.Request.Method == http.MethodHead {
				continue
			}
			if r.Value.Content["application/json"] == nil {
				t.Errorf("%s: status %d has no body in the document", where, step.Response.Status)
				continue
			}
			if err := r.Value.Content["application/json"].Schema.Value.VisitJSON(sample(step.Response.Body)); err != nil {
				t.Errorf("%s, status %d: %v", where, step.Response.Status, err)
			}
		}
	}
	ours := []string{"/openapi.json", "/metrics", "/connectors/{name}/health"} // Kafka Connect has none of them
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if known := answered[method+" "+path]; !known && !slices.Contains(ours, path) {
				t.Errorf("no recorded conversation has %s %s", method, path)
			}
		}
	}
}

// find returns the path of the document that a request's path is one of.
func find(doc *openapi3.T, path string) (string, *openapi3.PathItem) {
	if path == "" {
		path = "/"
	}
	want := strings.Split(path, "/")
	for _, template := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		parts := strings.Split(template, "/")
		fits := len(parts) == len(want)
		for i := 0; fits && i < len(parts); i++ {
			fits = parts[i] == want[i] || strings.HasPrefix(parts[i], "{") && want[i] != ""
		}
		if fits {
			return template, doc.Paths.Value(template)
		}
	}
	return "", nil
}

func operation(item *openapi3.PathItem, method string) *openapi3.Operation {
	if item == nil {
		return nil
	}
	return item.Operations()[method]
}

// sample turns a recorded body into what the validator takes: placeholders of numbers become numbers.
func sample(body any) any {
	text := strings.ReplaceAll(toJSON(body), `"${time}"`, "1")
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err.Error()
	}
	return v
}
