package heal

import (
	"time"

	"millrace/connectors"
)

// The keys of a policy. A connector's own go before the worker's.
const (
	KeyPolicy     = "restart.policy"
	KeyBackoff    = "restart.backoff.ms"
	KeyBackoffMax = "restart.backoff.max.ms"
	KeyAttempts   = "restart.max.attempts"
	KeyReset      = "restart.reset.ms"
)

// least is the shortest delay: people and tools that look every few seconds see the failure.
const least = 5 * time.Second

// Keys define a policy.
func Keys() []connectors.ConfigKey {
	millis := func(name string, byDefault time.Duration, doc string) connectors.ConfigKey {
		return connectors.ConfigKey{Name: name, Type: connectors.ConfigLong, Default: byDefault.Milliseconds(),
			Validator: connectors.AtLeast(float64(least.Milliseconds())), Importance: connectors.Low, Doc: doc}
	}
	return []connectors.ConfigKey{
		{Name: KeyPolicy, Type: connectors.ConfigString, Default: "backoff", Validator: connectors.In("backoff", "none"), Importance: connectors.Medium,
			Doc: "What happens to a connector or task that failed: backoff restarts it after a while, none leaves it FAILED, as Kafka Connect does. " +
				"Mistakes in a configuration are never tried again. Connectors may have this and the other keys of restart.* for themselves."},
		millis(KeyBackoff, least, "How long what failed waits for its first restart, in milliseconds; each further wait is twice as long."),
		millis(KeyBackoffMax, 5*time.Minute, "The longest wait for a restart, in milliseconds."),
		{Name: KeyAttempts, Type: connectors.ConfigInt, Default: int32(10), Validator: connectors.AtLeast(1), Importance: connectors.Low,
			Doc: "How often in a row a connector or task is restarted before it stays FAILED."},
		millis(KeyReset, 10*time.Minute, "How long what was restarted must run until its failures are forgotten, in milliseconds."),
	}
}

// A Policy says when what failed is restarted.
type Policy struct {
	// Restarts is false for restart.policy=none.
	Restarts bool
	// First and Max bound the wait, which doubles.
	First, Max time.Duration
	// Attempts is the budget of restarts in a row; it is full again after Reset without a failure.
	Attempts int
	Reset    time.Duration
}

// Parse reads a policy from a connector's configuration and, for what that does not say, the worker's. The error names key, value and rule.
func Parse(connector, worker map[string]string) (Policy, error) {
	raw := make(map[string]string)
	keys := Keys()
	for _, k := range keys {
		if v, ok := worker[k.Name]; ok {
			raw[k.Name] = v
		}
		if v, ok := connector[k.Name]; ok {
			raw[k.Name] = v
		}
	}
	v, err := connectors.NewConfigDef(keys...).Parse(connectors.Raw(raw))
	if err != nil {
		return Policy{}, err
	}
	return Policy{
		Restarts: v.String(KeyPolicy) == "backoff",
		First:    v.Millis(KeyBackoff), Max: v.Millis(KeyBackoffMax), Attempts: int(v.Int(KeyAttempts)), Reset: v.Millis(KeyReset),
	}, nil
}

// Delay is the wait for restart number attempt, counted from 1. chance, in [0, 1), moves it by a fifth in either direction.
func (p Policy) Delay(attempt int, chance float64) time.Duration {
	wait := max(p.First, least)
	for range attempt - 1 {
		if wait >= p.Max {
			break
		}
		wait *= 2
	}
	wait = min(wait, max(p.Max, least))
	return max(wait+time.Duration(float64(wait)*(chance-0.5)*0.4), least)
}
