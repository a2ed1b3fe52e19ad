package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A player runs scenarios on one worker, without a network: requests go straight into the server's handlers.
type player struct {
	main, admin http.Handler
	own         http.Header // of requests that no scenario asked for
	version     string
	plugins     []string
}

const baseURL = "http://worker.test:8083"

func newPlayer(t *testing.T, main, admin http.Handler, own http.Header) *player {
	t.Helper()
	p := &player{main: main, admin: admin, own: own}
	root, _ := p.get("/").body.(map[string]any)
	p.version, _ = root["version"].(string)
	list, _ := p.get("/connector-plugins?connectorsOnly=false").body.([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		class, _ := m["class"].(string)
		p.plugins = append(p.plugins, class)
	}
	return p
}

func (p *player) has(plugin string) bool {
	return slices.ContainsFunc(p.plugins, func(class string) bool { return strings.Contains(class, plugin) })
}

// reply is an answer as it came.
type reply struct {
	status  int
	header  http.Header
	raw     []byte
	body    any
	hasBody bool
}

func (p *player) get(path string) reply {
	return p.send(p.main, http.MethodGet, path, p.own, nil)
}

// send hands a request to a handler as it would come from the wire, its target untouched. What Go's server refuses before any
// handler sees it (a target that is no URL) is answered as it does.
func (p *player) send(h http.Handler, method, target string, header http.Header, body []byte) reply {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return reply{status: http.StatusBadRequest, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, raw: []byte("400 Bad Request")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r := (&http.Request{
		Method: method, URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: strings.TrimPrefix(baseURL, "http://"),
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), RemoteAddr: "192.0.2.1:1234",
	}).WithContext(ctx)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.Bytes()}
	if method == http.MethodHead {
		out.raw = nil
	}
	if len(out.raw) > 0 && decode(out.raw, &out.body) == nil {
		out.hasBody = true
	}
	return out
}

// remove deletes the connectors whose names begin with prefix.
func (p *player) remove(t *testing.T, prefix string) {
	names, _ := p.get("/connectors").body.([]any)
	for _, n := range names {
		if name, ok := n.(string); ok && strings.HasPrefix(name, prefix) {
			if r := p.send(p.main, http.MethodDelete, "/connectors/"+url.PathEscape(name), p.own, nil); r.status != http.StatusNoContent {
				t.Errorf("DELETE of %s when cleaning up: %d %s", name, r.status, r.raw)
			}
		}
	}
}

// A run is one scenario under way.
type run struct {
	*player
	scenario *scenario
	prefix   string
	dir      string
	replace  *strings.Replacer
}

// play returns the failures by step, and how many requests and fields were compared.
func (p *player) play(t *testing.T, s *scenario, prefix string) (failures map[int]string, requests, fields int) {
	r := &run{player: p, scenario: s, prefix: prefix, dir: t.TempDir()}
	r.replace = strings.NewReplacer("${p}", prefix, "${dir}", r.dir, "${version}", p.version)
	defer p.remove(t, prefix)
	failures = make(map[int]string)
	for i := range s.Steps {
		st := &s.Steps[i]
		if st.Mode == "standalone" {
			continue
		}
		var lines []string
		r.write(t, st.Write)
		if st.Until != nil {
			if late := r.until(st.Until); late != "" {
				lines = append(lines, late)
			}
		}
		if st.Request != nil && !(st.Request.On == "admin" && p.admin == nil) {
			requests++
			c := &comparison{step: st, loose: slices.Concat(st.Loose, st.Response.Loose)}
			c.answers(st.Response, r.request(st))
			fields += c.fields
			lines = append(lines, c.lines...)
		}
		if len(lines) > 0 {
			what := "until"
			if st.Request != nil {
				what = st.Request.Method + " " + st.Request.Path
			}
			failures[i+1] = what + "\n\t" + strings.Join(lines, "\n\t")
		}
	}
	return failures, requests, fields
}

