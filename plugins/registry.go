package plugins

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/connectors"
)

// A Registry knows plugins by class, alias and version. It is filled first and then only read, from any goroutine.
type Registry struct {
	plugins []*connectors.Plugin
	byClass map[string][]*connectors.Plugin
	// aliases: short names, written as they are, to the classes that they may mean.
	aliases map[string][]string
	// folded: aliases and peers' simple names in lower case, for classes of other vendors.
	folded map[string][]string
	// peers: whole class names of other vendors.
	peers map[string][]string
}

// New returns an empty Registry.
func New() *Registry {
	return &Registry{
		byClass: make(map[string][]*connectors.Plugin),
		aliases: make(map[string][]string),
		folded:  make(map[string][]string),
		peers:   make(map[string][]string),
	}
}

// Add adds plugins: all of them, or none if a descriptor is incomplete or there already.
func (r *Registry) Add(plugins ...connectors.Plugin) error {
	for i, p := range plugins {
		if err := check(p); err != nil {
			return err
		}
		same := func(q *connectors.Plugin) bool { return q.Kind == p.Kind && q.Version == p.Version }
		twice := func(q connectors.Plugin) bool { return q.Class == p.Class && same(&q) }
		if slices.ContainsFunc(r.byClass[p.Class], same) || slices.ContainsFunc(plugins[:i], twice) {
			return fmt.Errorf("plugin %s (%s) version %q: added twice", p.Class, p.Kind, p.Version)
		}
	}
	for _, p := range plugins {
		r.plugins = append(r.plugins, &p)
		r.byClass[p.Class] = append(r.byClass[p.Class], &p)
		r.index(&p)
	}
	slices.SortStableFunc(r.plugins, compare)
	return nil
}

func check(p connectors.Plugin) error {
	if p.Class == "" {
		return fmt.Errorf("plugin of kind %q: Class is empty", p.Kind)
	}
	if p.Config == nil {
		return fmt.Errorf("plugin %s: Config is nil", p.Class)
	}
	constructors := map[connectors.Kind]bool{
		connectors.KindSource:          p.NewSource != nil,
		connectors.KindSink:            p.NewSink != nil,
		connectors.KindConverter:       p.NewConverter != nil,
		connectors.KindHeaderConverter: p.NewHeaderConverter != nil,
		connectors.KindTransform:       p.NewTransform != nil,
		connectors.KindPredicate:       p.NewPredicate != nil,
	}
	if _, ok := constructors[p.Kind]; !ok {
		return fmt.Errorf("plugin %s: unknown kind %q", p.Class, p.Kind)
	}
	for kind, set := range constructors {
		if set != (kind == p.Kind) {
			return fmt.Errorf("plugin %s of kind %s: the constructor of a %s must be set and no other", p.Class, p.Kind, p.Kind)
		}
	}
	return nil
}

var kindOrder = []connectors.Kind{
	connectors.KindSink, connectors.KindSource, connectors.KindTransform, connectors.KindPredicate,
	connectors.KindConverter, connectors.KindHeaderConverter,
}

func compare(a, b *connectors.Plugin) int {
	return cmp.Or(
		slices.Index(kindOrder, a.Kind)-slices.Index(kindOrder, b.Kind),
		cmp.Compare(a.Class, b.Class),
		compareVersions(b.Version, a.Version),
	)
}

// List returns the plugins of the given kinds, of all kinds if none is given: by kind in the order of GET
// /connector-plugins, then by class, then newest first. The caller does not change them.
func (r *Registry) List(kinds ...connectors.Kind) []*connectors.Plugin {
	list := make([]*connectors.Plugin, 0, len(r.plugins))
	for _, p := range r.plugins {
		if len(kinds) == 0 || slices.Contains(kinds, p.Kind) {
			list = append(list, p)
		}
	}
	return list
}

// Classes returns the canonical classes of a kind, sorted: what validation recommends.
func (r *Registry) Classes(kinds ...connectors.Kind) []string {
	var classes []string
	for _, p := range r.List(kinds...) {
		classes = append(classes, p.Class)
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// Connector returns the source or sink connector that class means. version is a version or a range; "" and "latest" are
// the newest. Errors are *Error.
func (r *Registry) Connector(class, version string) (*connectors.Plugin, error) {
	kinds := []connectors.Kind{connectors.KindSource, connectors.KindSink}
	found := r.resolve(class, kinds)
	switch len(found) {
	case 0:
		return nil, unknownConnector(class, r.List(kinds...))
	case 1:
		return r.choose(found[0], kinds, version)
	}
	return nil, ambiguous(class, found)
}

// Lookup returns the plugin of a kind that class means, like Connector.
func (r *Registry) Lookup(kind connectors.Kind, class, version string) (*connectors.Plugin, error) {
	if kind == connectors.KindSource || kind == connectors.KindSink {
		p, err := r.Connector(class, version)
		if err == nil && p.Kind != kind {
			return nil, wrongKind(p.Class, kind)
		}
		return p, err
	}
	kinds := []connectors.Kind{kind}
	if found := r.resolve(class, kinds); len(found) == 1 {
		return r.choose(found[0], kinds, version)
	}
	return nil, r.explain(class, kind)
}

// Any returns the plugin of any kind that class means, like Connector. Of a class that has several kinds it is the first
// in the order of List.
func (r *Registry) Any(class, version string) (*connectors.Plugin, error) {
	if found := r.resolve(class, kindOrder); len(found) == 1 {
		return r.choose(found[0], kindOrder, version)
	}
	return nil, unknownClass(class)
}

// AvailableVersions returns the versions of the plugin that class means, oldest first; a class that has two kinds has
// each version twice. "undefined" stands for a plugin without a version.
func (r *Registry) AvailableVersions(class string) []string {
	found := r.resolve(class, kindOrder)
	if len(found) != 1 {
		return nil
	}
	var versions []string
	for _, p := range r.byClass[found[0]] {
		versions = append(versions, shownVersion(p.Version))
	}
	slices.SortStableFunc(versions, compareVersions)
	return versions
}

// choose returns the newest plugin of class and kinds within version.
func (r *Registry) choose(class string, kinds []connectors.Kind, version string) (*connectors.Plugin, error) {
	wanted, err := ParseRange(version)
	if err != nil {
		return nil, &Error{Problem: BadRange, Class: class, Message: err.Error(), Available: r.AvailableVersions(class)}
	}
	for _, p := range r.plugins { // newest first within a class
		if p.Class == class && slices.Contains(kinds, p.Kind) && wanted.Contains(shownVersion(p.Version)) {
			return p, nil
		}
	}
	available := r.AvailableVersions(class)
	return nil, &Error{
		Problem: UnknownVersion, Class: class, Available: available,
		Message: fmt.Sprintf("Plugin %s not found that matches the version range %s, available versions: %v",
			class, wanted, bracketed(available)),
	}
}

// UndefinedVersion is the version of a plugin that has none.
const UndefinedVersion = "undefined"

func shownVersion(version string) string {
	if version == "" {
		return UndefinedVersion
	}
	return version
}
