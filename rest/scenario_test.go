package rest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A scenario is a recorded conversation with a worker of Apache Kafka Connect.
type scenario struct {
	Name    string
	Mode    string
	Needs   []string
	Profile string
	Worker  struct {
		Properties map[string]string
		Files      map[string]string
		// JAAS is a login configuration. The user alice with the password secret may do everything then.
		JAAS string
	}
	Steps []step
}

type step struct {
	Mode    string
	Write   map[string]string
	Until   *until
	Request *request
	// Response is the distributed worker's answer: ours in both modes.
	Response *response
	Ignore   []string
	Loose    []string
	Starts   map[string]string
	Trace    string
	Only     []string
	Once     bool
}

// until polls a path for a value.
type until struct {
	Path    string
	Field   string
	Equals  any
	All     map[string]any
	Status  int
	Length  *int
	Steady  float64
	Seconds float64
}

type request struct {
	Method, Path string
	Headers      map[string]*string
	Body         any
	hasBody      bool
	Raw          *string
	On           string
}

func (r *request) UnmarshalJSON(b []byte) error {
	type plain request
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	_, r.hasBody = members["body"]
	return decode(b, (*plain)(r))
}

type response struct {
	Status  int
	Headers map[string]string
	Body    any
	hasBody bool
	Text    *string
	Loose   []string
}

func (r *response) UnmarshalJSON(b []byte) error {
	type plain response
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	_, r.hasBody = members["body"]
	return decode(b, (*plain)(r))
}

func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// scenarios reads the recordings in testdata and, if the environment variable GOLDEN_DIR is set, in its folder rest.
func scenarios(t *testing.T) []*scenario {
	t.Helper()
	patterns := []string{filepath.Join("testdata", "golden", "*.json")}
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		patterns = append(patterns, filepath.Join(dir, "rest", "*.json"))
	}
	var all []*scenario
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s := new(scenario)
			if err := decode(b, s); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		t.Fatal("no recordings in testdata/golden")
	}
	return all
}

// fill replaces the placeholders in v.
func fill(v any, replace *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return replace.Replace(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = fill(x, replace)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[replace.Replace(k)] = fill(x, replace)
		}
		return out
	}
	return v
}
