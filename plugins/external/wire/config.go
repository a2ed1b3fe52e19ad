package wire

import (
	"errors"
	"fmt"
	"slices"

	"millrace/connectors"
	"millrace/plugins/external/proto"
)

// Class returns the description of a plugin.
func Class(p connectors.Plugin) *proto.Class {
	c := &proto.Class{Kind: string(p.Kind), Class: p.Class, Aliases: p.Aliases, Version: p.Version, TaskClass: p.TaskClass}
	for _, k := range p.Config.Keys() {
		m := &proto.ConfigKey{
			Name: k.Name, Aliases: k.Aliases, Type: string(k.Type), Default: k.DefaultText(), Required: k.Required,
			Importance: string(k.Importance), Doc: k.Doc, Group: k.Group, Order: int32(k.Order), Width: string(k.Width),
			DisplayName: k.DisplayName, Dependents: k.Dependents,
		}
		if p, ok := k.Default.(connectors.Password); ok {
			text := string(p)
			m.Default = &text
		}
		if k.Validator != nil {
			m.Rule = k.Validator.String()
		}
		c.Config = append(c.Config, m)
	}
	return c
}

var (
	configTypes = []connectors.ConfigType{
		connectors.ConfigBoolean, connectors.ConfigString, connectors.ConfigInt, connectors.ConfigShort, connectors.ConfigLong,
		connectors.ConfigDouble, connectors.ConfigList, connectors.ConfigClass, connectors.ConfigPassword,
	}
	importances = []connectors.Importance{connectors.High, connectors.Medium, connectors.Low}
	widths      = []connectors.Width{"", connectors.WidthNone, connectors.WidthShort, connectors.WidthMedium, connectors.WidthLong}
)

// ConfigDef returns the definition that c describes. Rules are shown; only the plugin can enforce them.
func ConfigDef(c *proto.Class) (def *connectors.ConfigDef, err error) {
	var keys []connectors.ConfigKey
	for _, m := range c.GetConfig() {
		k := connectors.ConfigKey{
			Name: m.GetName(), Aliases: m.GetAliases(), Type: connectors.ConfigType(m.GetType()), Required: m.GetRequired(),
			Importance: connectors.Importance(m.GetImportance()), Doc: m.GetDoc(), Group: m.GetGroup(), Order: int(m.GetOrder()),
			Width: connectors.Width(m.GetWidth()), DisplayName: m.GetDisplayName(), Dependents: m.GetDependents(),
		}
		if k.Importance == "" {
			k.Importance = connectors.Medium
		}
		switch {
		case k.Name == "":
			return nil, errors.New("a configuration key has no name")
		case !slices.Contains(configTypes, k.Type):
			return nil, fmt.Errorf("configuration key %q: unknown type %q, want one of %v", k.Name, k.Type, configTypes)
		case !slices.Contains(importances, k.Importance):
			return nil, fmt.Errorf("configuration key %q: unknown importance %q, want one of %v", k.Name, k.Importance, importances)
		case !slices.Contains(widths, k.Width):
			return nil, fmt.Errorf("configuration key %q: unknown width %q, want one of %v", k.Name, k.Width, widths[1:])
		}
		if m.Default != nil && !k.Required {
			k.Default = m.GetDefault()
		}
		if m.GetRule() != "" {
			k.Validator = connectors.CheckFunc(m.GetRule(), func(any) string { return "" })
		}
		keys = append(keys, k)
	}
	// NewConfigDef panics on mistakes of a program. Here it is another program's: an error.
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*connectors.ConfigError)
			if !ok {
				panic(r)
			}
			def, err = nil, e
		}
	}()
	return connectors.NewConfigDef(keys...), nil
}

// TopicOffsets returns partitions with their offsets.
func TopicOffsets(offsets map[connectors.TopicPartition]int64) []*proto.TopicOffset {
	list := make([]*proto.TopicOffset, 0, len(offsets))
	for p, offset := range offsets {
		list = append(list, &proto.TopicOffset{Topic: p.Topic, Partition: p.Partition, Offset: &offset})
	}
	return list
}

// FromTopicOffsets is the reverse of TopicOffsets; partitions without an offset are left out.
func FromTopicOffsets(list []*proto.TopicOffset) map[connectors.TopicPartition]int64 {
	offsets := make(map[connectors.TopicPartition]int64, len(list))
	for _, o := range list {
		if o.Offset != nil {
			offsets[connectors.TopicPartition{Topic: o.GetTopic(), Partition: o.GetPartition()}] = o.GetOffset()
		}
	}
	return offsets
}

// Partitions returns partitions without offsets.
func Partitions(partitions []connectors.TopicPartition) []*proto.TopicOffset {
	list := make([]*proto.TopicOffset, len(partitions))
	for i, p := range partitions {
		list[i] = &proto.TopicOffset{Topic: p.Topic, Partition: p.Partition}
	}
	return list
}

// FromPartitions is the reverse of Partitions.
func FromPartitions(list []*proto.TopicOffset) []connectors.TopicPartition {
	partitions := make([]connectors.TopicPartition, len(list))
	for i, p := range list {
		partitions[i] = connectors.TopicPartition{Topic: p.GetTopic(), Partition: p.GetPartition()}
	}
	return partitions
}
