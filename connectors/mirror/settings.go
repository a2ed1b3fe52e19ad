package mirror

import (
	"math"
	"time"

	"millrace/connectors"
)

// Kafka's definitions lack what the framework, the tasks and the default filters read; these have it too.
var (
	sourceRead = sourceDef.With(nameKey(), taskKey(keyTaskPartitions), indexKey(),
		text(keyUseDefaultsFrom, atTarget, connectors.Medium, "Whose defaults a remote topic gets."))
	checkpointRead = checkpointDef.With(append(topicKeys(), nameKey(), taskKey(keyTaskGroups), indexKey())...)
	heartbeatRead  = heartbeatDef.With(nameKey(), indexKey())
)

func nameKey() connectors.ConfigKey {
	return text(keyName, "", connectors.Low, "The connector's name.")
}

func indexKey() connectors.ConfigKey {
	return number(keyTaskIndex, connectors.ConfigInt, nil, "The task's number.")
}

func taskKey(name string) connectors.ConfigKey {
	return key(name, connectors.ConfigList, nil, connectors.Low, "What the task is to do.")
}

// settings are a configuration that was read.
type settings struct {
	connectors.Values
	raw            map[string]string
	source, target string
	policy         policy
}

func read(def *connectors.ConfigDef, config map[string]string) (*settings, error) {
	v, err := def.Parse(connectors.Raw(config))
	if err != nil {
		return nil, err
	}
	return &settings{
		Values: v, raw: config, source: v.String(keySourceAlias), target: v.String(keyTargetAlias),
		policy: newPolicy(v.String(keyPolicy), config),
	}, nil
}

// interval is how often something is done; 0 is never.
func (s *settings) interval(prefix string) (time.Duration, error) {
	seconds := s.Long(prefix + intervalSuffix)
	switch {
	case !s.Bool(prefix+enabledSuffix) || seconds < 0:
		return 0, nil
	case seconds == 0:
		return 0, connectors.InvalidValue(prefix+intervalSuffix, seconds, "Value must be at least 1, or less than 0 for never")
	}
	return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second, nil
}

// adminTimeout bounds each round of managing topics or groups.
func (s *settings) adminTimeout() time.Duration { return max(s.Millis(keyAdminTimeout), time.Second) }

// pollTimeout is how long a poll waits. The runtime wants its task back after about a second.
func (s *settings) pollTimeout() time.Duration {
	return min(max(s.Millis(keyPollTimeout), time.Millisecond), time.Second)
}

// offsetSyncsTopic is called after the other cluster than the one that has it.
func (s *settings) offsetSyncsTopic() string {
	other := s.source
	if s.String(keySyncsLocation) == atSource {
		other = s.target
	}
	return s.policy.offsetSyncsTopic(other)
}

// set reports whether a key was given, so that its value is no default.
func (s *settings) set(key string) bool {
	_, ok := s.raw[key]
	return ok
}
