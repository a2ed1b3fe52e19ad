package providers

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// A Provider looks up values. It is used from any goroutine.
type Provider interface {
	// Get returns the values of keys under path; those that are not there are left out.
	Get(path string, keys []string) (map[string]string, error)
}

// A Set is the config providers of a worker by name. A nil Set has none.
type Set struct {
	named  map[string]named
	unmade []string
}

type named struct {
	Provider
	ttl time.Duration
}

const prefix = "config.providers."

// classes make providers from their parameters, by their class without package and without ConfigProvider, in lower case.
var classes = map[string]struct {
	params []string
	make   func(param func(string) (string, bool)) (Provider, error)
}{
	"file":      {[]string{allowedPaths}, newFiles},
	"directory": {[]string{allowedPaths}, newDirectories},
	"envvar":    {[]string{allowlistPattern}, newEnvironment},
	"env":       {[]string{allowlistPattern}, newEnvironment},
}

const ttlMillis = "ttl.ms"

// Parse makes the providers that the properties of a worker name. Errors are *connectors.ConfigError.
func Parse(props map[string]string) (*Set, error) {
	s := &Set{named: make(map[string]named)}
	for name := range strings.SplitSeq(props["config.providers"], ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if _, set := props[prefix+name+".class"]; !set {
			s.unmade = append(s.unmade, name)
			continue
		}
		p, err := parse(name, props)
		if err != nil {
			return nil, err
		}
		s.named[name] = p
	}
	return s, nil
}

func parse(name string, props map[string]string) (named, error) {
	key := prefix + name + ".class"
	class := props[key]
	simple := class[strings.LastIndexByte(class, '.')+1:]
	kind, ok := classes[strings.ToLower(strings.TrimSuffix(strings.TrimSpace(simple), "ConfigProvider"))]
	if !ok {
		return named{}, connectors.InvalidValue(key, class,
			"no config provider has this class; there are FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider")
	}
	under := prefix + name + ".param."
	for _, k := range slices.Sorted(maps.Keys(props)) {
		// A parameter that is not known may be a bound that would not be kept.
		if param, ok := strings.CutPrefix(k, under); ok && param != ttlMillis && !slices.Contains(kind.params, param) {
			return named{}, &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s has no such parameter; it has %s and %s",
				k, simple, strings.Join(kind.params, ", "), ttlMillis)}
		}
	}
	p, err := kind.make(func(param string) (string, bool) { v, ok := props[under+param]; return v, ok })
	if err != nil {
		return named{}, &connectors.ConfigError{Msg: fmt.Sprintf("%s%s: %v", under, kind.params[0], err)}
	}
	n := named{Provider: p}
	if text, set := props[under+ttlMillis]; set {
		ms, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil || ms < 1 {
			return named{}, connectors.InvalidValue(under+ttlMillis, text, "must be a whole number of milliseconds, at least 1")
		}
		n.ttl = time.Duration(ms) * time.Millisecond
	}
	return n, nil
}

// reference is Kafka's pattern: ${provider:[path:]key}.
var reference = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// HasReference reports whether value has a reference, to whichever provider.
func HasReference(value string) bool {
	return strings.Contains(value, "${") && reference.MatchString(value)
}

// Resolved is a configuration without its references.
type Resolved struct {
	// Config has the values; it is the one given if there was nothing to resolve.
	Config map[string]string
	// Changed are the keys whose values had a reference that was replaced, sorted.
	Changed []string
	// Secrets are the values that replaced references.
	Secrets []string
	// Missing are the references that stay as they are.
	Missing []Reference
	// TTL is the time after which the values should be looked at again; 0 if they stay.
	TTL time.Duration
}

// A Reference is the part of a value that a provider replaces.
type Reference struct {
	// ConfigKey is the configuration's key; Provider, Path and Key are what its value says.
	ConfigKey, Provider, Path, Key string
}

// lookup is what is asked of a provider at once.
type lookup struct{ provider, path string }

// Resolve replaces the references in config. An error says which of its keys refers to something that cannot be read.
func (s *Set) Resolve(config map[string]string) (Resolved, error) {
	var refs []Reference
	for _, k := range slices.Sorted(maps.Keys(config)) {
		if strings.Contains(config[k], "${") {
			for _, m := range reference.FindAllStringSubmatch(config[k], -1) {
				refs = append(refs, Reference{k, m[1], m[3], m[4]})
			}
		}
	}
	r := Resolved{Config: config}
	if len(refs) == 0 {
		return r, nil
	}
	found, err := s.lookUp(refs)
	if err != nil {
		return Resolved{}, err
	}
	r.Config = maps.Clone(config)
	for _, ref := range refs {
		if p, ok := s.provider(ref.Provider); ok && p.ttl > 0 && (r.TTL == 0 || p.ttl < r.TTL) {
			r.TTL = p.ttl
		}
		value, ok := found[lookup{ref.Provider, ref.Path}][ref.Key]
		switch {
		case !ok:
			r.Missing = append(r.Missing, ref)
			continue
		case !slices.Contains(r.Changed, ref.ConfigKey):
			r.Changed = append(r.Changed, ref.ConfigKey)
		}
		if !slices.Contains(r.Secrets, value) {
			r.Secrets = append(r.Secrets, value)
		}
	}
	for _, k := range r.Changed {
		r.Config[k] = replace(config[k], found)
	}
	return r, nil
}

// Unmade are the names in config.providers that have no class: as in Kafka, they are no providers and no mistake.
func (s *Set) Unmade() []string {
	if s == nil {
		return nil
	}
	return s.unmade
}

// Has reports whether there is a provider of that name.
func (s *Set) Has(name string) bool {
	_, ok := s.provider(name)
	return ok
}

func (s *Set) provider(name string) (named, bool) {
	if s == nil {
		return named{}, false
	}
	p, ok := s.named[name]
	return p, ok
}

// lookUp asks each provider once for each path.
func (s *Set) lookUp(refs []Reference) (map[lookup]map[string]string, error) {
	keys := make(map[lookup][]string)
	for _, ref := range refs {
		l := lookup{ref.Provider, ref.Path}
		keys[l] = append(keys[l], ref.Key)
	}
	found := make(map[lookup]map[string]string, len(keys))
	for _, ref := range refs {
		l := lookup{ref.Provider, ref.Path}
		p, ok := s.provider(l.provider)
		if _, done := found[l]; done || !ok {
			continue
		}
		values, err := p.Get(l.path, keys[l])
		if err != nil {
			return nil, &connectors.ConfigError{Msg: fmt.Sprintf("%s: config provider %s: %v", ref.ConfigKey, l.provider, err)}
		}
		found[l] = values
	}
	return found, nil
}

func replace(value string, found map[lookup]map[string]string) string {
	var b strings.Builder
	from := 0
	for _, m := range reference.FindAllStringSubmatchIndex(value, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return value[m[2*i]:m[2*i+1]]
		}
		if v, ok := found[lookup{group(1), group(3)}][group(4)]; ok {
			b.WriteString(value[from:m[0]] + v)
			from = m[1]
		}
	}
	return b.String() + value[from:]
}
