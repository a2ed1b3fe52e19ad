package plugins

import (
	"slices"
	"strings"

	"millrace/connectors"
)

// index enters the names of p.
func (r *Registry) index(p *connectors.Plugin) {
	for _, name := range shortNames(p.Class, p.Kind) {
		if !strings.Contains(name, "$") {
			enter(r.aliases, name, p.Class)
		}
		enter(r.folded, strings.ToLower(name), p.Class)
	}
	for _, peer := range p.Aliases {
		enter(r.peers, peer, p.Class)
		for _, name := range shortNames(peer, p.Kind) {
			enter(r.folded, strings.ToLower(name), p.Class)
		}
	}
}

func enter(m map[string][]string, name, class string) {
	if !slices.Contains(m[name], class) {
		m[name] = append(m[name], class)
	}
}

// shortNames returns the simple name of a class and the same without the suffix of its kind. That of an inner class keeps
// the outer one's (Cast$Value): Java's simple name, Value, means too many classes. As an alias Connect does not know it, so
// it only serves for classes of other vendors.
func shortNames(class string, kind connectors.Kind) []string {
	simple := lastComponent(class)
	names := []string{simple}
	suffix := interfaceName(kind)
	if i := strings.LastIndex(simple, suffix); i > 0 {
		names = append(names, simple[:i]+simple[i+len(suffix):])
	}
	return names
}

func lastComponent(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// resolve returns the canonical classes of the given kinds that name may mean.
func (r *Registry) resolve(name string, kinds []connectors.Kind) []string {
	if r.has(name, kinds) {
		return []string{name}
	}
	if found := r.only(r.aliases[name], kinds); len(found) > 0 {
		return found
	}
	if found := r.only(r.peers[name], kinds); len(found) > 0 {
		return found
	}
	if !strings.Contains(name, ".") || isJava(name) {
		return nil
	}
	return r.only(r.folded[strings.ToLower(lastComponent(name))], kinds)
}

func (r *Registry) has(class string, kinds []connectors.Kind) bool {
	return slices.ContainsFunc(r.byClass[class], func(p *connectors.Plugin) bool { return slices.Contains(kinds, p.Kind) })
}

func (r *Registry) only(classes []string, kinds []connectors.Kind) []string {
	var found []string
	for _, class := range classes {
		if r.has(class, kinds) {
			found = append(found, class)
		}
	}
	slices.Sort(found)
	return found
}

// isJava reports whether a class is one of Java's own: it exists, but is never a plugin.
func isJava(name string) bool {
	return strings.HasPrefix(name, "java.") || strings.HasPrefix(name, "javax.")
}

// explain says why name is no plugin of kind.
func (r *Registry) explain(name string, kind connectors.Kind) *Error {
	var inner []string
	for _, p := range r.plugins {
		if p.Kind == kind && strings.HasPrefix(p.Class, name+"$") {
			inner = append(inner, p.Class)
		}
	}
	if len(inner) > 0 || slices.Contains(interfaces, name) {
		return abstractClass(name, slices.Compact(inner))
	}
	if isJava(name) || r.byClass[name] != nil {
		return wrongKind(name, kind)
	}
	if classes := r.aliases[name]; len(classes) == 1 {
		return wrongKind(classes[0], kind)
	}
	return unknownClass(name)
}

// interfaces are Connect's own classes of which plugins are made.
var interfaces = []string{
	"org.apache.kafka.connect.storage.Converter",
	"org.apache.kafka.connect.storage.HeaderConverter",
	"org.apache.kafka.connect.transforms.Transformation",
	"org.apache.kafka.connect.transforms.predicates.Predicate",
	"org.apache.kafka.connect.connector.Connector",
	"org.apache.kafka.connect.source.SourceConnector",
	"org.apache.kafka.connect.sink.SinkConnector",
}
