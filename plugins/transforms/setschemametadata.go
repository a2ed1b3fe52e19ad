package transforms

import (
	"context"

	"millrace/connectors"
)

var setSchemaMetadataConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "schema.name", Type: connectors.ConfigString, Importance: connectors.High, Doc: "The new name of the schema.",
	},
	connectors.ConfigKey{
		Name: "schema.version", Type: connectors.ConfigInt, Importance: connectors.High, Doc: "The new version of the schema.",
	},
	replaceNullConfig,
)

// setSchemaMetadata is SetSchemaMetadata: it sets the name and version of a struct's schema.
type setSchemaMetadata struct {
	side
	noClose
	structs connectors.StructMaker
	nulls
	name    *string
	version *int32
	plans   plans[*connectors.Schema]
}

// Configure is part of connectors.Transform.
func (s *setSchemaMetadata) Configure(config map[string]string) error {
	values, err := setSchemaMetadataConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	s.replace = values.Bool(replaceNullKey)
	s.name, s.version = nil, nil
	if !values.IsNull("schema.name") {
		name := values.String("schema.name")
		s.name = &name
	}
	if !values.IsNull("schema.version") {
		version := values.Int("schema.version")
		s.version = &version
	}
	if s.name == nil && s.version == nil {
		return &connectors.ConfigError{Msg: "Neither schema name nor version configured"}
	}
	return nil
}

// Apply is part of connectors.Transform.
func (s *setSchemaMetadata) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	schema, value := s.get(r)
	if schema == nil && value == nil {
		return true, nil
	}
	if schema == nil {
		return true, dataError("Schema required for [updating schema metadata]")
	}
	named, err := s.plans.of(schema, s.plan)
	if err != nil {
		return true, err
	}
	if old, ok := value.(*connectors.Struct); ok {
		st := s.structs.New(named)
		for i := range named.Fields {
			st.Set(i, s.field(old, i))
		}
		value = st
	}
	s.set(r, named, value)
	return true, nil
}

func (s *setSchemaMetadata) plan(schema *connectors.Schema) (*connectors.Schema, error) {
	if schema.Type != connectors.TypeStruct {
		return nil, dataError("Cannot list fields on non-struct type")
	}
	named := *schema
	if s.name != nil {
		named.Name = *s.name
	}
	if s.version != nil {
		named.Version = s.version
	}
	return &named, nil
}
