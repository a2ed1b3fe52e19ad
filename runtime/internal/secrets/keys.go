package secrets

import (
	"maps"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/plugins/providers"
)

// Hidden stands for a secret value.
const Hidden = "[hidden]"

// words make a key look like that of a secret, wherever they stand in it; dashes and underscores count as dots.
var words = []string{
	"password", "passwd", "passphrase", "secret", "token", "credential", "jaas", "api.key", "apikey", "access.key", "accesskey",
	"private.key", "privatekey", "keystore.key", "user.info", "auth.header",
}

// ends of keys that only say where a secret is or how it is made.
var ends = []string{
	"url", "uri", "endpoint", "file", "location", "path", "class", "type", "source", "provider", "algorithm", "ms", "enable", "enabled",
}

var dots = strings.NewReplacer("-", ".", "_", ".")

// LooksSecret reports whether a key's name says that it holds a secret.
func LooksSecret(name string) bool {
	name = dots.Replace(strings.ToLower(name))
	if slices.Contains(ends, name[strings.LastIndexByte(name, '.')+1:]) {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// Keys tells the secret keys of one configuration. The zero value has none.
type Keys struct {
	on bool
	// groups are the definitions by the prefix that their keys have; the connector's has none.
	groups []group
}

type group struct {
	prefix string
	def    *connectors.ConfigDef
}

// KeysOf returns the secret keys of a connector's configuration.
func KeysOf(registry *plugins.Registry, config map[string]string) Keys {
	k := Keys{on: true}
	add := func(prefix string, p *connectors.Plugin, err error) {
		g := group{prefix: prefix}
		if err == nil {
			g.def = p.Config
		}
		k.groups = append(k.groups, g)
	}
	for _, c := range []struct {
		key  string
		kind connectors.Kind
	}{
		{"key.converter", connectors.KindConverter}, {"value.converter", connectors.KindConverter}, {"header.converter", connectors.KindHeaderConverter},
	} {
		if class := strings.TrimSpace(config[c.key]); class != "" {
			p, err := registry.Lookup(c.kind, class, strings.TrimSpace(config[c.key+".plugin.version"]))
			add(c.key+".", p, err)
		}
	}
	for _, c := range []struct {
		list string
		kind connectors.Kind
	}{
		{"transforms", connectors.KindTransform}, {"predicates", connectors.KindPredicate},
	} {
		for alias := range strings.SplitSeq(config[c.list], ",") {
			if alias = strings.TrimSpace(alias); alias != "" {
				prefix := c.list + "." + alias + "."
				p, err := registry.Lookup(c.kind, strings.TrimSpace(config[prefix+"type"]), strings.TrimSpace(config[prefix+"plugin.version"]))
				add(prefix, p, err)
			}
		}
	}
	p, err := registry.Connector(strings.TrimSpace(config["connector.class"]), strings.TrimSpace(config["connector.plugin.version"]))
	add("", p, err)
	return k
}

// Secret reports whether the key called name holds a secret.
func (k Keys) Secret(name string) bool {
	if !k.on {
		return false
	}
	for _, g := range k.groups {
		option, ok := strings.CutPrefix(name, g.prefix)
		if !ok {
			continue
		}
		if def := lookup(g.def, option); def != nil {
			return def.Type == connectors.ConfigPassword || def.Type == connectors.ConfigString && LooksSecret(option)
		}
		if g.prefix != "" {
			return LooksSecret(option) // the alias in the prefix says nothing
		}
	}
	return LooksSecret(name)
}

// Canonical returns the name that the connector's definition has for a key given by one of its aliases.
func (k Keys) Canonical(name string) string {
	for _, g := range k.groups {
		if option, ok := strings.CutPrefix(name, g.prefix); ok {
			if def := lookup(g.def, option); def != nil {
				return g.prefix + def.Name
			}
		}
	}
	return name
}

func lookup(def *connectors.ConfigDef, name string) *connectors.ConfigKey {
	if k := def.Lookup(name); k != nil {
		return k
	}
	for _, k := range def.Keys() {
		if slices.Contains(k.Aliases, name) {
			return k
		}
	}
	return nil
}

// Hides reports whether the value of a key is to be masked: references and empty values are not.
func (k Keys) Hides(name, value string) bool {
	return value != "" && k.Secret(name) && !providers.HasReference(value)
}

// Mask returns config with its secrets hidden.
func (k Keys) Mask(config connectors.RawConfig) connectors.RawConfig {
	if !k.on {
		return config
	}
	hidden := Hidden
	masked := maps.Clone(config)
	for name, v := range config {
		if v != nil && k.Hides(name, *v) {
			masked[name] = &hidden
		}
	}
	return masked
}

// Values are the secrets in config, for a Scrubber.
func (k Keys) Values(config map[string]string) []string {
	var values []string
	for name, v := range config {
		if k.Hides(name, v) {
			values = append(values, v)
		}
		if k.Secret(name) {
			for _, m := range quoted.FindAllStringSubmatch(v, -1) {
				if !providers.HasReference(m[1]) {
					values = append(values, m[1])
				}
			}
		}
	}
	return values
}

// Restore replaces what is hidden in config by what is stored. missing are the keys, sorted, for which nothing is.
func Restore(config, stored connectors.RawConfig) (restored connectors.RawConfig, missing []string) {
	restored = maps.Clone(config)
	for name, v := range config {
		if v == nil || *v != Hidden {
			continue
		}
		if old := stored[name]; old != nil && *old != Hidden {
			restored[name] = old
		} else {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return restored, missing
}
