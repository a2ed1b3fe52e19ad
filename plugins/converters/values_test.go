package converters_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/plugins/internal/golden"
)

// A valuesCase is a call of a method of Connect's Values class.
type valuesCase struct {
	Name, Op string
	Input    json.RawMessage
	Output   struct {
		golden.Error
		golden.Data
	}
}

func TestValuesGolden(t *testing.T) {
	count := 0
	for _, file := range golden.Files(t, "converters") {
		if !strings.HasPrefix(filepath.Base(file), "values-") {
			continue
		}
		for _, c := range golden.Cases[valuesCase](t, file) {
			count++
			t.Run(filepath.Base(file)+"/"+c.Name, func(t *testing.T) { c.run(t) })
		}
	}
	t.Logf("golden: %d cases", count)
}

func (c valuesCase) run(t *testing.T) {
	if c.Op == "parseString" {
		var text string
		decode(t, c.Input, &text)
		golden.Compare(t, "parsed", connectors.ParseValue(text), data(t, c.Output.Data))
		return
	}
	var input golden.Data
	decode(t, c.Input, &input)
	in := data(t, input)
	var got connectors.SchemaAndValue
	var err error
	if c.Op == "inferSchema" {
		got.Schema, err = connectors.InferSchema(in.Value)
	} else {
		got.Value, err = connectors.ConvertTo(target(t, c.Op), in.Schema, in.Value)
	}
	if c.Output.Error.Error != "" {
		golden.CheckError(t, err, &c.Output.Error)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "result", got, data(t, c.Output.Data))
}

// target returns the schema that a method converts to.
func target(t *testing.T, op string) *connectors.Schema {
	schemas := map[string]*connectors.Schema{
		"Boolean": connectors.OptionalBooleanSchema, "Byte": connectors.OptionalInt8Schema, "Short": connectors.OptionalInt16Schema,
		"Integer": connectors.OptionalInt32Schema, "Long": connectors.OptionalInt64Schema, "Float": connectors.OptionalFloat32Schema,
		"Double": connectors.OptionalFloat64Schema, "String": connectors.OptionalStringSchema, "Date": connectors.DateSchema,
		"Time": connectors.TimeSchema, "Timestamp": connectors.TimestampSchema, "List": connectors.ArrayOf(connectors.StringSchema),
		"Map": connectors.MapOf(connectors.StringSchema, connectors.StringSchema), "Struct": connectors.StructOf(),
	}
	name := strings.TrimPrefix(op, "convertTo")
	if s, ok := schemas[name]; ok {
		return s
	}
	var scale int32
	if _, err := fmt.Sscanf(name, "Decimal(%d)", &scale); err != nil {
		t.Fatalf("unknown method %s", op)
	}
	return connectors.DecimalSchema(scale)
}

func decode(t *testing.T, from []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(from, to); err != nil {
		t.Fatal(err)
	}
}

func data(t *testing.T, d golden.Data) connectors.SchemaAndValue {
	t.Helper()
	v, err := d.Decode()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
