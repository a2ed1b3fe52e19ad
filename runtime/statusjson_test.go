package runtime_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"millrace/runtime"
)

// TestTracesAreNotEscaped: whoever encodes a status decides about escapes for HTML.
func TestTracesAreNotEscaped(t *testing.T) {
	version := "1.0.0"
	state := runtime.InstanceState{State: "FAILED", WorkerID: "w:1", Version: &version, Trace: "at Plugin.<init> & more"}
	for want, v := range map[string]any{
		`{"state":"FAILED","worker_id":"w:1","version":"1.0.0","trace":"at Plugin.<init> & more"}` + "\n":        state,
		`{"id":3,"state":"FAILED","worker_id":"w:1","version":"1.0.0","trace":"at Plugin.<init> & more"}` + "\n": runtime.TaskStatus{ID: 3, InstanceState: state},
	} {
		var got bytes.Buffer
		e := json.NewEncoder(&got)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("got %s, want %s", &got, want)
		}
	}
}
