package registrytest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	"millrace/plugins/converters/schemaregistry"
)

// A Server is a running registry. Its zero value is ready to be started.
type Server struct {
	// URL is where it listens.
	URL string
	// HTTP is the server below, with its certificate if it speaks TLS.
	HTTP *httptest.Server
	// User and Password are asked for if User is set before the first request.
	User, Password string

	mu       sync.Mutex
	schemas  []schemaregistry.Schema // id is the index + 1
	subjects map[string][]int32      // ids in the order of versions
	requests []string
	failures []int
}

// New starts a registry that ends with the test.
func New(tb testing.TB) *Server {
	s := &Server{subjects: make(map[string][]int32)}
	s.HTTP = httptest.NewServer(s)
	s.URL = s.HTTP.URL
	tb.Cleanup(s.HTTP.Close)
	return s
}

// NewTLS is New with a certificate of its own, s.HTTP.Certificate.
func NewTLS(tb testing.TB) *Server {
	s := &Server{subjects: make(map[string][]int32)}
	s.HTTP = httptest.NewTLSServer(s)
	s.URL = s.HTTP.URL
	tb.Cleanup(s.HTTP.Close)
	return s
}

// Fail makes the next requests fail, each with one of statuses.
func (s *Server) Fail(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, statuses...)
}

// Requests returns what was asked so far, as "GET /path".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Register adds a schema to a subject and returns its id.
func (s *Server) Register(subject string, schema schemaregistry.Schema) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.register(subject, schema)
}

// Subject returns the schemas of a subject in the order of their versions.
func (s *Server) Subject(name string) []schemaregistry.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []schemaregistry.Schema
	for _, id := range s.subjects[name] {
		list = append(list, s.schemas[id-1])
	}
	return list
}

// ServeHTTP is part of http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if len(s.failures) > 0 {
		status := s.failures[0]
		s.failures = s.failures[1:]
		answer(w, status, refusal(50001, "failed on purpose"))
		return
	}
	if user, password, _ := r.BasicAuth(); s.User != "" && (user != s.User || password != s.Password) {
		answer(w, http.StatusUnauthorized, refusal(http.StatusUnauthorized, "Unauthorized"))
		return
	}
	s.mux().ServeHTTP(w, r)
}

func (s *Server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /subjects/{subject}/versions", s.post)
	mux.HandleFunc("POST /subjects/{subject}", s.lookup)
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", s.version)
	mux.HandleFunc("GET /schemas/ids/{id}", s.byID)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, refusal(http.StatusNotFound, "HTTP 404 Not Found"))
	})
	return mux
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	if schema, ok := body(w, r); ok {
		answer(w, http.StatusOK, map[string]int32{"id": s.register(r.PathValue("subject"), schema)})
	}
}

func (s *Server) lookup(w http.ResponseWriter, r *http.Request) {
	schema, ok := body(w, r)
	if !ok {
		return
	}
	name := r.PathValue("subject")
	ids, ok := s.subjects[name]
	if !ok {
		answer(w, http.StatusNotFound, refusal(40401, "Subject '"+name+"' not found."))
		return
	}
	for i, id := range ids {
		if same(s.schemas[id-1], schema) {
			answer(w, http.StatusOK, s.registered(name, i))
			return
		}
	}
	answer(w, http.StatusNotFound, refusal(40403, "Schema not found"))
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("subject")
	ids := s.subjects[name]
	n, err := strconv.Atoi(r.PathValue("version"))
	if r.PathValue("version") == "latest" {
		n, err = len(ids), nil
	}
	switch {
	case err != nil:
		answer(w, http.StatusUnprocessableEntity, refusal(42202, "The specified version is not a valid version id."))
	case len(ids) == 0:
		answer(w, http.StatusNotFound, refusal(40401, "Subject '"+name+"' not found."))
	case n < 1 || n > len(ids):
		answer(w, http.StatusNotFound, refusal(40402, "Version "+strconv.Itoa(n)+" not found."))
	default:
		answer(w, http.StatusOK, s.registered(name, n-1))
	}
}

func (s *Server) byID(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 || id > len(s.schemas) {
		answer(w, http.StatusNotFound, refusal(40403, "Schema "+r.PathValue("id")+" not found"))
		return
	}
	answer(w, http.StatusOK, shown(s.schemas[id-1]))
}

func (s *Server) registered(subject string, index int) schemaregistry.Registered {
	id := s.subjects[subject][index]
	return schemaregistry.Registered{Schema: shown(s.schemas[id-1]), Subject: subject, Version: int32(index + 1), ID: id}
}

// shown is a schema as registries answer it: Avro is not named.
func shown(schema schemaregistry.Schema) schemaregistry.Schema {
	if schema.Type == schemaregistry.Avro {
		schema.Type = ""
	}
	return schema
}

func (s *Server) register(subject string, schema schemaregistry.Schema) int32 {
	id := int32(slices.IndexFunc(s.schemas, func(known schemaregistry.Schema) bool { return same(known, schema) }) + 1)
	if id == 0 {
		s.schemas = append(s.schemas, schema)
		id = int32(len(s.schemas))
	}
	if !slices.Contains(s.subjects[subject], id) {
		s.subjects[subject] = append(s.subjects[subject], id)
	}
	return id
}

// same compares schemas; the blanks in a JSON text do not count.
func same(a, b schemaregistry.Schema) bool {
	return shown(a).Type == shown(b).Type && compact(a.Text) == compact(b.Text) && slices.Equal(a.References, b.References)
}

func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}

func body(w http.ResponseWriter, r *http.Request) (schema schemaregistry.Schema, ok bool) {
	if err := json.NewDecoder(r.Body).Decode(&schema); err != nil || schema.Text == "" {
		answer(w, http.StatusUnprocessableEntity, refusal(42201, "Invalid schema"))
		return schema, false
	}
	return schema, true
}

func refusal(code int, message string) any {
	return map[string]any{"error_code": code, "message": message}
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	// A client that went away is none of the registry's business.
	_ = json.NewEncoder(w).Encode(value)
}
