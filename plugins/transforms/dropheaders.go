package transforms

import (
	"context"
	"slices"

	"millrace/connectors"
)

var dropHeadersConfig = connectors.NewConfigDef(connectors.ConfigKey{
	Name: "headers", Type: connectors.ConfigList, Required: true, Importance: connectors.High,
	Validator: connectors.DistinctList(false, false),
	Doc:       "The names of the headers to remove.",
})

// dropHeaders is DropHeaders.
type dropHeaders struct {
	noClose
	names map[string]bool
}

// Configure is part of connectors.Transform.
func (d *dropHeaders) Configure(config map[string]string) error {
	values, err := dropHeadersConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	d.names = make(map[string]bool)
	for _, name := range values.List("headers") {
		d.names[name] = true
	}
	return nil
}

// Apply is part of connectors.Transform.
func (d *dropHeaders) Apply(_ context.Context, r *connectors.Record) (bool, error) {
	drop := func(h connectors.Header) bool { return d.names[h.Key] }
	if slices.ContainsFunc(r.Headers, drop) {
		r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), drop)
	}
	return true, nil
}
