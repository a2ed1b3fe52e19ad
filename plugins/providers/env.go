package providers

import (
	"fmt"
	"os"

	"millrace/plugins/javaregex"
)

const allowlistPattern = "allowlist.pattern"

// environment is Kafka's EnvVarConfigProvider: a key is a variable, there is no path.
type environment struct{ allowed *javaregex.Regexp }

func newEnvironment(param func(string) (string, bool)) (Provider, error) {
	pattern, set := param(allowlistPattern)
	if !set {
		pattern = ".*"
	}
	re, err := javaregex.Compile(pattern)
	return environment{re}, err
}

// Get implements Provider.
func (p environment) Get(path string, keys []string) (map[string]string, error) {
	if path != "" {
		return nil, fmt.Errorf("Path is not supported for EnvVarConfigProvider, invalid value '%s'", path)
	}
	values := make(map[string]string, len(keys))
	for _, k := range keys {
		if v, ok := os.LookupEnv(k); ok && p.allowed.MatchWhole(k) {
			values[k] = v
		}
	}
	return values, nil
}
