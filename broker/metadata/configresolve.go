package metadata

import (
	"strconv"
)

// ConfigSource tells where a value comes from, with the number DescribeConfigs sends.
type ConfigSource int8

const (
	SourceTopic         ConfigSource = 1
	SourceDynamicBroker ConfigSource = 2
	SourceClusterWide   ConfigSource = 3
	SourceStaticBroker  ConfigSource = 4
	SourceDefault       ConfigSource = 5
)

// ConfigValue is a value and where it comes from. Name is the key that holds it, which for broker values is the synonym.
type ConfigValue struct {
	Name   string
	Value  string
	Source ConfigSource
}

// TopicConfigEntry is one topic config in force, with everything it shadows.
type TopicConfigEntry struct {
	Def *ConfigDef
	// Value is the value in force; Source says which level gives it.
	Value  string
	Source ConfigSource
	// Synonyms lists every level that has a value, the one in force first, as DescribeConfigs shows it.
	Synonyms []ConfigValue
}

// Defaults are the broker's levels of topic configs: what a topic without its own value gets.
type Defaults struct {
	// Dynamic are the values set for this broker by AlterConfigs, Cluster those for all brokers. May be nil.
	Dynamic, Cluster map[string]string
	// Static are the keys of the broker's properties file. May be nil.
	Static map[string]string
}

// Defaults returns the broker-level values for the topics of one broker.
func (im *Image) Defaults(broker BrokerID, static map[string]string) Defaults {
	return Defaults{Dynamic: im.Config(BrokerResource(broker)), Cluster: im.Config(ClusterResource), Static: static}
}

// ResolveTopicConfig returns the entry of one key. overrides are the topic's own values.
func ResolveTopicConfig(def *ConfigDef, overrides map[string]string, defaults Defaults) TopicConfigEntry {
	e := TopicConfigEntry{Def: def}
	if v, ok := overrides[def.Name]; ok {
		e.Synonyms = append(e.Synonyms, ConfigValue{def.Name, v, SourceTopic})
	}
	for _, level := range []struct {
		values map[string]string
		source ConfigSource
	}{{defaults.Dynamic, SourceDynamicBroker}, {defaults.Cluster, SourceClusterWide}, {defaults.Static, SourceStaticBroker}} {
		for _, syn := range def.Synonyms {
			if v, ok := level.values[syn.Name]; ok {
				e.Synonyms = append(e.Synonyms, ConfigValue{syn.Name, v, level.source})
			}
		}
	}
	name := def.Name
	if len(def.Synonyms) > 0 {
		name = def.Synonyms[0].Name
	}
	e.Synonyms = append(e.Synonyms, ConfigValue{name, def.Default, SourceDefault})
	first := e.Synonyms[0]
	e.Value, e.Source = def.inTopicUnit(first), first.Source
	return e
}

// ResolveTopicConfigs returns the entries of all keys, sorted by key.
func ResolveTopicConfigs(overrides map[string]string, defaults Defaults) []TopicConfigEntry {
	entries := make([]TopicConfigEntry, len(topicConfigs))
	for i := range topicConfigs {
		entries[i] = ResolveTopicConfig(&topicConfigs[i], overrides, defaults)
	}
	return entries
}

// inTopicUnit converts the value of a broker synonym in hours or minutes to the topic key's milliseconds. Values
// below zero mean "no limit" in every unit.
func (d *ConfigDef) inTopicUnit(v ConfigValue) string {
	if v.Source == SourceTopic || v.Source == SourceDefault {
		return v.Value
	}
	for _, syn := range d.Synonyms {
		if syn.Name != v.Name || syn.Unit == 1 {
			continue
		}
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil && n > 0 {
			return strconv.FormatInt(n*syn.Unit, 10)
		}
	}
	return v.Value
}
