package validation

import (
	"slices"

	"millrace/connectors"
	"millrace/runtime"
)

// A result gathers the blocks of a validation in Connect's order.
type result struct {
	name   string
	blocks []*block
}

// A block holds definitions and values by key; those added later replace those of the same key.
type block struct {
	defs   []*connectors.ConfigKey
	values map[string]*connectors.ConfigValue
	// loose are values of keys that no definition knows, in the order of their appearance.
	loose []string
	// countKeys counts a key's errors as one, as Connect does for converters and client settings.
	countKeys bool
}

func newResult(name string) *result { return &result{name: name} }

func (r *result) block() *block {
	b := &block{values: make(map[string]*connectors.ConfigValue)}
	r.blocks = append(r.blocks, b)
	return b
}

// add adds the keys of def with their values and returns these by name.
func (b *block) add(def *connectors.ConfigDef, values []*connectors.ConfigValue) map[string]*connectors.ConfigValue {
	for _, k := range def.Keys() {
		i := slices.IndexFunc(b.defs, func(d *connectors.ConfigKey) bool { return d.Name == k.Name })
		if i >= 0 {
			b.defs[i] = k
		} else {
			b.defs = append(b.defs, k)
		}
	}
	for _, v := range values {
		b.values[v.Name] = v
	}
	return b.values
}

// value returns the value of a key, one without a definition if there is none.
func (b *block) value(name string) *connectors.ConfigValue {
	v := b.values[name]
	if v == nil {
		v = &connectors.ConfigValue{Name: name, Visible: true}
		b.values[name] = v
		b.loose = append(b.loose, name)
	}
	return v
}

func (r *result) infos() runtime.ConfigInfos {
	infos := runtime.ConfigInfos{Name: r.name, Groups: []string{}}
	group := func(name string) {
		if name != "" && !slices.Contains(infos.Groups, name) {
			infos.Groups = append(infos.Groups, name)
		}
	}
	for _, b := range r.blocks {
		slices.Sort(b.loose)
		for _, name := range b.loose {
			v := b.values[name]
			infos.ErrorCount += b.errors(v)
			infos.Configs = append(infos.Configs, runtime.ConfigInfo{Value: valueInfo(v, connectors.ConfigString)})
		}
		for _, k := range b.defs {
			group(k.Group)
			v := b.values[k.Name]
			infos.ErrorCount += b.errors(v)
			info := keyInfo(k)
			infos.Configs = append(infos.Configs, runtime.ConfigInfo{Definition: &info, Value: valueInfo(v, k.Type)})
		}
	}
	return infos
}

func (b *block) errors(v *connectors.ConfigValue) int {
	if b.countKeys {
		return min(len(v.Errors), 1)
	}
	return len(v.Errors)
}

func keyInfos(def *connectors.ConfigDef) []runtime.ConfigKeyInfo {
	infos := make([]runtime.ConfigKeyInfo, 0, len(def.Keys()))
	for _, k := range def.Keys() {
		infos = append(infos, keyInfo(k))
	}
	return infos
}

func keyInfo(k *connectors.ConfigKey) runtime.ConfigKeyInfo {
	info := runtime.ConfigKeyInfo{
		Name: k.Name, Type: string(k.Type), Required: k.Required, DefaultValue: k.DefaultText(), Importance: string(k.Importance),
		Documentation: k.Doc, OrderInGroup: k.Order, Width: string(k.Width), DisplayName: k.DisplayName,
		Dependents: append([]string{}, k.Dependents...), Order: k.Order,
	}
	if k.Group != "" {
		info.Group = &k.Group
	}
	return info
}

func valueInfo(v *connectors.ConfigValue, t connectors.ConfigType) *runtime.ConfigValueInfo {
	info := &runtime.ConfigValueInfo{
		Name: v.Name, Value: t.Text(v.Value), RecommendedValues: []string{}, Errors: append([]string{}, v.Errors...), Visible: v.Visible,
	}
	for _, r := range v.RecommendedValues {
		if text := t.Text(r); text != nil {
			info.RecommendedValues = append(info.RecommendedValues, *text)
		}
	}
	return info
}
