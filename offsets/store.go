package offsets

import "context"

// An Offset pairs a source partition of a connector with its source offset: JSON-like maps of primitive values. A nil Offset
// means that none is remembered.
type Offset struct {
	Connector string
	Partition map[string]any
	Offset    map[string]any
}

// A Store remembers source offsets. It is safe for concurrent use; the maps it is given and returns are not changed by anyone
// afterwards.
type Store interface {
	// Get returns the offsets of partitions, in their order, nil where there is none. It sees every Put that returned
	// before, by any worker.
	Get(ctx context.Context, connector string, partitions []map[string]any) ([]map[string]any, error)
	// List returns all partitions of connector that have an offset, sorted by key.
	List(ctx context.Context, connector string) ([]Offset, error)
	// Put remembers offsets and returns when they are safe; a nil Offset removes. After an error some of them may be
	// safe; Put them again.
	Put(ctx context.Context, offsets []Offset) error
}
