package connectors_test

import (
	"fmt"

	"millrace/connectors"
)

func ExampleConfigDef() {
	def := connectors.NewConfigDef(
		connectors.ConfigKey{
			Name: "file", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
			Validator: connectors.NonEmpty(), Doc: "The file to read.",
		},
		connectors.ConfigKey{
			Name: "batch.size", Type: connectors.ConfigInt, Default: 2000, Importance: connectors.Low,
			Validator: connectors.AtLeast(1), Doc: "Lines in a batch.",
		},
	)

	values, err := def.Parse(connectors.Raw(map[string]string{"file": "in.txt"}))
	fmt.Println(values.String("file"), values.Int("batch.size"), err)

	for _, v := range def.Validate(connectors.Raw(map[string]string{"batch.size": "0"})) {
		fmt.Println(v.Name, v.Errors)
	}
	// Output:
	// in.txt 2000 <nil>
	// file [Missing required configuration "file" which has no default value.]
	// batch.size [Invalid value 0 for configuration batch.size: Value must be at least 1]
}

func ExampleStruct() {
	schema := connectors.StructOf(
		connectors.Field{Name: "id", Schema: connectors.Int64Schema},
		connectors.Field{Name: "name", Schema: connectors.OptionalStringSchema},
	)
	s := connectors.NewStruct(schema)
	fmt.Println(s.Put("id", int64(7)), s.Put("name", 7))
	fmt.Println(s)
	// Output:
	// <nil> Invalid Java object for schema with type STRING: int for field: "name"
	// Struct{id=7}
}

func ExampleParseValue() {
	for _, text := range []string{"42", "4.2", "true", "2023-11-14", `[1,70000]`, "text"} {
		v := connectors.ParseValue(text)
		fmt.Println(v.Schema, v.Value)
	}
	// Output:
	// Schema{INT8} 42
	// Schema{FLOAT32} 4.2
	// Schema{BOOLEAN} true
	// Schema{org.apache.kafka.connect.data.Date:INT32} 2023-11-14 00:00:00 +0000 UTC
	// Schema{ARRAY} [1 70000]
	// Schema{STRING} text
}
