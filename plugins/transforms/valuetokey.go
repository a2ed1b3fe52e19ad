package transforms

import (
	"context"

	"millrace/connectors"
)

var valueToKeyConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "fields", Type: connectors.ConfigList, Required: true, Importance: connectors.High,
		Validator: connectors.DistinctList(false, false), Doc: "The fields of the value that the new key has, in order.",
	},
	replaceNullConfig,
)

// valueToKey is ValueToKey: it makes a key of fields of the value.
type valueToKey struct {
	noClose
	structs connectors.StructMaker
	nulls
	fields []string
	plans  plans[*replacePlan]
}

// Configure is part of connectors.Transform.
func (k *valueToKey) Configure(config map[string]string) error {
	values, err := valueToKeyConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	k.replace = values.Bool(replaceNullKey)
	k.fields = values.List("fields")
	return nil
}

// Apply is part of connectors.Transform.
func (k *valueToKey) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	const purpose = "copying fields from value to key"
	if r.ValueSchema == nil {
		value, err := requireMap(r.Value, purpose)
		if err != nil {
			return true, err
		}
		key := connectors.NewMap(len(k.fields))
		for _, name := range k.fields {
			v, _ := value.Get(name)
			key.Put(name, v)
		}
		r.KeySchema, r.Key = nil, key
		return true, nil
	}
	value, err := requireStruct(r.Value, purpose)
	if err != nil {
		return true, err
	}
	plan, err := k.plans.of(r.ValueSchema, k.plan)
	if err != nil {
		return true, err
	}
	key := k.structs.New(plan.schema)
	for i, from := range plan.from {
		key.Set(i, k.field(value, from))
	}
	r.KeySchema, r.Key = plan.schema, key
	return true, nil
}

func (k *valueToKey) plan(schema *connectors.Schema) (*replacePlan, error) {
	plan := &replacePlan{}
	var fields []connectors.Field
	for _, name := range k.fields {
		i := schema.FieldIndex(name)
		if i < 0 {
			return nil, dataError("Field does not exist: %s", name)
		}
		plan.from = append(plan.from, i)
		fields = append(fields, schema.Fields[i])
	}
	plan.schema = connectors.StructOf(fields...)
	return plan, nil
}
