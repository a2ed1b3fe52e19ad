package state

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/connectors"
	"millrace/offsets/connectjson"
)

// The prefixes of keys in the config topic, in the order in which Kafka Connect tries them.
const (
	targetPrefix    = "target-state-"
	connectorPrefix = "connector-"
	taskPrefix      = "task-"
	commitPrefix    = "commit-"
	restartPrefix   = "restart-connector-"
	fencingPrefix   = "tasks-fencing-"
	sessionKey      = "session-key"
	loggerPrefix    = "logger-cluster-"
)

// The prefixes of keys in the status topic.
const (
	connectorStatusPrefix = "status-connector-"
	taskStatusPrefix      = "status-task-"
	topicStatusPrefix     = "status-topic-"
	topicStatusInfix      = ":connector-"
)

// encode is connectjson.Append for values of ours, which always have a JSON form.
func encode(o connectjson.Object) []byte {
	b, err := connectjson.Append(nil, o)
	if err != nil {
		panic(err)
	}
	return b
}

func object(data []byte) (map[string]any, error) {
	v, err := connectjson.Read(data)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("want an object, got %T", v)
	}
	return o, nil
}

// member returns a member of o that must be of type T.
func member[T any](o map[string]any, name string) (T, error) {
	v, ok := o[name].(T)
	if !ok {
		return v, fmt.Errorf("member %s: want %T, got %T", name, v, o[name])
	}
	return v, nil
}

func properties(data []byte) (connectors.RawConfig, error) {
	o, err := object(data)
	if err != nil {
		return nil, err
	}
	props, err := member[map[string]any](o, "properties")
	if err != nil {
		return nil, err
	}
	config := make(connectors.RawConfig, len(props))
	for k, v := range props {
		switch v := v.(type) {
		case nil:
			config[k] = nil
		case string:
			config[k] = &v
		default:
			return nil, fmt.Errorf("property %s: want a string, got %T", k, v)
		}
	}
	return config, nil
}

func propertiesValue(config connectors.RawConfig) []byte {
	return encode(connectjson.Object{{Name: "properties", Value: map[string]*string(config)}})
}

// taskKey splits name-0: the number is what follows the last dash.
func taskKey(key string) (connector string, task int, err error) {
	i := strings.LastIndexByte(key, '-')
	if i < 0 {
		return "", 0, fmt.Errorf("task key %q: want name-number", key)
	}
	n, err := strconv.Atoi(key[i+1:])
	if err != nil || n < 0 {
		return "", 0, fmt.Errorf("task key %q: want a number after the last dash", key)
	}
	return key[:i], n, nil
}

// targetValue has the state for workers before 3.5, which know no STOPPED, and the true one.
func targetValue(t Target) []byte {
	v1 := t
	if t == TargetStopped {
		v1 = TargetPaused
	}
	return encode(connectjson.Object{{Name: "state", Value: string(v1)}, {Name: "state.v2", Value: string(t)}})
}

func parseTarget(data []byte) (Target, error) {
	o, err := object(data)
	if err != nil {
		return "", err
	}
	name := "state.v2"
	if _, ok := o[name]; !ok {
		name = "state"
	}
	s, err := member[string](o, name)
	if err != nil {
		return "", err
	}
	switch t := Target(s); t {
	case TargetStarted, TargetPaused, TargetStopped:
		return t, nil
	}
	return "", fmt.Errorf("unknown target state %q", s)
}
