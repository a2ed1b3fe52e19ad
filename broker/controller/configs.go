package controller

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/broker/metadata"
)

// newTopicConfigs checks the configs of a new topic. The same key twice: the last value counts.
func newTopicConfigs(configs []ConfigValue) (map[string]string, error) {
	values := make(map[string]string, len(configs))
	for _, c := range configs {
		def, ok := metadata.LookupTopicConfig(c.Name)
		if !ok {
			return nil, refuse(metadata.ErrInvalidConfig, "Unknown topic config name: %s", c.Name)
		}
		if c.Value == nil {
			return nil, refuse(metadata.ErrInvalidConfig, "Null value not supported for topic configs: %s", c.Name)
		}
		v, err := def.Parse(*c.Value)
		if err != nil {
			return nil, err
		}
		values[c.Name] = v
	}
	return values, metadata.ValidateTopicConfigs(values)
}

// lookup finds the definition of a key of a resource that exists.
func lookup(im *metadata.Image, r metadata.ConfigResource, key string) (*metadata.ConfigDef, error) {
	if r.Type == metadata.ResourceTopic {
		def, ok := metadata.LookupTopicConfig(key)
		if !ok {
			return nil, refuse(metadata.ErrInvalidConfig, "Unknown topic config name: %s", key)
		}
		return def, nil
	}
	def, ok := metadata.LookupBrokerConfig(key)
	if !ok {
		return nil, refuse(metadata.ErrInvalidRequest, "Cannot update these configs dynamically: %s; set it in the broker's properties file", key)
	}
	return def, nil
}

func checkResource(im *metadata.Image, r metadata.ConfigResource) error {
	switch r.Type {
	case metadata.ResourceTopic:
		if im.Topic(r.Name) == nil {
			return refuse(metadata.ErrUnknownTopic, "The topic '%s' does not exist.", r.Name)
		}
	case metadata.ResourceBroker:
		if r.Name == "" {
			return nil
		}
		if id, err := strconv.ParseInt(r.Name, 10, 32); err != nil || im.Broker(metadata.BrokerID(id)) == nil {
			return refuse(metadata.ErrInvalidRequest, "There is no broker %q.", r.Name)
		}
	default:
		return refuse(metadata.ErrInvalidRequest, "Configs of resource type %d cannot be changed.", r.Type)
	}
	return nil
}

// configChange computes the new values of one resource.
type configChange struct {
	resource metadata.ConfigResource
	compute  func(old map[string]string) (map[string]string, error)
}

// decideConfigs is what both kinds of AlterConfigs share: a resource named twice is refused, the others are changed each
// on their own.
func decideConfigs(im *metadata.Image, changes []configChange) ([]ConfigResult, []metadata.Record) {
	twice := repeated(changes, func(c configChange) metadata.ConfigResource { return c.resource })
	var results []ConfigResult
	var records []metadata.Record
	for _, c := range changes {
		if twice[c.resource] {
			if !slices.ContainsFunc(results, func(r ConfigResult) bool { return r.Resource == c.resource }) {
				results = append(results, ConfigResult{c.resource, refuse(metadata.ErrInvalidRequest, "Each resource must appear at most once.")})
			}
			continue
		}
		old := im.Config(c.resource)
		err := checkResource(im, c.resource)
		var next map[string]string
		if err == nil {
			next, err = c.compute(old)
		}
		if err == nil && c.resource.Type == metadata.ResourceTopic {
			err = metadata.ValidateTopicConfigs(next)
		}
		results = append(results, ConfigResult{c.resource, err})
		if err == nil {
			records = append(records, configRecords(c.resource, old, next)...)
		}
	}
	return results, records
}

func configRecords(r metadata.ConfigResource, old, next map[string]string) []metadata.Record {
	var records []metadata.Record
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := next[name]; !ok {
			records = append(records, &metadata.ConfigRecord{Resource: r, Name: name, Remove: true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if was, ok := old[name]; !ok || was != next[name] {
			records = append(records, &metadata.ConfigRecord{Resource: r, Name: name, Value: next[name]})
		}
	}
	return records
}

func (d *decider) replaceConfigs(im *metadata.Image, changes []ReplaceConfigs) ([]ConfigResult, []metadata.Record) {
	list := make([]configChange, len(changes))
	for i, c := range changes {
		list[i] = configChange{c.Resource, func(map[string]string) (map[string]string, error) {
			values := make(map[string]string, len(c.Configs))
			for _, v := range c.Configs {
				def, err := lookup(im, c.Resource, v.Name)
				if err != nil {
					return nil, err
				}
				if v.Value == nil {
					return nil, refuse(metadata.ErrInvalidRequest, "Null value not supported for: %s", v.Name)
				}
				if values[v.Name], err = def.Parse(*v.Value); err != nil {
					return nil, err
				}
			}
			return values, nil
		}}
	}
	return decideConfigs(im, list)
}

func (d *decider) alterConfigs(im *metadata.Image, changes []AlterConfigs) ([]ConfigResult, []metadata.Record) {
	list := make([]configChange, len(changes))
	for i, c := range changes {
		list[i] = configChange{c.Resource, func(old map[string]string) (map[string]string, error) {
			if twice := repeated(c.Ops, func(o ConfigOp) string { return o.Name }); len(twice) > 0 {
				return nil, refuse(metadata.ErrInvalidRequest, "Error due to duplicate config keys: %s", strings.Join(slices.Sorted(maps.Keys(twice)), ", "))
			}
			next := maps.Clone(old)
			if next == nil {
				next = make(map[string]string)
			}
			for _, op := range c.Ops {
				if err := applyOp(im, c.Resource, next, op); err != nil {
					return nil, err
				}
			}
			return next, nil
		}}
	}
	return decideConfigs(im, list)
}

func applyOp(im *metadata.Image, r metadata.ConfigResource, values map[string]string, op ConfigOp) error {
	def, err := lookup(im, r, op.Name)
	if err != nil {
		return err
	}
	if op.Op == OpDelete {
		delete(values, op.Name)
		return nil
	}
	if op.Value == nil {
		return refuse(metadata.ErrInvalidRequest, "Null value not supported for: %s", op.Name)
	}
	value := *op.Value
	switch op.Op {
	case OpSet:
	case OpAppend, OpSubtract:
		if def.Type != metadata.TypeList {
			return refuse(metadata.ErrInvalidConfig, "Can't append to or subtract from key %s because its type is not LIST.", op.Name)
		}
		old, ok := values[op.Name]
		if !ok {
			old = def.Default
		}
		value = strings.Join(editList(metadata.SplitList(old), metadata.SplitList(value), op.Op), ",")
	default:
		return refuse(metadata.ErrInvalidRequest, "Unknown config operation %d for %s.", op.Op, op.Name)
	}
	values[op.Name], err = def.Parse(value)
	return err
}

func editList(list, change []string, op OpType) []string {
	if op == OpSubtract {
		return slices.DeleteFunc(list, func(e string) bool { return slices.Contains(change, e) })
	}
	for _, e := range change {
		if !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	return list
}
