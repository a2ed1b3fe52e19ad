package validation

import (
	"strings"

	"millrace/connectors"
)

// converters are the three kinds of a record's parts.
var converters = []struct {
	key  string
	kind connectors.Kind
	as   string
}{
	{"header.converter", connectors.KindHeaderConverter, "header"},
	{"key.converter", connectors.KindConverter, "key"},
	{"value.converter", connectors.KindConverter, "value"},
}

// converterKeys completes the converters' keys among the framework's: defaults are the worker's.
func (c *check) converterKeys(keys []connectors.ConfigKey) {
	byDefault := map[string]string{
		"header.converter": c.config.HeaderConverter, "key.converter": c.config.KeyConverter, "value.converter": c.config.ValueConverter,
	}
	if c.config.AnyConverter && c.connector.Converter != "" {
		byDefault["key.converter"], byDefault["value.converter"] = c.connector.Converter, c.connector.Converter
	}
	if c.config.AnyHeaderConverter && c.connector.HeaderConverter != "" {
		byDefault["header.converter"] = c.connector.HeaderConverter
	}
	for _, conv := range converters {
		class := byDefault[conv.key]
		if given, ok := c.set[conv.key]; ok {
			class = strings.TrimSpace(given)
		}
		plugin, err := c.registry.Lookup(conv.kind, class, "")
		for i := range keys {
			k := &keys[i]
			switch k.Name {
			case conv.key:
				k.Recommender = recommended(c.registry.Classes(conv.kind))
				k.ClassExists = c.classExists(conv.kind)
				if p, err := c.registry.Lookup(conv.kind, byDefault[conv.key], ""); err == nil {
					k.Default = p.Class
				}
			case conv.key + versionSuffix:
				k.Recommender = versionsOf(c.registry, class)
				k.Default = versionOf(plugin)
				k.Validator = versionCheck{k.Default, func(version string) error {
					if err != nil {
						return wellFormed(version)
					}
					_, err := c.registry.Lookup(conv.kind, class, version)
					return err
				}}
			}
		}
	}
}

// checkConverterClasses checks the classes of the converters that the connector names itself: their kind and, unless the version
// is malformed, their version. (No ConfigCheck, because that would also judge the worker's class by the connector's version.)
func (c *check) checkConverterClasses(values map[string]*connectors.ConfigValue) {
	for _, conv := range converters {
		class, ok := values[conv.key].Value.(string)
		if _, given := c.set[conv.key]; !ok || !given {
			continue
		}
		version := strings.TrimSpace(c.set[conv.key+versionSuffix])
		if wellFormed(version) != nil {
			version = ""
		}
		if _, err := c.registry.Lookup(conv.kind, class, version); err != nil {
			values[conv.key].AddError(err.Error())
		}
	}
}

// checkConverters adds the options of each converter that the connector names and that has no error yet.
func (c *check) checkConverters(main *block) {
	for _, conv := range converters {
		class, given := c.set[conv.key]
		if !given || len(main.values[conv.key].Errors) > 0 || len(main.values[conv.key+versionSuffix].Errors) > 0 {
			continue
		}
		plugin, err := c.registry.Lookup(conv.kind, strings.TrimSpace(class), strings.TrimSpace(c.set[conv.key+versionSuffix]))
		if err != nil {
			continue // main has said it
		}
		prefix := conv.key + "."
		options := connectors.RawConfig{"converter.type": &conv.as}
		for name, value := range c.raw {
			if option, ok := strings.CutPrefix(name, prefix); ok {
				options[option] = value
			}
		}
		c.addPrefixed(prefix, plugin.Config, plugin.Config.Validate(options))
	}
}

// addPrefixed adds a block of keys that the connector's configuration has under a prefix.
func (c *check) addPrefixed(prefix string, def *connectors.ConfigDef, values []*connectors.ConfigValue) {
	b := c.result.block()
	b.countKeys = true
	for _, k := range def.Keys() {
		k := *k
		k.Name = prefix + k.Name
		k.Dependents = prefixed(prefix, k.Dependents)
		b.defs = append(b.defs, &k)
	}
	for _, v := range values {
		v.Name = prefix + v.Name
		b.values[v.Name] = v
	}
}

// canonicalClasses shows plugins by their full class names, whatever short name was written.
func (c *check) canonicalClasses(main *block) {
	for _, k := range main.defs {
		v := main.values[k.Name]
		name, ok := v.Value.(string)
		if k.Type != connectors.ConfigClass || !ok {
			continue
		}
		for _, kind := range []connectors.Kind{connectors.KindConverter, connectors.KindHeaderConverter, connectors.KindTransform, connectors.KindPredicate} {
			if p, err := c.registry.Lookup(kind, name, ""); err == nil {
				v.Value = p.Class
				break
			}
		}
	}
}
