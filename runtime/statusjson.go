package runtime

import "encoding/json"

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
func (s InstanceState) MarshalJSON() ([]byte, error) { return json.Marshal(s.json()) }

// MarshalJSON puts the id in front of the state's members.
func (s TaskStatus) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID int `json:"id"`
		instanceJSON
	}{s.ID, s.InstanceState.json()})
}
