package settings

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"millrace/plugins/properties"
)

// Settings are the properties of a process with the place of each. The zero value is empty and ready.
type Settings struct {
	values map[string]string
	places map[string]string
}

func (s *Settings) set(key, value, place string) {
	if s.values == nil {
		s.values, s.places = make(map[string]string), make(map[string]string)
	}
	s.values[key], s.places[key] = value, place
}

// AddDefaults sets the keys that are not set.
func (s *Settings) AddDefaults(defaults map[string]string) {
	for k, v := range defaults {
		if _, ok := s.values[k]; !ok {
			s.set(k, v, "default")
		}
	}
}

// AddFile reads a .properties file; prefix is put before each of its keys.
func (s *Settings) AddFile(path, prefix string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	entries, err := properties.Parse(data)
	if err != nil {
		return placed(path, err)
	}
	for _, e := range entries {
		s.set(prefix+e.Key, e.Value, fmt.Sprintf("%s:%d", path, e.Line))
	}
	return nil
}

// EnvPrefix begins the names of environment variables that are settings, as in Kafka Connect's container images.
const EnvPrefix = "CONNECT_"

// AddEnvironment reads the variables that begin with EnvPrefix: CONNECT_OFFSET_FLUSH_INTERVAL_MS is
// offset.flush.interval.ms. A double underscore is a dash, a triple one an underscore. The log4j settings of those images
// mean nothing here.
func (s *Settings) AddEnvironment(environ []string) {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		rest, ok := strings.CutPrefix(name, EnvPrefix)
		if !ok || rest == "" || strings.HasPrefix(rest, "LOG4J_") || strings.HasPrefix(rest, "TOOLS_") {
			continue
		}
		s.set(envKey(rest), value, name)
	}
}

// AddJavaOptions reads KAFKA_OPTS, in which Kafka's scripts give options to Java: a login configuration there becomes the key of the
// same name, unless that is set. Other options mean nothing here.
func (s *Settings) AddJavaOptions(environ []string) {
	const variable, key = "KAFKA_OPTS", "java.security.auth.login.config"
	for _, v := range environ {
		options, ok := strings.CutPrefix(v, variable+"=")
		if !ok {
			continue
		}
		for option := range strings.FieldsSeq(options) {
			path, ok := strings.CutPrefix(option, "-D"+key+"=")
			if _, set := s.values[key]; ok && !set {
				s.set(key, path, variable)
			}
		}
	}
}

var envReplacer = strings.NewReplacer("___", "_", "__", "-", "_", ".")

func envKey(name string) string { return envReplacer.Replace(strings.ToLower(name)) }

// AddPairs reads key=value pairs of the command line.
func (s *Settings) AddPairs(pairs []string, prefix string) error {
	var errs []error
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			errs = append(errs, fmt.Errorf("--set %q: want key=value", pair))
			continue
		}
		s.set(prefix+key, value, "--set "+key)
	}
	return errors.Join(errs...)
}

// Values returns the properties whose keys do not begin with one of the prefixes.
func (s *Settings) Values(without ...string) map[string]string {
	values := maps.Clone(s.values)
	maps.DeleteFunc(values, func(k, _ string) bool {
		return slices.ContainsFunc(without, func(prefix string) bool { return strings.HasPrefix(k, prefix) })
	})
	return values
}

// Under returns the properties whose keys begin with prefix, without it.
func (s *Settings) Under(prefix string) map[string]string {
	values := make(map[string]string)
	for k, v := range s.values {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			values[name] = v
		}
	}
	return values
}

// Explain puts the place of the key that each part of err is about before it. prefix is what the keys that err names
// lack here.
func (s *Settings) Explain(err error, prefix string) error {
	if err == nil {
		return nil
	}
	var placedErrs []error
	for _, one := range leaves(err) {
		if place := s.Place(one.Error(), prefix); place != "" {
			one = fmt.Errorf("%s: %w", place, one)
		}
		placedErrs = append(placedErrs, one)
	}
	return errors.Join(placedErrs...)
}

// Place returns where the key that a message is about was set: the longest key in it. It is empty if the message names no
// key that was set.
func (s *Settings) Place(message, prefix string) string {
	best := ""
	for key := range s.values {
		if name, ok := strings.CutPrefix(key, prefix); ok && len(key) > len(best) && mentions(message, name) {
			best = key
		}
	}
	if place := s.places[best]; place != "default" {
		return place
	}
	return ""
}

// mentions reports whether message has name as a word of its own: not as a part of a longer key.
func mentions(message, name string) bool {
	if name == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(message[from:], name)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(name)
		before := begin == 0 || !inKey(message[begin-1])
		after := end == len(message) || !inKey(message[end]) || message[end] == '.' && (end+1 == len(message) || !inKey(message[end+1]))
		if before && after {
			return true
		}
		from = begin + 1
	}
}

func inKey(c byte) bool {
	return c == '.' || c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

func placed(path string, err error) error {
	var syntax *properties.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%s:%d: %s", path, syntax.Line, syntax.Msg)
	}
	return fmt.Errorf("%s: %w", path, err)
}
