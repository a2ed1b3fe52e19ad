package runtime

import (
	"bytes"
	"encoding/json"
)

// instanceJSON has the order of members that Connect has. Version is a *string inside an any: nil leaves the member out, a nil
// *string shows as null.
type instanceJSON struct {
	State    State  `json:"state"`
	WorkerID string `json:"worker_id"`
	Version  any    `json:"version,omitempty"`
	Trace    string `json:"trace,omitempty"`
}

func (s InstanceState) json() instanceJSON {
	out := instanceJSON{State: s.State, WorkerID: s.WorkerID, Trace: s.Trace}
	switch {
	case s.Version == nil:
		out.Version = json.RawMessage("null")
	case *s.Version != undefinedVersion:
		out.Version = *s.Version
	}
	return out
}

// undefinedVersion is the version of a plugin that has none; it is never shown.
const undefinedVersion = "undefined"

// MarshalJSON follows Connect: see InstanceState.
func (s InstanceState) MarshalJSON() ([]byte, error) { return marshalPlain(s.json()) }

// MarshalJSON puts the id in front of the state's members.
func (s TaskStatus) MarshalJSON() ([]byte, error) {
	return marshalPlain(struct {
		ID int `json:"id"`
		instanceJSON
	}{s.ID, s.InstanceState.json()})
}

// marshalPlain is json.Marshal without its escapes for HTML: a trace has <init> and lambda$main->call.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// statusJSON reads the status that another worker answers with.
type statusJSON struct {
	Name      string       `json:"name"`
	Connector instanceRead `json:"connector"`
	Tasks     []struct {
		ID int `json:"id"`
		instanceRead
	} `json:"tasks"`
	Type string `json:"type"`
}

type instanceRead struct {
	State    State   `json:"state"`
	WorkerID string  `json:"worker_id"`
	Version  *string `json:"version"`
	Trace    string  `json:"trace"`
}

func (s statusJSON) status() ConnectorStatus {
	status := ConnectorStatus{Name: s.Name, Connector: InstanceState(s.Connector), Tasks: []TaskStatus{}, Type: s.Type}
	for _, t := range s.Tasks {
		status.Tasks = append(status.Tasks, TaskStatus{t.ID, InstanceState(t.instanceRead)})
	}
	return status
}
