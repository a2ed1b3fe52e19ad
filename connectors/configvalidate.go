package connectors

// A ConfigValue is what validation says of one key. Value is the parsed value, nil if there is none or parsing failed.
type ConfigValue struct {
	Name              string
	Value             any
	RecommendedValues []any
	Errors            []string
	Visible           bool
}

// AddError adds a message to v.
func (v *ConfigValue) AddError(msg string) { v.Errors = append(v.Errors, msg) }

// Validate says of each key, in the order of definition, its value, what is wrong with it and which values are recommended.
// Dependents that no key defines follow at the end, with an error. A key reached through several parents is checked once
// for each, and its errors repeat, as Kafka's do.
func (d *ConfigDef) Validate(config RawConfig) []*ConfigValue {
	v := validation{def: d, config: config, parsed: make(Values, len(d.keys)), values: make(map[string]*ConfigValue, len(d.keys))}
	answer := make([]*ConfigValue, 0, len(d.keys))
	for _, k := range d.keys {
		value := &ConfigValue{Name: k.Name, Visible: true}
		v.values[k.Name] = value
		answer = append(answer, value)
	}
	for _, name := range d.undefinedDependents() {
		answer = append(answer, &ConfigValue{
			Name: name, Errors: []string{name + " is referred in the dependents, but not defined."},
		})
	}
	roots := d.roots()
	for _, k := range roots {
		v.parse(k)
	}
	for _, k := range roots {
		v.recommend(k)
	}
	return answer
}

// roots returns the keys that are nobody's dependent.
func (d *ConfigDef) roots() []*ConfigKey {
	child := make(map[string]bool)
	for _, k := range d.keys {
		for _, name := range k.Dependents {
			child[name] = true
		}
	}
	var roots []*ConfigKey
	for _, k := range d.keys {
		if !child[k.Name] {
			roots = append(roots, k)
		}
	}
	return roots
}

// validation walks a definition from its roots to their dependents.
type validation struct {
	def    *ConfigDef
	config RawConfig
	parsed Values
	values map[string]*ConfigValue
}

func (v *validation) parse(k *ConfigKey) {
	answer := v.values[k.Name]
	value, err := k.read(v.config)
	if err != nil {
		answer.AddError(err.Error())
		value = nil
	}
	if k.Validator != nil {
		if err := k.Validator.Check(k.Name, value); err != nil {
			answer.AddError(err.Error())
		}
	}
	answer.Value = value
	v.parsed[k.Name] = value
	v.dependents(k, v.parse)
}

func (v *validation) recommend(k *ConfigKey) {
	if k.Recommender != nil {
		v.ask(k)
	}
	v.dependents(k, v.recommend)
}

func (v *validation) ask(k *ConfigKey) {
	answer := v.values[k.Name]
	if c, ok := k.Recommender.(RecommenderCheck); ok {
		if err := c.CheckRecommend(k.Name, v.parsed); err != nil {
			answer.AddError(err.Error())
			return
		}
	}
	answer.RecommendedValues = k.Recommender.ValidValues(k.Name, v.parsed)
	answer.Visible = k.Recommender.Visible(k.Name, v.parsed)
}

func (v *validation) dependents(k *ConfigKey, f func(*ConfigKey)) {
	for _, name := range k.Dependents {
		if dependent := v.def.index[name]; dependent != nil {
			f(dependent)
		}
	}
}
