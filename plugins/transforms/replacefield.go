package transforms

import (
	"context"
	"slices"

	"millrace/connectors"
)

var replaceFieldConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "exclude", Type: connectors.ConfigList, Default: []string{}, Importance: connectors.Medium,
		Validator: connectors.DistinctList(true, false), Doc: "The fields to leave out.",
	},
	connectors.ConfigKey{
		Name: "include", Type: connectors.ConfigList, Default: []string{}, Importance: connectors.Medium,
		Validator: connectors.DistinctList(true, false), Doc: "The fields to keep; without any, all.",
	},
	connectors.ConfigKey{
		Name: "renames", Type: connectors.ConfigList, Default: []string{}, Importance: connectors.Medium, Validator: renamesCheck{},
		Doc: "Fields and their new names, old:new.",
	},
	replaceNullConfig,
)

// replaceField is ReplaceField: it leaves out and renames fields.
type replaceField struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	exclude, include []string
	renames          map[string]string
	old              map[string]string // by new names
	plans            plans[*replacePlan]
}

// A replacePlan has the new schema and the places of its fields in the old one.
type replacePlan struct {
	schema *connectors.Schema
	from   []int
}

type renamesCheck struct{}

func (renamesCheck) String() string { return castCheck{}.String() }

func (renamesCheck) Check(name string, value any) error {
	list, _ := value.([]string)
	for _, mapping := range list {
		if len(splitColons(mapping)) != 2 {
			return connectors.InvalidValue(name, list, "Invalid rename mapping: "+mapping)
		}
	}
	return nil
}

// Configure is part of connectors.Transform.
func (f *replaceField) Configure(config map[string]string) error {
	values, err := replaceFieldConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	f.replace = values.Bool(replaceNullKey)
	f.exclude, f.include = values.List("exclude"), values.List("include")
	f.renames, f.old = make(map[string]string), make(map[string]string)
	for _, mapping := range values.List("renames") {
		parts := splitColons(mapping)
		f.renames[parts[0]] = parts[1]
	}
	for from, to := range f.renames {
		f.old[to] = from
	}
	return nil
}

func (f *replaceField) keeps(name string) bool {
	return !slices.Contains(f.exclude, name) && (len(f.include) == 0 || slices.Contains(f.include, name))
}

func (f *replaceField) renamed(name string) string {
	if to, ok := f.renames[name]; ok {
		return to
	}
	return name
}

// Apply is part of connectors.Transform.
func (f *replaceField) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := f.get(r)
	if value == nil {
		return true, nil
	}
	if schema == nil {
		old, err := requireMap(value, "field replacement")
		if err != nil {
			return true, err
		}
		m := connectors.NewMap(old.Len())
		for k, v := range old.All() {
			if name, ok := k.(string); !ok {
				m.Put(k, v)
			} else if f.keeps(name) {
				m.Put(f.renamed(name), v)
			}
		}
		f.set(r, nil, m)
		return true, nil
	}
	old, err := requireStruct(value, "field replacement")
	if err != nil {
		return true, err
	}
	plan, err := f.plans.of(schema, f.plan)
	if err != nil {
		return true, err
	}
	s := f.structs.New(plan.schema)
	for i, from := range plan.from {
		s.Set(i, f.field(old, from))
	}
	f.set(r, plan.schema, s)
	return true, nil
}

func (f *replaceField) plan(schema *connectors.Schema) (*replacePlan, error) {
	plan := &replacePlan{}
	var fields []connectors.Field
	for i, field := range schema.Fields {
		if !f.keeps(field.Name) {
			continue
		}
		name := f.renamed(field.Name)
		// As in Kafka, a field that has a name another would get by a rename is looked up under that other's name.
		if old, ok := f.old[name]; ok && old != field.Name {
			if i = schema.FieldIndex(old); i < 0 {
				return nil, dataError("%s is not a valid field name", old)
			}
		}
		fields = append(fields, connectors.Field{Name: name, Schema: field.Schema})
		plan.from = append(plan.from, i)
	}
	plan.schema = structLike(schema, fields)
	return plan, unique(fields)
}
