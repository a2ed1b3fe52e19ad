package transforms

import (
	"context"

	"millrace/connectors"
)

// filter is Filter: it drops every record that it is asked about. A predicate says which these are.
type filter struct{ noClose }

// Configure is part of connectors.Transform.
func (filter) Configure(map[string]string) error { return nil }

// Apply is part of connectors.Transform.
func (filter) Apply(context.Context, *connectors.Record) (bool, error) { return false, nil }
