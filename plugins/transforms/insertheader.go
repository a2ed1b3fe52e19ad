package transforms

import (
	"context"
	"slices"

	"millrace/connectors"
)

var insertHeaderConfig = connectors.NewConfigDef(
	connectors.ConfigKey{
		Name: "header", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
		Validator: connectors.NonNull(), Doc: "The name of the header.",
	},
	connectors.ConfigKey{
		Name: "value.literal", Type: connectors.ConfigString, Required: true, Importance: connectors.High,
		Validator: connectors.NonNull(), Doc: "The value of the header; what looks like a number, a date, a list or a map becomes one.",
	},
)

// insertHeader is InsertHeader: it appends a header of fixed value.
type insertHeader struct {
	noClose
	header connectors.Header
}

// Configure is part of connectors.Transform.
func (h *insertHeader) Configure(config map[string]string) error {
	values, err := insertHeaderConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	v := connectors.ParseValue(values.String("value.literal"))
	h.header = connectors.Header{Key: values.String("header"), Schema: v.Schema, Value: v.Value}
	return nil
}

// Apply is part of connectors.Transform.
func (h *insertHeader) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	r.Headers = append(slices.Clip(r.Headers), h.header)
	return true, nil
}
