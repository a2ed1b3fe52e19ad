package validation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/plugins"
)

// aliasCheck wants a list without repetitions; an empty item is an alias like any other, as in Connect.
type aliasCheck struct{}

func (aliasCheck) String() string { return "unique aliases" }

func (aliasCheck) Check(name string, value any) error {
	list, ok := value.([]string)
	if !ok {
		return connectors.InvalidValue(name, value, "entry must be non null")
	}
	for i, alias := range list {
		if slices.Contains(list[:i], alias) {
			return connectors.InvalidValue(name, value, "Duplicate alias provided.")
		}
	}
	return nil
}

// An aliasKind is transforms or predicates: a list of aliases, each with a plugin and its options.
type aliasKind struct {
	list, group, display string
	kind                 connectors.Kind
}

var (
	transformAliases = aliasKind{keyTransforms, "Transforms", "Transformation", connectors.KindTransform}
	predicateAliases = aliasKind{keyPredicates, "Predicates", "Predicate", connectors.KindPredicate}
)

// aliases returns the items of a list, each once.
func (c *check) aliases(list string) []string {
	values, err := connectors.NewConfigDef(connectors.ConfigKey{Name: list, Type: connectors.ConfigList}).Parse(c.raw)
	if err != nil {
		return nil
	}
	var aliases []string
	for _, alias := range values.List(list) {
		if !slices.Contains(aliases, alias) {
			aliases = append(aliases, alias)
		}
	}
	return aliases
}

// aliasKeys are, for each alias, the type, its version and, if the type is known, the plugin's own keys.
func (c *check) aliasKeys(kind aliasKind) []connectors.ConfigKey {
	var keys []connectors.ConfigKey
	for _, alias := range c.aliases(kind.list) {
		keys = append(keys, c.keysOfAlias(kind, alias)...)
	}
	return keys
}

func (c *check) keysOfAlias(kind aliasKind, alias string) []connectors.ConfigKey {
	prefix := kind.list + "." + alias + "."
	typeKey, versionKey := prefix+"type", prefix+"plugin.version"
	group := kind.group + ": " + alias
	class, version := strings.TrimSpace(c.set[typeKey]), strings.TrimSpace(c.set[versionKey])
	newest, err := c.registry.Lookup(kind.kind, class, "")
	keys := []connectors.ConfigKey{
		{Name: typeKey, Type: connectors.ConfigClass, Required: true, ClassExists: c.classExists(kind.kind),
			Validator:   pluginCheck{c, kind, prefix},
			Recommender: recommended(c.registry.Classes(kind.kind)), Importance: connectors.High,
			Doc:   fmt.Sprintf("Class of the %s with the alias %s.", strings.ToLower(kind.display), alias),
			Group: group, Order: 0, Width: connectors.WidthLong, DisplayName: kind.display + " type for " + alias},
		{Name: versionKey, Type: connectors.ConfigString, Default: versionOf(newest), Importance: connectors.High,
			Validator: versionCheck{versionOf(newest), func(version string) error {
				if err != nil {
					return nil // the type says it
				}
				_, err := c.registry.Lookup(kind.kind, class, version)
				return err
			}},
			Recommender: versionsOf(c.registry, class),
			Doc:         fmt.Sprintf("Version of the %s with the alias %s, or a range.", strings.ToLower(kind.display), alias),
			Group:       group, Order: 1, Width: connectors.WidthLong, DisplayName: kind.display + " version for " + alias},
	}
	plugin := newest
	if found, err := c.registry.Lookup(kind.kind, class, version); err == nil {
		plugin = found
	}
	if plugin == nil || err != nil {
		return keys
	}
	return append(keys, embed(prefix, group, len(keys), ownKeys(plugin, kind))...)
}

// ownKeys are a plugin's keys, for a transform with those that tie it to a predicate.
func ownKeys(plugin *connectors.Plugin, kind aliasKind) []connectors.ConfigKey {
	var keys []connectors.ConfigKey
	for _, k := range plugin.Config.Keys() {
		keys = append(keys, *k)
	}
	if kind.kind == connectors.KindTransform {
		keys = append(keys,
			connectors.ConfigKey{Name: "predicate", Type: connectors.ConfigString, Importance: connectors.Medium, Order: -1, DisplayName: "predicate",
				Doc: "Alias of the predicate that says for which records the transform runs; all unless set."},
			connectors.ConfigKey{Name: "negate", Type: connectors.ConfigBoolean, Default: false, Importance: connectors.Medium, Order: -1, DisplayName: "negate",
				Doc: "Whether the transform runs for the records that the predicate does not match."})
	}
	return keys
}

// embed puts keys under a prefix and numbers them as Connect does: by group, the required ones first, then by importance and name.
func embed(prefix, group string, order int, keys []connectors.ConfigKey) []connectors.ConfigKey {
	var groups []string
	for _, k := range keys {
		if k.Group != "" && !slices.Contains(groups, k.Group) {
			groups = append(groups, k.Group)
		}
	}
	importance := []connectors.Importance{connectors.High, connectors.Medium, connectors.Low}
	slices.SortStableFunc(keys, func(a, b connectors.ConfigKey) int {
		return cmp.Or(
			slices.Index(groups, a.Group)-slices.Index(groups, b.Group),
			boolOrder(a.Required, b.Required),
			slices.Index(importance, a.Importance)-slices.Index(importance, b.Importance),
			cmp.Compare(a.Name, b.Name),
		)
	})
	for i := range keys {
		k := &keys[i]
		if k.Validator != nil {
			k.Validator = embeddedCheck{k.Validator, k.Name}
		}
		k.Name = prefix + k.Name
		k.Aliases = prefixed(prefix, k.Aliases)
		k.Dependents = prefixed(prefix, k.Dependents)
		k.Recommender = nil // it would ask for values by names without the prefix
		if k.Group == "" {
			k.Group = group
		} else {
			k.Group = group + ": " + k.Group
		}
		k.Order = order + i
	}
	return keys
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// embeddedCheck names a key in errors without its prefix, as the plugin knows it.
type embeddedCheck struct {
	connectors.ConfigCheck
	name string
}

func (c embeddedCheck) Check(_ string, value any) error { return c.ConfigCheck.Check(c.name, value) }

// classExists tells a CLASS key which names are classes at all; that they are plugins of the right kind is checked after.
func (c *check) classExists(kind connectors.Kind) func(string) bool {
	return func(class string) bool {
		_, err := c.registry.Lookup(kind, class, "")
		var e *plugins.Error
		return !errors.As(err, &e) || e.Problem == plugins.WrongKind || e.Problem == plugins.AbstractClass
	}
}

// pluginCheck checks the type of an alias: its kind, its version, and that negate has a predicate.
type pluginCheck struct {
	*check
	kind   aliasKind
	prefix string
}

func (pluginCheck) String() string { return "a class of the right kind" }

func (p pluginCheck) Check(_ string, value any) error {
	class, ok := value.(string)
	if !ok {
		return nil
	}
	if _, err := p.registry.Lookup(p.kind.kind, class, strings.TrimSpace(p.set[p.prefix+"plugin.version"])); err != nil {
		return errorText("%s", err)
	}
	if p.kind.kind != connectors.KindTransform {
		return nil
	}
	_, negate := p.raw[p.prefix+"negate"]
	if _, predicate := p.raw[p.prefix+"predicate"]; negate && !predicate {
		return errorText("Config '%[1]snegate' was provided but there is no config '%[1]spredicate' defining a predicate to be negated.", p.prefix)
	}
	return nil
}