func (r *run) write(t *testing.T, files map[string]string) {
	for name, text := range files {
		f, err := os.OpenFile(filepath.Join(r.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(r.replace.Replace(text)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// until polls; it returns what was seen last, or nothing when all is well.
func (r *run) until(u *until) string {
	limit := 60 * time.Second
	if u.Seconds > 0 {
		limit = time.Duration(u.Seconds * float64(time.Second))
	}
	if limit > maxWait {
		limit = maxWait
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var since time.Time
	for end := time.Now().Add(limit); ; <-tick.C {
		got := r.get(r.replace.Replace(u.Path))
		if !r.good(u, got) {
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		}
		if !since.IsZero() && time.Since(since).Seconds() >= min(u.Steady, 0.2) {
			return ""
		}
		if time.Now().After(end) {
			return fmt.Sprintf("waited in vain for %+v; last answer %d %s", *u, got.status, short(string(got.raw)))
		}
	}
}

const maxWait = 20 * time.Second

func (r *run) good(u *until, got reply) bool {
	if u.Status != 0 {
		return got.status == u.Status
	}
	if got.status != http.StatusOK {
		return false
	}
	if u.Length != nil {
		switch v := pick(got.body, r.replace.Replace(u.Field)).(type) {
		case []any:
			return len(v) >= *u.Length
		case map[string]any:
			return len(v) >= *u.Length
		}
		return false
	}
	wanted := u.All
	if wanted == nil {
		wanted = map[string]any{u.Field: u.Equals}
	}
	for k, v := range wanted {
		if toJSON(pick(got.body, r.replace.Replace(k))) != toJSON(fill(v, r.replace)) {
			return false
		}
	}
	return true
}

// pick returns the member at a path such as tasks.0.state or /config/tasks.max.
func pick(v any, path string) any {
	var parts []string
	switch {
	case path == "":
	case strings.HasPrefix(path, "/"):
		parts = strings.Split(path[1:], "/")
	default:
		parts = strings.Split(path, ".")
	}
	for _, p := range parts {
		switch x := v.(type) {
		case []any:
			var i int
			if _, err := fmt.Sscanf(p, "%d", &i); err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		case map[string]any:
			v = x[p]
		default:
			return nil
		}
	}
	return v
}

func (r *run) request(st *step) answer {
	q := st.Request
	header := http.Header{"Accept": {"application/json"}}
	var body []byte
	switch {
	case q.hasBody:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(fill(q.Body, r.replace)); err != nil {
			return answer{text: err.Error()}
		}
		body = b.Bytes()
	case q.Raw != nil:
		body = []byte(r.replace.Replace(*q.Raw))
	}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	for k, v := range q.Headers {
		if v == nil {
			header.Del(k)
		} else {
			header[http.CanonicalHeaderKey(k)] = []string{r.replace.Replace(*v)}
		}
	}
	h := r.main
	if q.On == "admin" {
		h = r.admin
	}
	return r.normal(q, r.send(h, q.Method, r.replace.Replace(q.Path), header, body))
}

var (
	listOfConnectors = regexp.MustCompile(`^/connectors/?([?;]|$)`)
	hostPort         = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d+$`)
	available        = regexp.MustCompile(`(?s)(available connectors are: ).*`)
	fixed            = map[string]string{"version": "${version}", "commit": "${commit}", "kafka_cluster_id": "${cluster}", "documentation": "${text}"}
)

// normal drops from a reply what differs from worker to worker.
func (r *run) normal(q *request, got reply) answer {
	a := answer{status: got.status, headers: make(map[string]string), hasBody: got.hasBody}
	for k, values := range got.header {
		v := strings.Join(values, ", ")
		switch k = strings.ToLower(k); k {
		case "allow", "access-control-allow-methods":
			list := strings.Split(v, ",")
			for i := range list {
				list[i] = strings.TrimSpace(list[i])
			}
			slices.Sort(list)
			v = strings.Join(list, ",")
		case "location":
			v = r.text(strings.Replace(v, baseURL, "${base}", 1))
		case "expires":
			if _, err := http.ParseTime(v); err == nil {
				v = "${date}"
			}
		}
		a.headers[k] = v
	}
	if got.hasBody {
		a.body = r.values(got.body, "")
	} else {
		a.text = r.text(string(got.raw))
	}
	if q.Method == http.MethodGet && listOfConnectors.MatchString(q.Path) {
		a.body = ours(a.body)
	}
	return a
}

func (r *run) text(s string) string {
	s = strings.NewReplacer(r.prefix, "${p}", r.dir, "${dir}").Replace(s)
	if r.version != "" {
		s = strings.ReplaceAll(s, r.version, "${version}")
	}
	return s
}

func (r *run) values(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[r.text(k)] = r.values(x, k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.values(x, "")
		}
		return out
	case string:
		if f := fixed[key]; f != "" && v != "" {
			return f
		}
		switch {
		case key == "worker_id" && hostPort.MatchString(v):
			return "${worker}"
		case key == "trace":
			v, _, _ = strings.Cut(v, "\n")
		case key == "message":
			v = available.ReplaceAllString(v, "${1}...")
		}
		return r.text(v)
	case json.Number:
		if key == "last_modified" {
			return "${time}"
		}
	}
	return v
}

// ours are those of all connectors that belong to the scenario.
func ours(body any) any {
	switch b := body.(type) {
	case []any:
		return slices.DeleteFunc(b, func(x any) bool { s, ok := x.(string); return ok && !strings.HasPrefix(s, "${p}") })
	case map[string]any:
		if _, isError := b["error_code"]; isError {
			return b
		}
		kept := make(map[string]any)
		for k, v := range b {
			if strings.HasPrefix(k, "${p}") {
				kept[k] = v
			}
		}
		return kept
	}
	return body
}
