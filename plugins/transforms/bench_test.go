package transforms_test

import (
	"context"
	"testing"

	"millrace/connectors"
	"millrace/plugins/transforms"
)

// BenchmarkChain applies five transforms to a record with a schema and one without.
func BenchmarkChain(b *testing.B) {
	schema := connectors.StructOf(
		connectors.Field{Name: "id", Schema: connectors.Int64Schema},
		connectors.Field{Name: "customer", Schema: connectors.StringSchema},
		connectors.Field{Name: "card", Schema: connectors.StringSchema},
		connectors.Field{Name: "amount", Schema: connectors.Float64Schema},
	)
	s := connectors.NewStruct(schema)
	m := connectors.NewMap(4)
	for i, v := range []any{int64(4711), "Jane", "1234-5678", 99.5} {
		s.Set(i, v)
		m.Put(schema.Fields[i].Name, v)
	}
	for name, value := range map[string]connectors.SchemaAndValue{"struct": {Schema: schema, Value: s}, "map": {Value: m}} {
		b.Run(name, func(b *testing.B) {
			var chain []connectors.Transform
			for _, step := range []struct {
				class  string
				config map[string]string
			}{
				{"MaskField$Value", map[string]string{"fields": "card"}},
				{"Cast$Value", map[string]string{"spec": "amount:string"}},
				{"ReplaceField$Value", map[string]string{"renames": "customer:name"}},
				{"InsertField$Value", map[string]string{"topic.field": "topic"}},
				{"RegexRouter", map[string]string{"regex": "(.*)s", "replacement": "$1"}},
			} {
				for _, p := range transforms.Plugins() {
					if p.Class == "org.apache.kafka.connect.transforms."+step.class {
						t := p.NewTransform()
						if err := t.Configure(step.config); err != nil {
							b.Fatal(err)
						}
						chain = append(chain, t)
					}
				}
			}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				r := connectors.Record{Topic: "orders", ValueSchema: value.Schema, Value: value.Value}
				for _, t := range chain {
					if _, err := t.Apply(ctx, &r); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
